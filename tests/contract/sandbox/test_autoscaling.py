"""Auto Scaling as boto3 sees it."""

from __future__ import annotations

import pytest
from botocore.exceptions import ClientError

GROUP = "shop-mail-send"


def group(autoscaling, name=GROUP):
    return autoscaling.describe_auto_scaling_groups(AutoScalingGroupNames=[name])["AutoScalingGroups"][0]


def test_groups_have_the_shape_of_the_model(autoscaling, problems):
    response = autoscaling.describe_auto_scaling_groups()
    assert problems(autoscaling, "DescribeAutoScalingGroups", response) == []
    assert len(response["AutoScalingGroups"]) == 6


@pytest.mark.parametrize(("page", "most"), [({}, 50), ({"MaxRecords": 20}, 20), ({"MaxRecords": 100}, 100)])
def test_no_more_groups_can_be_named_than_a_page_holds(autoscaling, page, most):
    names = [GROUP, *(f"no-such-group-{number}" for number in range(most - 1))]
    found = autoscaling.describe_auto_scaling_groups(AutoScalingGroupNames=names, **page)
    assert [g["AutoScalingGroupName"] for g in found["AutoScalingGroups"]] == [GROUP]
    with pytest.raises(ClientError, match=f"is limited to {most}$") as caught:
        autoscaling.describe_auto_scaling_groups(AutoScalingGroupNames=[*names, "one-more"], **page)
    assert caught.value.response["Error"]["Code"] == "ValidationError"


def test_pages_hold_every_group_once_though_they_may_be_short(autoscaling):
    pages = list(
        autoscaling.get_paginator("describe_auto_scaling_groups").paginate(PaginationConfig={"PageSize": 3})
    )
    names = [g["AutoScalingGroupName"] for page in pages for g in page["AutoScalingGroups"]]
    assert [len(page["AutoScalingGroups"]) for page in pages] == [3, 2, 1]
    assert len(set(names)) == 6


def test_codedeploys_hook_is_on_every_group(autoscaling, problems):
    response = autoscaling.describe_lifecycle_hooks(AutoScalingGroupName=GROUP)
    assert problems(autoscaling, "DescribeLifecycleHooks", response) == []
    assert [hook["LifecycleTransition"] for hook in response["LifecycleHooks"]] == [
        "autoscaling:EC2_INSTANCE_LAUNCHING"
    ]


@pytest.fixture
def changing(start_sandbox):
    """A sandbox whose groups, of two each, these tests change: each one its own."""
    return start_sandbox(groups=6, workers=12, seed=12, speed=600.0)


def test_a_size_changes_and_the_activities_give_the_cause(changing, until, problems):
    autoscaling = changing.client("autoscaling")
    name = "shop-video-transcode"
    autoscaling.set_desired_capacity(AutoScalingGroupName=name, DesiredCapacity=4)

    def all_in_service():
        states = [i["LifecycleState"] for i in group(autoscaling, name)["Instances"]]
        return states == ["InService"] * 4

    until(all_in_service)
    response = autoscaling.describe_scaling_activities(AutoScalingGroupName=name)
    assert problems(autoscaling, "DescribeScalingActivities", response) == []
    assert [a["StatusCode"] for a in response["Activities"]] == ["Successful", "Successful"]
    assert all("increasing the capacity from 2 to 4" in a["Cause"] for a in response["Activities"])


def test_activities_come_newest_first_in_pages_that_hold_each_once(changing, until):
    autoscaling = changing.client("autoscaling")
    name = "shop-mail-send"
    autoscaling.set_desired_capacity(AutoScalingGroupName=name, DesiredCapacity=7)
    until(lambda: len(group(autoscaling, name)["Instances"]) == 7)
    pages = autoscaling.get_paginator("describe_scaling_activities").paginate(
        AutoScalingGroupName=name, PaginationConfig={"PageSize": 2}
    )
    activities = [activity for page in pages for activity in page["Activities"]]
    assert len({activity["ActivityId"] for activity in activities}) == len(activities) == 5
    starts = [activity["StartTime"] for activity in activities]
    assert starts == sorted(starts, reverse=True)


def test_terminating_an_instance_can_shrink_the_group(changing, until, problems):
    autoscaling = changing.client("autoscaling")
    name = "shop-image-resize"
    victim = group(autoscaling, name)["Instances"][0]["InstanceId"]
    response = autoscaling.terminate_instance_in_auto_scaling_group(
        InstanceId=victim, ShouldDecrementDesiredCapacity=True
    )
    assert problems(autoscaling, "TerminateInstanceInAutoScalingGroup", response) == []
    assert response["Activity"]["Cause"].endswith("user request, shrinking the capacity from 2 to 1.")
    until(lambda: len(group(autoscaling, name)["Instances"]) == 1)
    assert group(autoscaling, name)["DesiredCapacity"] == 1


