"""The Deployments port over CodeDeploy."""

from __future__ import annotations

import base64
import hashlib
import io
import tarfile
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest

from deployctl.aws.codedeploy import CodeDeployDeployments
from deployctl.aws.s3 import S3Bucket
from deployctl.aws.session import Aws
from deployctl.model.deployment import Deployment, DeploymentStatus, Revision, TargetStatus
from deployctl.model.names import ApplicationName, DeploymentId, GroupName, InstanceId
from deployctl.model.refusals import ApplicationUnknown, ConfigConflict, GroupBusy, GroupUnknown
from deployctl.model.release import DeploymentConfig

ONE = DeploymentConfig(name="CodeDeployDefault.OneAtATime")
ALL = DeploymentConfig(name="CodeDeployDefault.AllAtOnce")
Start = Callable[..., DeploymentId]


@pytest.fixture
def deployments(aws: Aws) -> CodeDeployDeployments:
    return CodeDeployDeployments(aws)


@pytest.fixture
def revision(bucket: S3Bucket, application: ApplicationName) -> Revision:
    """A bundle that every worker can install."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz") as archive:
        content = b"version: 0.0\nos: linux\n"
        info = tarfile.TarInfo("appspec.yml")
        info.size = len(content)
        archive.addfile(info, io.BytesIO(content))
    body = out.getvalue()
    key = f"artifacts/{application}/v1/bundle.tar.gz"
    reply = bucket.aws.s3.put_object(
        Bucket=bucket.name,
        Key=key,
        Body=body,
        ChecksumSHA256=base64.b64encode(hashlib.sha256(body).digest()).decode(),
    )
    return Revision(bucket=bucket.name, key=key, etag=reply["ETag"].strip('"'))


@pytest.fixture
def start(deployments: CodeDeployDeployments, application: ApplicationName, revision: Revision) -> Start:
    def create(
        group: GroupName, config: DeploymentConfig = ALL, description: str = "by a test"
    ) -> DeploymentId:
        return deployments.create(
            application, group, revision=revision, config=config, description=description
        )

    return create


def over(deployments: CodeDeployDeployments, deployment_id: DeploymentId) -> Deployment:
    """The deployment once it is over, within 20 s."""
    deadline = time.monotonic() + 20
    while not (found := deployments.statuses([deployment_id])[deployment_id]).status.is_over:
        assert time.monotonic() < deadline, found
        time.sleep(0.05)
    return found


def test_groups_come_with_their_auto_scaling_groups_and_hooks(deployments, own):
    own.add("video", workers=0)
    own.add("mail", workers=0)
    mail, video = deployments.groups(own.application)
    assert (mail.name, video.name) == ("mail", "video")
    assert mail.asgs == (f"{own.application}-mail",)
    assert mail.hook_names[mail.asgs[0]]
    assert mail.last_successful is None
    assert mail.last_attempt is None
    assert mail.follows_up


def test_an_application_without_groups_has_none(deployments, own):
    assert deployments.groups(own.application) == []


def test_an_unknown_application_is_told_with_the_nearest_that_exist(deployments, own):
    wrong = ApplicationName(own.application + "s")
    with pytest.raises(ApplicationUnknown) as raised:
        deployments.groups(wrong)
    assert own.application in (raised.value.remedy or "")
    assert raised.value.exit_code == 2


def test_a_deployment_runs_to_its_end_and_says_what_it_was(deployments, own, start: Start, revision):
    group, _ = own.add("mail", workers=3)
    before = datetime.now(UTC)
    deployment_id = start(group, description="deployctl release=r-1 version=v1")
    found = over(deployments, deployment_id)
    assert found.status is DeploymentStatus.SUCCEEDED
    assert found.group == group
    assert found.revision == revision
    assert found.description == "deployctl release=r-1 version=v1"
    assert found.creator == "user"
    assert (found.counts.succeeded, found.counts.total) == (3, 3)
    assert before - timedelta(seconds=1) < found.created_at < found.completed_at


def test_a_group_remembers_its_last_successful_revision_through_a_failure(
    deployments, own, start: Start, revision
):
    group, _ = own.add("mail", workers=1)
    over(deployments, start(group))
    lost = Revision(bucket=revision.bucket, key="artifacts/nothing/here")
    failed = deployments.create(own.application, group, revision=lost, config=ALL, description="")
    assert over(deployments, failed).error_code == "REVISION_MISSING"
    (found,) = deployments.groups(own.application)
    assert found.last_successful == revision
    assert found.last_attempt == failed


def test_a_taken_slot_is_busy_and_names_its_holder(deployments, own, start: Start):
    group, _ = own.add("mail", workers=4)
    first = start(group, ONE)
    with pytest.raises(GroupBusy) as raised:
        start(group, ONE)
    assert raised.value.holder == first
    deployments.stop(first)
    over(deployments, first)


def test_a_group_that_does_not_exist_is_named(deployments, own, start: Start):
    with pytest.raises(GroupUnknown):
        start(GroupName("nowhere"))


def test_targets_come_with_their_lifecycle_events(deployments, own, start: Start):
    group, _ = own.add("mail", workers=2)
    deployment_id = start(group)
    over(deployments, deployment_id)
    targets = deployments.targets(deployment_id)
    assert [t.status for t in targets] == [TargetStatus.SUCCEEDED] * 2
    assert {t.deployment_id for t in targets} == {deployment_id}
    assert "ValidateService" in [event.name for event in targets[0].events]
    assert targets[0].updated_at is not None
    assert deployments.targets(deployment_id, [targets[0].instance_id]) == [targets[0]]


def test_an_instance_that_is_no_target_costs_the_others_nothing(deployments, own, start: Start):
    group, _ = own.add("mail", workers=2)
    deployment_id = start(group)
    over(deployments, deployment_id)
    known = [t.instance_id for t in deployments.targets(deployment_id)]
    stranger = InstanceId("i-0123456789abcdef0")
    assert {t.instance_id for t in deployments.targets(deployment_id, [stranger, *known])} == set(known)
    assert deployments.targets(deployment_id, [stranger]) == []
    assert deployments.targets(deployment_id, []) == []


def test_a_deployment_that_has_not_started_has_no_targets(deployments, own, revision):
    group, _ = own.add("mail", workers=1)
    lost = Revision(bucket=revision.bucket, key="artifacts/nothing/here")
    deployment_id = deployments.create(own.application, group, revision=lost, config=ALL, description="")
    over(deployments, deployment_id)
    assert deployments.targets(deployment_id) == []
    assert deployments.targets(deployment_id, [InstanceId("i-0123456789abcdef0")]) == []


def test_deployments_since_a_moment_are_found_again(deployments, own, start: Start):
    before = datetime.now(UTC)
    group, _ = own.add("mail", workers=1)
    deployment_id = start(group, description="deployctl release=r-1 version=v1")
    found = {d.deployment_id: d for d in deployments.since(before)}
    assert found[deployment_id].description == "deployctl release=r-1 version=v1"
    later = {d.deployment_id for d in deployments.since(datetime.now(UTC) + timedelta(seconds=5))}
    assert deployment_id not in later
    over(deployments, deployment_id)


def test_stopping_ends_a_deployment_and_stopping_again_does_nothing(deployments, own, start: Start):
    group, _ = own.add("mail", workers=4)
    deployment_id = start(group, ONE)
    deployments.stop(deployment_id)
    found = over(deployments, deployment_id)
    assert found.status is DeploymentStatus.STOPPED
    deployments.stop(deployment_id)


def test_a_config_of_ours_is_made_once_and_reused(deployments, own, start: Start, aws: Aws):
    config = DeploymentConfig(name=f"deployctl-{own.application}", min_healthy_percent=75)
    deployments.ensure_config(config)
    deployments.ensure_config(config)
    assert aws.calls.snapshot()["codedeploy:CreateDeploymentConfig"] == 1
    group, _ = own.add("mail", workers=4)
    assert over(deployments, start(group, config)).status is DeploymentStatus.SUCCEEDED


def test_a_config_of_our_name_that_means_something_else_is_refused(deployments, own):
    name = f"deployctl-{own.application}"
    deployments.ensure_config(DeploymentConfig(name=name, min_healthy_percent=75))
    with pytest.raises(ConfigConflict) as raised:
        deployments.ensure_config(DeploymentConfig(name=name, min_healthy_percent=50))
    assert "75" in raised.value.message


def test_a_config_of_awss_is_left_alone(deployments, aws: Aws):
    deployments.ensure_config(ONE)
    assert aws.calls.snapshot() == {}
