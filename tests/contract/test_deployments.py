"""The Deployments port: the same cases over the fake and over CodeDeploy, and what only CodeDeploy can meet."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest

from deployctl.aws.codedeploy import CodeDeployDeployments
from deployctl.model.deployment import Deployment, DeploymentStatus, Revision, TargetStatus
from deployctl.model.names import ApplicationName, DeploymentId, GroupName, InstanceId
from deployctl.model.port_errors import ApplicationUnknown, ConfigConflict, GroupBusy, GroupUnknown
from deployctl.model.strategy import DeploymentConfig
from deployctl.ports import Deployments
from tests.contract.accounts import Account, OwnFleet, SimAccount

ONE = DeploymentConfig(name="CodeDeployDefault.OneAtATime")
ALL = DeploymentConfig(name="CodeDeployDefault.AllAtOnce")
Start = Callable[..., DeploymentId]


@pytest.fixture
def deployments(request: pytest.FixtureRequest, account: Account) -> Deployments:
    if isinstance(account, SimAccount):
        return account.cloud
    return CodeDeployDeployments(request.getfixturevalue("aws"))


@pytest.fixture
def calls(request: pytest.FixtureRequest, account: Account) -> Callable[[], dict[str, int]]:
    """Requests so far, by their operation."""
    if isinstance(account, SimAccount):
        return lambda: dict(account.cloud.calls)
    return request.getfixturevalue("aws").calls.snapshot


@pytest.fixture
def revision(account: Account) -> Revision:
    return account.store_bundle()


@pytest.fixture
def start(deployments: Deployments, account: Account, revision: Revision) -> Start:
    def create(
        group: GroupName,
        config: DeploymentConfig = ALL,
        description: str = "by a test",
        **options: bool,
    ) -> DeploymentId:
        return deployments.create(
            account.application,
            group,
            revision=revision,
            config=config,
            description=description,
            **options,
        )

    return create


def test_a_groups_last_deployments_come_newest_first(
    deployments: Deployments, account: Account, start: Start
):
    group, _ = account.add("mail", workers=1)
    other, _ = account.add("video", workers=1)
    first = start(group)
    over(account, deployments, first)
    start(other)
    began = account.now()
    # CodeDeploy compares whole seconds.
    account.until(lambda: account.now() > began + timedelta(seconds=1))
    between = account.now()
    second = start(group)
    found = deployments.list_for_group(account.application, group, most=25)
    assert [d.deployment_id for d in found] == [second, first]
    assert [d.deployment_id for d in deployments.list_for_group(account.application, group, most=1)] == [
        second
    ]
    late = deployments.list_for_group(account.application, group, since=between, most=25)
    assert [d.deployment_id for d in late] == [second]
    assert [d.deployment_id for d in deployments.list_for_group(account.application, group)] == [
        second,
        first,
    ]
    over(account, deployments, second)


def over(account: Account, deployments: Deployments, deployment_id: DeploymentId) -> Deployment:
    """The deployment once it is over."""
    account.until(lambda: deployments.get_many([deployment_id])[deployment_id].status.is_over)
    return deployments.get_many([deployment_id])[deployment_id]


def test_groups_come_with_their_auto_scaling_groups_and_hooks(deployments, account):
    account.add("video", workers=0)
    _, asg = account.add("mail", workers=0)
    mail, video = deployments.groups(account.application)
    assert (mail.name, video.name) == ("mail", "video")
    assert mail.asgs == (asg,)
    assert mail.hook_names[mail.asgs[0]]
    assert mail.last_successful is None
    assert mail.last_attempt is None
    assert mail.auto_updates_new_instances


def test_an_application_without_groups_has_none(deployments, account):
    assert deployments.groups(account.application) == []


def test_a_deployment_runs_to_its_end_and_says_what_it_was(deployments, account, start: Start, revision):
    group, _ = account.add("mail", workers=3)
    before = account.now()
    deployment_id = start(group, description="deployctl release=r-1 version=v1")
    found = over(account, deployments, deployment_id)
    assert found.status is DeploymentStatus.SUCCEEDED
    assert found.group == group
    assert found.revision == revision
    assert found.description == "deployctl release=r-1 version=v1"
    assert found.creator == "user"
    assert (found.counts.succeeded, found.counts.total) == (3, 3)
    assert before - timedelta(seconds=1) < found.created_at < found.completed_at


def test_a_group_remembers_its_last_successful_revision_through_a_failure(
    deployments, account, start: Start, revision
):
    group, _ = account.add("mail", workers=1)
    over(account, deployments, start(group))
    lost = Revision(bucket=revision.bucket, key="artifacts/nothing/here")
    failed = deployments.create(account.application, group, revision=lost, config=ALL, description="")
    assert over(account, deployments, failed).error_code == "REVISION_MISSING"
    (found,) = deployments.groups(account.application)
    assert found.last_successful == revision
    assert found.last_attempt == failed


def test_a_taken_slot_is_busy_and_names_its_holder(deployments, account, start: Start):
    group, _ = account.add("mail", workers=4)
    first = start(group, ONE)
    with pytest.raises(GroupBusy) as raised:
        start(group, ONE)
    assert raised.value.holder == first
    deployments.stop(first)
    over(account, deployments, first)


def test_targets_come_with_their_lifecycle_events(deployments, account, start: Start):
    group, _ = account.add("mail", workers=2)
    deployment_id = start(group)
    over(account, deployments, deployment_id)
    targets = deployments.targets(deployment_id)
    assert [t.status for t in targets] == [TargetStatus.SUCCEEDED] * 2
    assert {t.deployment_id for t in targets} == {deployment_id}
    assert "ValidateService" in [event.name for event in targets[0].events]
    assert targets[0].updated_at is not None
    assert deployments.targets(deployment_id, [targets[0].instance_id]) == [targets[0]]


def test_an_instance_outside_the_deployment_does_not_hide_the_other_targets(
    deployments, account, start: Start
):
    group, _ = account.add("mail", workers=2)
    deployment_id = start(group)
    over(account, deployments, deployment_id)
    known = [t.instance_id for t in deployments.targets(deployment_id)]
    stranger = InstanceId("i-0123456789abcdef0")
    assert {t.instance_id for t in deployments.targets(deployment_id, [stranger, *known])} == set(known)
    assert deployments.targets(deployment_id, [stranger]) == []
    assert deployments.targets(deployment_id, []) == []


def test_a_deployment_that_has_not_started_has_no_targets(deployments, account, revision):
    group, _ = account.add("mail", workers=1)
    lost = Revision(bucket=revision.bucket, key="artifacts/nothing/here")
    deployment_id = deployments.create(account.application, group, revision=lost, config=ALL, description="")
    over(account, deployments, deployment_id)
    assert deployments.targets(deployment_id) == []
    assert deployments.targets(deployment_id, [InstanceId("i-0123456789abcdef0")]) == []


def test_deployments_since_a_moment_are_listed(deployments, account, start: Start):
    before = account.now()
    group, _ = account.add("mail", workers=1)
    deployment_id = start(group, description="deployctl release=r-1 version=v1")
    found = {d.deployment_id: d for d in deployments.list_since(before)}
    assert found[deployment_id].description == "deployctl release=r-1 version=v1"
    later = {d.deployment_id for d in deployments.list_since(account.now() + timedelta(seconds=5))}
    assert deployment_id not in later
    over(account, deployments, deployment_id)


def test_a_deployment_to_outdated_instances_leaves_the_others_out(deployments, account, start: Start):
    group, asg = account.add("mail", workers=2)
    over(account, deployments, start(group))
    old = set(account.in_service(asg))
    account.drop_launch_hook(asg)
    account.set_desired(asg, 3)
    account.until(lambda: len(account.in_service(asg)) == 3)
    deployment_id = start(group, outdated_only=True)
    assert over(account, deployments, deployment_id).status is DeploymentStatus.SUCCEEDED
    assert {t.instance_id for t in deployments.targets(deployment_id)} == set(account.in_service(asg)) - old


def test_a_deployment_to_outdated_instances_where_there_are_none_fails(deployments, account, start: Start):
    group, _ = account.add("mail", workers=2)
    over(account, deployments, start(group))
    found = over(account, deployments, start(group, outdated_only=True))
    assert (found.status, found.error_code) == (DeploymentStatus.FAILED, "NO_INSTANCES")
    assert deployments.targets(found.deployment_id) == []


@pytest.mark.parametrize("ignores", [False, True])
def test_a_failing_stop_script_can_be_ignored(deployments, account, start: Start, ignores: bool):  # noqa: FBT001
    # The sandbox's controls know a group by the queue that its Auto Scaling group is tagged with.
    group, _ = account.add("stops-badly", workers=1, tags={"deployctl:queue": "stops-badly"})
    over(account, deployments, start(group))
    account.inject("hook-fails", group, event="ApplicationStop")
    found = over(account, deployments, start(group, ignore_stop_failures=ignores))
    assert found.status is (DeploymentStatus.SUCCEEDED if ignores else DeploymentStatus.FAILED)
    (target,) = deployments.targets(found.deployment_id)
    assert (target.events[0].name, target.events[0].status) == ("ApplicationStop", "Failed")


def test_stopping_ends_a_deployment_and_stopping_again_does_nothing(deployments, account, start: Start):
    group, _ = account.add("mail", workers=4)
    deployment_id = start(group, ONE)
    deployments.stop(deployment_id)
    found = over(account, deployments, deployment_id)
    assert found.status is DeploymentStatus.STOPPED
    deployments.stop(deployment_id)


def test_a_deployment_config_is_created_once_and_reused(deployments, account, start: Start, calls):
    config = DeploymentConfig(name=f"deployctl-{account.application}", min_healthy_percent=75)
    deployments.ensure_config(config)
    deployments.ensure_config(config)
    assert calls()["codedeploy:CreateDeploymentConfig"] == 1
    group, _ = account.add("mail", workers=4)
    assert over(account, deployments, start(group, config)).status is DeploymentStatus.SUCCEEDED


def test_a_config_of_aws_stays_unchanged(deployments, calls):
    deployments.ensure_config(ONE)
    assert calls() == {}


class TestOnCodeDeploy:
    """Refusals that only the adapter has words for."""

    @pytest.fixture
    def account(self, own: OwnFleet) -> Account:
        return own

    def test_an_unknown_application_comes_with_similar_names(self, deployments, account):
        wrong = ApplicationName(account.application + "s")
        with pytest.raises(ApplicationUnknown) as raised:
            deployments.groups(wrong)
        assert account.application in (raised.value.remedy or "")
        assert raised.value.exit_code == 2

    def test_a_group_that_does_not_exist_is_named(self, deployments, account, start: Start):
        with pytest.raises(GroupUnknown):
            start(GroupName("nowhere"))

    def test_a_config_of_the_same_name_with_another_share_is_rejected(self, deployments, account):
        name = f"deployctl-{account.application}"
        deployments.ensure_config(DeploymentConfig(name=name, min_healthy_percent=75))
        with pytest.raises(ConfigConflict) as raised:
            deployments.ensure_config(DeploymentConfig(name=name, min_healthy_percent=50))
        assert "75" in raised.value.message
