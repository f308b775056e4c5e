"""Answers of EC2 and Auto Scaling at different moments."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from deployctl.aws.fleet import READ_ATTEMPTS, AwsFleet, FleetInconsistent
from deployctl.aws.fleet_shapes import activity_of, escape_wildcards
from deployctl.aws.session import Aws
from deployctl.model.fleet import termination_causes
from deployctl.model.names import AsgName
from tests.fakes.aws_server import Answer, AwsServer, Request, xml_answer
from tests.fakes.clock import FakeClock

ASG = AsgName("mail")
NONE = xml_answer("<DescribeInstancesResponse><reservationSet/></DescribeInstancesResponse>")
ONE = xml_answer(
    "<DescribeInstancesResponse><reservationSet><item><instancesSet><item><instanceId>i-1</instanceId>"
    "<instanceState><name>pending</name></instanceState><launchTime>2026-01-02T03:04:05Z</launchTime>"
    "<reason>User initiated (2026-01-02 03:04:05 GMT)</reason>"
    "<tagSet><item><key>aws:autoscaling:groupName</key><value>mail</value></item></tagSet>"
    "</item></instancesSet></item></reservationSet></DescribeInstancesResponse>"
)
GROUPS = xml_answer(
    "<DescribeAutoScalingGroupsResponse><DescribeAutoScalingGroupsResult><AutoScalingGroups><member>"
    "<AutoScalingGroupName>mail</AutoScalingGroupName><Instances><member><InstanceId>i-1</InstanceId>"
    "<LifecycleState>Pending:Wait</LifecycleState><HealthStatus>Healthy</HealthStatus>"
    "<ProtectedFromScaleIn>true</ProtectedFromScaleIn></member></Instances></member></AutoScalingGroups>"
    "</DescribeAutoScalingGroupsResult></DescribeAutoScalingGroupsResponse>"
)


def described_after(times: int):
    """EC2 describes the instance only when asked for the time after these."""
    asked = iter(range(1_000))

    def answer(request: Request) -> Answer:
        if request.operation == "DescribeAutoScalingGroups":
            return GROUPS
        return ONE if next(asked) >= times else NONE

    return answer


def test_an_instance_launched_between_the_two_calls_is_not_missed(aws: Aws, server: AwsServer):
    server.answer_by = described_after(1)
    (found,) = AwsFleet(aws).instances([ASG])
    assert (found.instance_id, found.state, found.lifecycle_state) == ("i-1", "pending", "Pending:Wait")
    assert found.is_protected
    assert not found.is_spot
    assert (found.state_reason_code, found.state_reason) == (None, "User initiated (2026-01-02 03:04:05 GMT)")
    assert server.requests[-1].form["Filter.1.Name"] == ["instance-id"]


def test_an_instance_that_ec2_describes_late_is_waited_for(aws: Aws, server: AwsServer, clock: FakeClock):
    server.answer_by = described_after(READ_ATTEMPTS)
    assert len(AwsFleet(aws).instances([ASG])) == 1
    assert len(clock.slept_s) == READ_ATTEMPTS - 1


def test_a_fleet_that_does_not_settle_is_not_half_reported(aws: Aws, server: AwsServer):
    server.answer_by = described_after(1_000)
    with pytest.raises(FleetInconsistent) as raised:
        AwsFleet(aws).instances([ASG])
    assert raised.value.noun == "i-1"


@pytest.mark.parametrize(
    ("name", "value"),
    [("mail", "mail"), ("a*b", r"a\*b"), ("a?", r"a\?"), ("a\\b", r"a\\b"), ("a[b]", "a[b]")],
)
def test_a_filter_value_matches_one_name_only(name: str, value: str):
    assert escape_wildcards(name) == value


@pytest.mark.parametrize(
    ("description", "instance_id"),
    [
        ("Terminating EC2 instance: i-0abc", "i-0abc"),
        ("Terminating EC2 instance: i-0abc - Waiting for ELB", "i-0abc"),
        ("Launching a new EC2 instance: i-0abc", None),
        ("", None),
    ],
)
def test_only_a_termination_removes_an_instance(description: str, instance_id: str | None):
    info = {
        "AutoScalingGroupName": "mail",
        "Description": description,
        "Cause": "a reason",
        "StatusCode": "Successful",
        "StartTime": datetime(2026, 1, 2, tzinfo=UTC),
    }
    assert termination_causes([activity_of(info)]) == ({instance_id: "a reason"} if instance_id else {})
