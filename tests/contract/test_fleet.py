"""The FleetReader port over EC2 and Auto Scaling."""

from __future__ import annotations

import time

import pytest

from deployctl.aws.fleet import AwsFleet
from deployctl.aws.session import Aws
from deployctl.model.names import AsgName
from deployctl.model.refusals import UnknownAutoScalingGroup


@pytest.fixture
def fleet(aws: Aws) -> AwsFleet:
    return AwsFleet(aws)


def test_every_instance_of_the_groups_is_seen_and_no_other(fleet: AwsFleet, own):
    _, mail = own.add("mail", workers=3, tags={"deployctl:queue": "mail"})
    _, video = own.add("video", workers=2)
    own.add("other", workers=2)
    found = fleet.instances([mail, video, mail])
    assert [i.asg for i in found].count(mail) == 3
    assert [i.asg for i in found].count(video) == 2
    assert len(found) == 5
    one = next(i for i in found if i.asg == mail)
    assert one.state == "running"
    assert one.is_alive
    assert one.health == "Healthy"
    assert one.tags["deployctl:queue"] == "mail"
    assert one.launched_at.tzinfo is not None
    assert one.version is None


def test_no_groups_have_no_instances(fleet: AwsFleet, aws: Aws):
    assert fleet.instances([]) == []
    assert aws.calls.snapshot() == {}


def test_a_group_that_does_not_exist_is_named(fleet: AwsFleet, own):
    _, mail = own.add("mail", workers=1)
    with pytest.raises(UnknownAutoScalingGroup) as raised:
        fleet.instances([mail, AsgName("nowhere")])
    assert raised.value.asgs == ("nowhere",)
    assert raised.value.exit_code == 2


@pytest.mark.parametrize("strange", ["a*", "a?", "a[b]", "a\\b"])
def test_a_wildcard_in_a_groups_name_is_taken_literally(fleet: AwsFleet, own, strange: str):
    asg = own.add_asg(strange, workers=1)
    own.add_asg("ab", workers=1)
    assert [i.asg for i in fleet.instances([asg])] == [asg]


def test_an_instance_reclaimed_by_spot_is_seen_with_its_reason(fleet: AwsFleet, own):
    _, asg = own.add("mail", workers=2)
    victim = own.in_service(asg)[0]
    own.sandbox.control.reclaim([victim])
    deadline = time.monotonic() + 15
    while True:
        gone = next(i for i in fleet.instances([asg]) if i.instance_id == victim)
        if not gone.is_alive and gone.lifecycle_state is None:
            break
        assert time.monotonic() < deadline, gone
        time.sleep(0.1)
    assert gone.is_spot
    assert gone.state_reason_code == "Server.SpotInstanceTermination"
    assert gone.state_reason


def test_a_scaled_in_instance_has_auto_scalings_own_words(fleet: AwsFleet, own):
    _, asg = own.add("mail", workers=2)
    own.sandbox.client("autoscaling").set_desired_capacity(AutoScalingGroupName=asg, DesiredCapacity=1)
    deadline = time.monotonic() + 10
    while not (removals := fleet.removals([asg])):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert len(removals) == 1
    (instance_id, cause), *_ = removals.items()
    assert instance_id.startswith("i-")
    assert "shrinking the capacity" in cause


def test_the_groups_own_tags_are_read(fleet: AwsFleet, own):
    _, mail = own.add("mail", workers=0, tags={"deployctl:strategy": "half"})
    _, video = own.add("video", workers=0)
    assert fleet.group_tags([mail, video]) == {mail: {"deployctl:strategy": "half"}, video: {}}


def test_launch_hooks_are_told_from_others(fleet: AwsFleet, own):
    _, asg = own.add("mail", workers=0)
    autoscaling = own.sandbox.client("autoscaling")
    for name, transition in (("at-launch", "LAUNCHING"), ("at-end", "TERMINATING")):
        autoscaling.put_lifecycle_hook(
            AutoScalingGroupName=asg,
            LifecycleHookName=name,
            LifecycleTransition=f"autoscaling:EC2_INSTANCE_{transition}",
        )
    hooks = fleet.launch_hooks([asg])[asg]
    assert "at-launch" in hooks
    assert "at-end" not in hooks


def test_groups_are_asked_for_by_the_hundred(fleet: AwsFleet, aws: Aws):
    names = [AsgName(f"none-{number}") for number in range(250)]
    with pytest.raises(UnknownAutoScalingGroup):
        fleet.group_tags(names)
    assert aws.calls.snapshot() == {"autoscaling:DescribeAutoScalingGroups": 3}


def test_instances_are_asked_for_by_two_hundred_groups(fleet: AwsFleet, aws: Aws):
    names = [AsgName(f"none-{number}") for number in range(450)]
    with pytest.raises(UnknownAutoScalingGroup):
        fleet.instances(names)
    assert aws.calls.snapshot() == {"autoscaling:DescribeAutoScalingGroups": 5, "ec2:DescribeInstances": 3}
