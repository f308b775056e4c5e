"""How many calls a large account takes, and what CodeDeploy's answers become."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from deployctl.aws import service_errors
from deployctl.aws.codedeploy import CodeDeployDeployments
from deployctl.aws.session import Aws
from deployctl.model.deployment import Counts, DeploymentStatus, Revision, TargetStatus
from deployctl.model.names import ApplicationName, DeploymentId
from tests.fakes.aws_server import Answer, AwsServer, Request, json_answer

SHOP = ApplicationName("shop")
PAGE = 100
REVISION = {
    "revisionType": "S3",
    "s3Location": {"bucket": "b", "key": "k", "bundleType": "tgz", "eTag": '"e"'},
}
CREATED_AT = 1_767_323_045.5


class Account:
    """Answers for an application of this many groups, each of this many targets."""

    def __init__(self, groups: int = 0, targets: int = 0, group: dict[str, object] | None = None) -> None:
        self.groups = [f"group-{number:04d}" for number in range(groups)]
        self.targets = [f"i-{number:017x}" for number in range(targets)]
        self.group = group or {}

    def __call__(self, request: Request) -> Answer:
        return getattr(self, request.operation)(request.json)

    def _page(self, field: str, items: list[str], asked: dict[str, str]) -> Answer:
        start = int(asked.get("nextToken", 0))
        more = {"nextToken": str(start + PAGE)} if start + PAGE < len(items) else {}
        return json_answer(**{field: items[start : start + PAGE]}, **more)

    def ListDeploymentGroups(self, asked):  # noqa: N802
        return self._page("deploymentGroups", self.groups, asked)

    def BatchGetDeploymentGroups(self, asked):  # noqa: N802
        assert len(asked["deploymentGroupNames"]) <= 100
        return json_answer(
            deploymentGroupsInfo=[
                {
                    "deploymentGroupName": name,
                    "autoScalingGroups": [{"name": f"asg-{name}", "hook": "h"}],
                    **self.group,
                }
                for name in asked["deploymentGroupNames"]
            ]
        )

    def BatchGetDeployments(self, asked):  # noqa: N802
        assert len(asked["deploymentIds"]) <= 25
        return json_answer(
            deploymentsInfo=[
                {"deploymentId": d, "status": "Succeeded", "createTime": CREATED_AT, "revision": REVISION}
                for d in asked["deploymentIds"]
            ]
        )

    def ListDeploymentTargets(self, asked):  # noqa: N802
        return self._page("targetIds", self.targets, asked)

    def BatchGetDeploymentTargets(self, asked):  # noqa: N802
        assert len(asked["targetIds"]) <= 25
        return json_answer(
            deploymentTargets=[
                {"instanceTarget": {"targetId": t, "status": "Pending"}} for t in asked["targetIds"]
            ]
        )


@pytest.fixture
def deployments(aws: Aws) -> CodeDeployDeployments:
    return CodeDeployDeployments(aws)


def test_five_hundred_groups_take_a_call_for_each_hundred(deployments, aws: Aws, server: AwsServer):
    server.answer_by = Account(groups=500)
    groups = deployments.groups(SHOP)
    assert len(groups) == 500
    assert groups[0].asgs == ("asg-group-0000",)
    assert aws.calls.snapshot() == {
        "codedeploy:BatchGetDeploymentGroups": 5,
        "codedeploy:ListDeploymentGroups": 5,
    }


def test_statuses_take_a_call_for_each_twenty_five(deployments, aws: Aws, server: AwsServer):
    server.answer_by = Account()
    ids = [DeploymentId(f"d-{number:09d}") for number in range(501)]
    assert list(deployments.get_many([*ids, *ids])) == ids
    assert aws.calls.snapshot() == {"codedeploy:BatchGetDeployments": 21}


def test_a_thousand_targets_take_a_call_for_each_twenty_five(deployments, aws: Aws, server: AwsServer):
    server.answer_by = Account(targets=1_000)
    targets = deployments.targets(DeploymentId("d-1"))
    assert len({t.instance_id for t in targets}) == 1_000
    assert targets[0].status is TargetStatus.PENDING
    assert aws.calls.snapshot() == {
        "codedeploy:BatchGetDeploymentTargets": 40,
        "codedeploy:ListDeploymentTargets": 10,
    }


def test_after_a_successful_attempt_the_groups_revision_is_certain(deployments, aws, server: AwsServer):
    last = {"deploymentId": "d-1", "status": "Succeeded"}
    server.answer_by = Account(
        groups=2,
        group={
            "targetRevision": REVISION,
            "lastSuccessfulDeployment": last,
            "lastAttemptedDeployment": last,
            "outdatedInstancesStrategy": "IGNORE",
        },
    )
    group = deployments.groups(SHOP)[0]
    assert group.last_successful == Revision(bucket="b", key="k", etag="e")
    assert group.last_attempt == "d-1"
    assert not group.auto_updates_new_instances
    assert "codedeploy:BatchGetDeployments" not in aws.calls.snapshot()


def test_after_a_failed_attempt_the_last_success_is_read(deployments, aws, server: AwsServer):
    other = {"revisionType": "S3", "s3Location": {"bucket": "b", "key": "attempted"}}
    server.answer_by = Account(
        groups=2,
        group={
            "targetRevision": other,
            "lastSuccessfulDeployment": {"deploymentId": "d-1"},
            "lastAttemptedDeployment": {"deploymentId": "d-2"},
        },
    )
    assert [g.last_successful.key for g in deployments.groups(SHOP)] == ["k", "k"]
    assert aws.calls.snapshot()["codedeploy:BatchGetDeployments"] == 1


def test_a_revision_outside_s3_is_ignored(deployments, server: AwsServer):
    last = {"deploymentId": "d-1"}
    revision = {"revisionType": "GitHub", "gitHubLocation": {"repository": "a/b", "commitId": "c"}}
    account = Account(
        groups=1,
        group={
            "targetRevision": revision,
            "lastSuccessfulDeployment": last,
            "lastAttemptedDeployment": last,
        },
    )
    account.BatchGetDeployments = lambda asked: json_answer(deploymentsInfo=[])
    server.answer_by = account
    assert deployments.groups(SHOP)[0].last_successful is None


def test_every_field_of_a_deployment_is_read(deployments, server: AwsServer):
    server.answers(
        json_answer(
            deploymentsInfo=[
                {
                    "deploymentId": "d-1",
                    "deploymentGroupName": "mail",
                    "status": "Failed",
                    "createTime": CREATED_AT,
                    "startTime": CREATED_AT + 1,
                    "completeTime": CREATED_AT + 2,
                    "deploymentOverview": {"Succeeded": 1, "Failed": 2, "Skipped": 3},
                    "revision": REVISION,
                    "description": "deployctl release=r-1 version=v1",
                    "creator": "CodeDeployAutoUpdate",
                    "errorInformation": {"code": "HEALTH_CONSTRAINTS", "message": "too many"},
                    "rollbackInfo": {"rollbackDeploymentId": "d-9"},
                    "relatedDeployments": {
                        "autoUpdateOutdatedInstancesRootDeploymentId": "d-0",
                        "autoUpdateOutdatedInstancesDeploymentIds": ["d-2"],
                    },
                }
            ]
        )
    )
    found = deployments.get_many([DeploymentId("d-1")])["d-1"]
    assert found.status is DeploymentStatus.FAILED
    assert found.counts == Counts(succeeded=1, failed=2, skipped=3)
    assert found.created_at == datetime(2026, 1, 2, 3, 4, 5, 500_000, tzinfo=UTC)
    assert (found.error_code, found.error_message) == ("HEALTH_CONSTRAINTS", "too many")
    assert (found.follows, found.follow_ons, found.rollback_id) == ("d-0", ("d-2",), "d-9")
    assert found.creator == "CodeDeployAutoUpdate"


def test_an_unknown_deployment_status_is_an_error(deployments, server: AwsServer):
    server.answers(
        json_answer(deploymentsInfo=[{"deploymentId": "d-1", "status": "New", "createTime": CREATED_AT}])
    )
    with pytest.raises(service_errors.UnexpectedAnswer):
        deployments.get_many([DeploymentId("d-1")])


def test_a_failed_script_comes_with_its_diagnostics(deployments, server: AwsServer):
    event = {
        "lifecycleEventName": "ValidateService",
        "status": "Failed",
        "startTime": CREATED_AT,
        "diagnostics": {
            "errorCode": "ScriptFailed",
            "scriptName": "hooks/validate.sh",
            "message": "exit 1",
            "logTail": "[stderr]no",
        },
    }
    target = {
        "deploymentTargetType": "InstanceTarget",
        "instanceTarget": {
            "targetId": "arn:aws:ec2:eu-west-1:1:instance/i-1",
            "status": "Failed",
            "lifecycleEvents": [event],
        },
    }
    server.answers(json_answer(deploymentTargets=[target]))
    (found,) = deployments.targets(DeploymentId("d-1"), ["i-1"])
    assert found.instance_id == "i-1"
    culprit = found.failed_or_last_event
    assert culprit is not None
    assert (culprit.name, culprit.error_code, culprit.script) == (
        "ValidateService",
        "ScriptFailed",
        "hooks/validate.sh",
    )
    assert (culprit.message, culprit.log_tail, culprit.ended_at) == ("exit 1", "[stderr]no", None)


def test_since_asks_from_the_whole_second(deployments, server: AwsServer):
    server.answers(json_answer(deployments=[]))
    assert deployments.list_since(datetime(2026, 1, 2, 3, 4, 5, 900_000, tzinfo=UTC)) == []
    assert server.requests[0].json == {"createTimeRange": {"start": 1_767_323_045}}
