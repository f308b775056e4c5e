"""CreateDeployment is never sent again where it may have happened."""

from __future__ import annotations

import socket
from collections.abc import Callable

import pytest

from deployctl.aws import service_errors
from deployctl.aws.codedeploy import CodeDeployDeployments
from deployctl.aws.retry import RetryPolicy
from deployctl.aws.session import Aws
from deployctl.model.deployment import Revision
from deployctl.model.names import ApplicationName, DeploymentId, GroupName
from deployctl.model.port_errors import CreateDeploymentUncertain, GroupBusy, GroupUnknown
from deployctl.model.strategy import DeploymentConfig
from tests.fakes.aws_server import RESET, Answer, AwsServer, json_answer, json_error
from tests.fakes.clock import FakeClock

CREATED = json_answer(deploymentId="d-NEW000001")
# What every other call may do, CreateDeployment may not.
EAGER = RetryPolicy(connect_timeout_s=2, read_timeout_s=0.3)


@pytest.fixture
def create(session: Callable[..., Aws]) -> Callable[..., DeploymentId]:
    def call(
        *,
        suspend_scaling: bool = False,
        outdated_only: bool = False,
        ignore_stop_failures: bool = False,
        **where: str,
    ) -> DeploymentId:
        deployments = CodeDeployDeployments(session(EAGER, **where))
        return deployments.create(
            ApplicationName("shop"),
            GroupName("mail"),
            revision=Revision(bucket="b", key="k", etag="e"),
            config=DeploymentConfig(name="CodeDeployDefault.HalfAtATime"),
            description="deployctl release=r-1 version=v1",
            suspend_scaling=suspend_scaling,
            outdated_only=outdated_only,
            ignore_stop_failures=ignore_stop_failures,
        )

    return call


def test_the_request_says_all_that_the_deployment_needs(create, server: AwsServer):
    server.answers(CREATED)
    assert create() == "d-NEW000001"
    assert server.requests[0].json == {
        "applicationName": "shop",
        "deploymentGroupName": "mail",
        "deploymentConfigName": "CodeDeployDefault.HalfAtATime",
        "description": "deployctl release=r-1 version=v1",
        "fileExistsBehavior": "OVERWRITE",
        "ignoreApplicationStopFailures": False,
        "revision": {
            "revisionType": "S3",
            "s3Location": {"bucket": "b", "key": "k", "bundleType": "tgz", "eTag": "e"},
        },
    }


def test_scaling_is_suspended_by_naming_every_process_that_can_be(create, server: AwsServer):
    server.answers(CREATED)
    create(suspend_scaling=True)
    assert server.requests[0].json["ec2DeploymentOptions"] == {
        "autoScalingGroupProcessesToSuspend": [
            "AZRebalance",
            "InstanceRefresh",
            "ScheduledActions",
            "Terminate",
        ]
    }


def test_a_repair_deploys_to_outdated_instances_only_and_may_ignore_stop_scripts(create, server: AwsServer):
    server.answers(CREATED)
    create(outdated_only=True, ignore_stop_failures=True)
    asked = server.requests[0].json
    assert asked["updateOutdatedInstancesOnly"] is True
    assert asked["ignoreApplicationStopFailures"] is True


@pytest.mark.parametrize(
    "answer",
    [
        RESET,
        json_error("InternalFailure", status=500),
        json_error("ServiceUnavailable", status=503),
        Answer(body=b"<html>", headers={"Content-Type": "text/html"}),
    ],
    ids=["reset", "500", "503", "garbled"],
)
def test_a_lost_answer_is_uncertain_and_not_retried(create, server: AwsServer, answer: Answer):
    server.answers(answer)
    with pytest.raises(CreateDeploymentUncertain) as raised:
        create()
    assert raised.value.group == "mail"
    assert len(server.requests) == 1


def test_an_answer_that_never_comes_is_unclear(create):
    with socket.create_server(("127.0.0.1", 0)) as silent, pytest.raises(CreateDeploymentUncertain):
        create(endpoint=f"http://127.0.0.1:{silent.getsockname()[1]}")


def test_throttling_is_retried_because_nothing_happened(create, server: AwsServer, clock: FakeClock):
    server.answers(json_error("ThrottlingException"), json_error("ThrottlingException"), CREATED)
    assert create() == "d-NEW000001"
    assert clock.slept_s
    assert len(server.requests) == 3


def test_a_lost_answer_after_throttling_is_uncertain_too(create, server: AwsServer):
    server.answers(json_error("ThrottlingException"), RESET, CREATED)
    with pytest.raises(CreateDeploymentUncertain):
        create()
    assert len(server.requests) == 2


def test_endless_throttling_is_an_error_once_the_retry_budget_is_spent(
    create, server: AwsServer, clock: FakeClock
):
    server.answers(json_error("ThrottlingException"))
    with pytest.raises(service_errors.ThrottlingExceeded):
        create()
    assert sum(clock.slept_s) > EAGER.throttled_s - 1


def test_a_failed_connection_is_retried(create, clock: FakeClock):
    with socket.create_server(("127.0.0.1", 0)) as unused:
        endpoint = f"http://127.0.0.1:{unused.getsockname()[1]}"
    with pytest.raises(service_errors.ServiceUnreachable):
        create(endpoint=endpoint)
    assert sum(clock.slept_s) == pytest.approx(EAGER.first_contact_s)


def test_a_busy_group_names_the_active_deployment(create, server: AwsServer):
    said = "The Deployment Group 'mail' already has an active Deployment 'd-OLD000001'"
    server.answers(json_error("DeploymentLimitExceededException", said))
    with pytest.raises(GroupBusy) as raised:
        create()
    assert raised.value.holder == "d-OLD000001"
    assert len(server.requests) == 1


def test_a_group_is_busy_even_if_the_active_deployment_is_not_named(create, server: AwsServer):
    server.answers(json_error("DeploymentLimitExceededException", "too many"))
    with pytest.raises(GroupBusy) as raised:
        create()
    assert raised.value.holder is None


def test_a_missing_group_is_named(create, server: AwsServer):
    server.answers(json_error("DeploymentGroupDoesNotExistException"))
    with pytest.raises(GroupUnknown):
        create()


def test_expired_credentials_are_no_unclear_deployment(create, server: AwsServer):
    server.answers(json_error("ExpiredTokenException"))
    with pytest.raises(service_errors.CredentialsExpired):
        create()
