"""Operations that people type and boto3's waiters call: each answers as AWS does."""

from __future__ import annotations

import subprocess
import sys

import pytest
from botocore.exceptions import ClientError

GROUP = "shop-mail-send"


@pytest.fixture
def own(start_sandbox):
    """A sandbox of this file's own, whose fleet may change."""
    return start_sandbox(groups=1, workers=3, seed=31, speed=600.0)


def only_group(sandbox):
    return sandbox.client("autoscaling").describe_auto_scaling_groups()["AutoScalingGroups"][0]


def code(caught):
    return caught.value.response["Error"]["Code"]


def test_the_status_of_running_instances_passes_both_checks(ec2, problems):
    response = ec2.describe_instance_status()
    assert problems(ec2, "DescribeInstanceStatus", response) == []
    ids = [status["InstanceId"] for status in response["InstanceStatuses"]]
    assert {s["InstanceStatus"]["Status"] for s in response["InstanceStatuses"]} == {"ok"}
    ec2.get_waiter("instance_status_ok").wait(InstanceIds=ids[:2])
    stopped = [{"Name": "instance-state-name", "Values": ["stopped"]}]
    assert ec2.describe_instance_status(Filters=stopped)["InstanceStatuses"] == []
    with pytest.raises(ClientError) as caught:
        ec2.describe_instance_status(InstanceIds=["i-0123456789abcdef0"])
    assert code(caught) == "InvalidInstanceID.NotFound"


def test_ec2s_waiters_see_instances_run_and_end(own):
    ec2 = own.client("ec2")
    first = only_group(own)["Instances"][0]["InstanceId"]
    often = {"Delay": 1, "MaxAttempts": 20}
    ec2.get_waiter("instance_running").wait(InstanceIds=[first], WaiterConfig=often)
    ec2.terminate_instances(InstanceIds=[first])
    ec2.get_waiter("instance_terminated").wait(InstanceIds=[first], WaiterConfig=often)
    assert ec2.describe_instance_status(InstanceIds=[first])["InstanceStatuses"] == []
    (status,) = ec2.describe_instance_status(InstanceIds=[first], IncludeAllInstances=True)[
        "InstanceStatuses"
    ]
    assert status["InstanceState"]["Name"] == "terminated"


def test_instances_are_described_with_their_groups(autoscaling, problems):
    response = autoscaling.describe_auto_scaling_instances()
    assert problems(autoscaling, "DescribeAutoScalingInstances", response) == []
    found = response["AutoScalingInstances"]
    assert len(found) == 18
    assert {each["HealthStatus"] for each in found} == {"HEALTHY"}
    one = autoscaling.describe_auto_scaling_instances(InstanceIds=[found[0]["InstanceId"], "i-unknown"])
    assert one["AutoScalingInstances"] == [found[0]]


def test_what_no_group_has_is_an_empty_list(autoscaling):
    assert autoscaling.describe_policies()["ScalingPolicies"] == []
    assert autoscaling.describe_policies(AutoScalingGroupName=GROUP)["ScalingPolicies"] == []
    assert autoscaling.describe_scheduled_actions()["ScheduledUpdateGroupActions"] == []
    with pytest.raises(ClientError) as caught:
        autoscaling.describe_policies(AutoScalingGroupName="nowhere")
    assert code(caught) == "ValidationError"


def test_a_heartbeat_keeps_an_instance_and_completing_lets_it_go(own, until):
    autoscaling = own.client("autoscaling")
    name = only_group(own)["AutoScalingGroupName"]
    hook = {"AutoScalingGroupName": name, "LifecycleHookName": "drain"}
    autoscaling.put_lifecycle_hook(
        **hook, LifecycleTransition="autoscaling:EC2_INSTANCE_TERMINATING", HeartbeatTimeout=1800
    )
    instance = only_group(own)["Instances"][0]["InstanceId"]
    action = {**hook, "InstanceId": instance}
    with pytest.raises(ClientError, match="No active Lifecycle Action found") as caught:
        autoscaling.record_lifecycle_action_heartbeat(**action)
    assert code(caught) == "ValidationError"
    autoscaling.terminate_instance_in_auto_scaling_group(
        InstanceId=instance, ShouldDecrementDesiredCapacity=False
    )

    def state():
        found = autoscaling.describe_auto_scaling_instances(InstanceIds=[instance])["AutoScalingInstances"]
        return found[0]["LifecycleState"] if found else "gone"

    until(lambda: state() == "Terminating:Wait")
    autoscaling.record_lifecycle_action_heartbeat(**action)
    autoscaling.complete_lifecycle_action(**action, LifecycleActionResult="CONTINUE")
    until(lambda: state() == "gone")
    autoscaling.delete_lifecycle_hook(**hook)


def test_an_instance_refresh_replaces_every_instance(own, until, problems):
    autoscaling = own.client("autoscaling")
    name = only_group(own)["AutoScalingGroupName"]
    before = {each["InstanceId"] for each in only_group(own)["Instances"]}
    started = autoscaling.start_instance_refresh(
        AutoScalingGroupName=name, Preferences={"MinHealthyPercentage": 50}
    )
    with pytest.raises(ClientError) as caught:
        autoscaling.start_instance_refresh(AutoScalingGroupName=name)
    assert code(caught) == "InstanceRefreshInProgress"

    def refresh():
        response = autoscaling.describe_instance_refreshes(AutoScalingGroupName=name)
        assert problems(autoscaling, "DescribeInstanceRefreshes", response) == []
        return response["InstanceRefreshes"][0]

    until(lambda: refresh()["Status"] == "Successful")
    assert refresh()["InstanceRefreshId"] == started["InstanceRefreshId"]
    assert refresh()["PercentageComplete"] == 100
    assert not before & {each["InstanceId"] for each in only_group(own)["Instances"]}
    with pytest.raises(ClientError) as caught:
        autoscaling.cancel_instance_refresh(AutoScalingGroupName=name)
    assert code(caught) == "ActiveInstanceRefreshNotFound"


def test_aws_in_a_shell_is_answered(sandbox):
    for command in (
        "deploy list-deployment-configs",
        "deploy batch-get-applications --application-names shop",
        "autoscaling describe-policies",
        "ec2 describe-instance-status",
        "ec2 wait instance-running",
    ):
        done = subprocess.run(
            [sys.executable, "-m", "awscli", *command.split()],
            env=sandbox.env,
            capture_output=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