def test_a_group_can_be_created_tagged_and_deleted(autoscaling, until):
    name = "a-group-of-its-own"
    autoscaling.create_auto_scaling_group(
        AutoScalingGroupName=name,
        MinSize=0,
        MaxSize=2,
        DesiredCapacity=1,
        AvailabilityZones=["eu-west-1b"],
        LaunchTemplate={"LaunchTemplateName": "workers", "Version": "1"},
        Tags=[{"Key": "team", "Value": "mail", "PropagateAtLaunch": False}],
    )
    assert [(tag["Key"], tag["PropagateAtLaunch"]) for tag in group(autoscaling, name)["Tags"]] == [
        ("team", False)
    ]
    until(lambda: len(group(autoscaling, name)["Instances"]) == 1)
    with pytest.raises(ClientError, match="ResourceInUse"):
        autoscaling.delete_auto_scaling_group(AutoScalingGroupName=name)
    autoscaling.delete_auto_scaling_group(AutoScalingGroupName=name, ForceDelete=True)
    assert autoscaling.describe_auto_scaling_groups(AutoScalingGroupNames=[name])["AutoScalingGroups"] == []


def test_suspended_processes_are_shown(autoscaling):
    autoscaling.suspend_processes(AutoScalingGroupName=GROUP, ScalingProcesses=["AZRebalance"])
    shown = group(autoscaling)["SuspendedProcesses"]
    autoscaling.resume_processes(AutoScalingGroupName=GROUP)
    assert [process["ProcessName"] for process in shown] == ["AZRebalance"]
    assert group(autoscaling)["SuspendedProcesses"] == []


@pytest.mark.parametrize(
    ("call", "asked", "code"),
    [
        ("set_desired_capacity", {"AutoScalingGroupName": "no", "DesiredCapacity": 1}, "ValidationError"),
        ("set_desired_capacity", {"AutoScalingGroupName": GROUP, "DesiredCapacity": 9999}, "ValidationError"),
        ("describe_auto_scaling_groups", {"MaxRecords": 101}, "ValidationError"),
        ("describe_auto_scaling_groups", {"NextToken": "nonsense"}, "InvalidNextToken"),
        ("describe_warm_pool", {"AutoScalingGroupName": GROUP}, "NotImplementedBySandbox"),
        (
            "update_auto_scaling_group",
            {"AutoScalingGroupName": GROUP, "DefaultCooldown": 1},
            "NotImplementedBySandbox",
        ),
    ],
)
def test_what_is_refused_is_refused_with_a_code(autoscaling, call, asked, code):
    with pytest.raises(ClientError) as caught:
        getattr(autoscaling, call)(**asked)
    assert caught.value.response["Error"]["Code"] == code


def names(autoscaling):
    return [
        g["AutoScalingGroupName"] for g in autoscaling.describe_auto_scaling_groups()["AutoScalingGroups"]
    ]


def test_an_instance_goes_into_standby_and_back(changing, until, problems):
    autoscaling = changing.client("autoscaling")
    name = names(autoscaling)[-3]
    aside = group(autoscaling, name)["Instances"][0]["InstanceId"]
    named = {"AutoScalingGroupName": name, "InstanceIds": [aside]}

    def state():
        return {i["InstanceId"]: i["LifecycleState"] for i in group(autoscaling, name)["Instances"]}[aside]

    entered = autoscaling.enter_standby(**named, ShouldDecrementDesiredCapacity=True)
    assert problems(autoscaling, "EnterStandby", entered) == []
    until(lambda: state() == "Standby")
    left = autoscaling.exit_standby(**named)
    assert problems(autoscaling, "ExitStandby", left) == []
    until(lambda: state() == "InService")


def test_an_instance_is_detached_and_attached_elsewhere(changing, until, problems):
    autoscaling, ec2 = changing.client("autoscaling"), changing.client("ec2")
    home, other = names(autoscaling)[-2:]
    moved = group(autoscaling, home)["Instances"][0]["InstanceId"]

    def tags():
        (found,) = ec2.describe_instances(InstanceIds=[moved])["Reservations"]
        return {t["Key"]: t["Value"] for t in found["Instances"][0]["Tags"]}

    detached = autoscaling.detach_instances(
        AutoScalingGroupName=home, InstanceIds=[moved], ShouldDecrementDesiredCapacity=True
    )
    assert problems(autoscaling, "DetachInstances", detached) == []
    until(lambda: "aws:autoscaling:groupName" not in tags())
    autoscaling.attach_instances(AutoScalingGroupName=other, InstanceIds=[moved])
    until(lambda: moved in {i["InstanceId"] for i in group(autoscaling, other)["Instances"]})
    assert tags()["aws:autoscaling:groupName"] == other
