"""The FleetReader port: the same cases over the fake and over EC2, and what only the adapter can show."""

from __future__ import annotations

import pytest

from deployctl.aws.fleet import AwsFleet
from deployctl.aws.session import Aws
from deployctl.model.fleet import Instance, termination_causes
from deployctl.model.names import AsgName, GroupName, InstanceId
from deployctl.model.port_errors import UnknownAutoScalingGroup
from deployctl.ports import FleetReader
from tests.contract.accounts import Account, OwnFleet, SimAccount


@pytest.fixture
def fleet(request: pytest.FixtureRequest, account: Account) -> FleetReader:
    if isinstance(account, SimAccount):
        return account.cloud
    return AwsFleet(request.getfixturevalue("aws"))


def test_exactly_the_instances_of_the_groups_are_read(fleet: FleetReader, account: Account):
    _, mail = account.add("mail", workers=3, tags={"deployctl:queue": "mail"})
    _, video = account.add("video", workers=2)
    account.add("other", workers=2)
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


def test_a_group_that_does_not_exist_is_named(fleet: FleetReader, account: Account):
    _, mail = account.add("mail", workers=1)
    with pytest.raises(UnknownAutoScalingGroup) as raised:
        fleet.instances([mail, AsgName("nowhere")])
    assert raised.value.asgs == ("nowhere",)
    assert raised.value.exit_code == 2


def test_an_instance_reclaimed_by_spot_has_its_reason(fleet: FleetReader, account: Account):
    _, asg = account.add("mail", workers=2)
    victim = account.in_service(asg)[0]
    account.reclaim(victim)

    def seen() -> Instance:
        return next(i for i in fleet.instances([asg]) if i.instance_id == victim)

    account.until(lambda: not seen().is_alive and seen().lifecycle_state is None)
    gone = seen()
    assert gone.is_spot
    assert gone.state_reason_code == "Server.SpotInstanceTermination"
    assert gone.state_reason


def test_a_scaled_in_instance_has_auto_scalings_own_words(fleet: FleetReader, account: Account):
    _, asg = account.add("mail", workers=2)
    account.set_desired(asg, 1)
    account.until(lambda: bool(termination_causes(fleet.activities([asg]))))
    removals = termination_causes(fleet.activities([asg]))
    assert len(removals) == 1
    (instance_id, cause), *_ = removals.items()
    assert instance_id.startswith("i-")
    assert "shrinking the capacity" in cause


def test_an_instance_is_found_by_its_id(fleet: FleetReader, account: Account):
    _, asg = account.add("mail", workers=2)
    wanted = account.in_service(asg)[1]
    found = fleet.instance(wanted)
    assert (found.instance_id, found.asg, found.lifecycle_state) == (wanted, asg, "InService")


@pytest.mark.parametrize("unknown", ["i-0123456789abcdef0", "i-*", "nonsense"])
def test_a_missing_instance_is_none(fleet: FleetReader, account: Account, unknown: str):
    account.add("mail", workers=1)
    assert fleet.instance(InstanceId(unknown)) is None


def test_a_detached_instance_is_found_by_its_group_tag(fleet: FleetReader, account: Account):
    group, asg = account.add("mail", workers=3)
    gone, here, _ = account.in_service(asg)
    own = GroupName(f"{account.application}/{group}")
    for instance_id in (gone, here):
        account.tag(instance_id, {"deployctl:group": own})
    account.detach(asg, gone)
    account.until(lambda: bool(fleet.detached([own], [])))
    (detached,) = fleet.detached([own], [here])
    assert (detached.instance_id, detached.asg, detached.lifecycle_state) == (gone, "", None)
    assert detached.is_alive
    assert fleet.detached([GroupName("another")], []) == []
    assert fleet.detached([own], [gone, here]) == []
    assert fleet.instance(gone).asg == ""


def test_a_groups_scaling_activities_name_their_instances(fleet: FleetReader, account: Account):
    _, home = account.add("mail", workers=2)
    _, other = account.add("video", workers=1)
    moved = account.in_service(home)[0]
    account.detach(home, moved)
    account.until(lambda: fleet.instance(moved).asg == "")
    account.attach(other, moved)
    account.until(lambda: moved in account.in_service(other))
    newest = fleet.activities([home])[0]
    assert newest.description == f"Detaching EC2 instance: {moved}"
    assert (newest.asg, newest.instance_id, newest.status) == (home, moved, "Successful")
    assert newest.began_at <= newest.ended_at
    assert not newest.is_return
    returned = [a for a in fleet.activities([home, other]) if a.is_return]
    assert [(a.asg, a.instance_id) for a in returned] == [(other, moved)]


def test_the_groups_own_tags_are_read(fleet: FleetReader, account: Account):
    _, mail = account.add("mail", workers=0, tags={"deployctl:strategy": "half"})
    _, video = account.add("video", workers=0)
    assert fleet.group_tags([mail, video]) == {mail: {"deployctl:strategy": "half"}, video: {}}


class TestOnAws:
    """What only the adapter can show: its calls, and names that a filter would take for patterns."""

    @pytest.fixture
    def fleet(self, aws: Aws) -> AwsFleet:
        return AwsFleet(aws)

    @pytest.mark.parametrize("strange", ["a*", "a?", "a[b]", "a\\b"])
    def test_a_wildcard_in_a_groups_name_is_taken_literally(
        self, fleet: AwsFleet, own: OwnFleet, strange: str
    ):
        asg = own.add_asg(strange, workers=1)
        own.add_asg("ab", workers=1)
        assert [i.asg for i in fleet.instances([asg])] == [asg]

    def test_no_groups_have_no_instances(self, fleet: AwsFleet, aws: Aws):
        assert fleet.instances([]) == []
        assert aws.calls.snapshot() == {}

    def test_only_launch_hooks_are_read(self, fleet: AwsFleet, own: OwnFleet):
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

    def test_of_workers_that_are_known_only_the_tags_are_read(self, fleet: AwsFleet, own: OwnFleet, aws: Aws):
        group, asg = own.add("mail", workers=2)
        known = own.in_service(asg)
        for instance_id in known:
            own.tag(instance_id, {"deployctl:group": group})
        assert fleet.detached([group], known) == []
        assert aws.calls.snapshot() == {"ec2:DescribeTags": 1}

    def test_groups_are_asked_for_by_the_hundred(self, fleet: AwsFleet, aws: Aws):
        names = [AsgName(f"none-{number}") for number in range(250)]
        with pytest.raises(UnknownAutoScalingGroup):
            fleet.group_tags(names)
        assert aws.calls.snapshot() == {"autoscaling:DescribeAutoScalingGroups": 3}

    def test_instances_are_asked_for_by_two_hundred_groups(self, fleet: AwsFleet, aws: Aws):
        names = [AsgName(f"none-{number}") for number in range(450)]
        with pytest.raises(UnknownAutoScalingGroup):
            fleet.instances(names)
        assert aws.calls.snapshot() == {
            "autoscaling:DescribeAutoScalingGroups": 5,
            "ec2:DescribeInstances": 3,
        }
