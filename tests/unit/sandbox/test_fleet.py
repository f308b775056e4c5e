"""Instances on their way through a group: launched, held, taken out, reclaimed, replaced, forgotten."""

from __future__ import annotations

import pytest

from deployctl.sandbox.fleet.fleet import Fleet
from deployctl.sandbox.fleet.groups import TERMINATING, AsgTag, Hook
from deployctl.sandbox.unsupported import Refused

LONG_S = 400.0


@pytest.fixture
def fleet(world):
    fleet = Fleet(world)
    group = fleet.create_group("mail", desired=3, max_size=5, tags=[AsgTag(key="Name", value="mail")])
    for _ in range(3):
        fleet.seed_member(group, world.now())
    world.advance(60)
    return fleet


def states(fleet):
    return {member.instance_id: member.lifecycle_state for member in fleet.of("mail")}


def first(fleet):
    return fleet.of("mail")[0].instance_id


def causes(fleet):
    return [activity.cause for activity in fleet.group("mail").activities]


def test_a_seeded_group_is_in_service_and_stays_as_it_is(fleet, world):
    before = states(fleet)
    world.advance(10_000)
    assert states(fleet) == before
    assert set(before.values()) == {"InService"}


def test_a_raised_capacity_launches_instances_that_carry_the_groups_tags(fleet, world):
    fleet.set_desired("mail", 5)
    world.advance(11)
    assert list(states(fleet).values()) == ["InService"] * 3 + ["Pending"] * 2
    world.advance(LONG_S)
    assert list(states(fleet).values()) == ["InService"] * 5
    newest = fleet.instances.get(fleet.of("mail")[-1].instance_id)
    assert newest.tags["Name"] == "mail"
    assert newest.tags["aws:autoscaling:groupName"] == "mail"
    assert "changing the desired capacity from 3 to 5" in causes(fleet)[-1]
    assert "increasing the capacity from 3 to 5" in causes(fleet)[-1]


def test_tags_changed_later_do_not_reach_instances_that_run(fleet, world):
    fleet.group("mail").tags["Name"] = AsgTag(key="Name", value="other")
    world.advance(LONG_S)
    assert {fleet.instances.get(i).tags["Name"] for i in states(fleet)} == {"mail"}


def test_a_lowered_capacity_terminates_the_oldest_with_the_cause(fleet, world):
    oldest = first(fleet)
    fleet.set_desired("mail", 2)
    world.advance(LONG_S)
    assert oldest not in states(fleet)
    assert len(states(fleet)) == 2
    assert fleet.instances.get(oldest).state == "terminated"
    assert fleet.instances.get(oldest).reason.code == "Client.UserInitiatedShutdown"
    assert f"instance {oldest} was selected for termination" in causes(fleet)[-1]


def test_scale_in_spares_protected_instances(fleet, world):
    oldest = first(fleet)
    fleet.group("mail").slots[oldest].protected = True
    fleet.set_desired("mail", 2)
    world.advance(LONG_S)
    assert oldest in states(fleet)


def test_a_reclaimed_instance_dies_after_its_notice_and_is_replaced(fleet, world):
    lost = first(fleet)
    gone = []
    fleet.on_gone(lambda asg, instance_id: gone.append((asg, instance_id)))
    fleet.reclaim([lost], notice_s=120)
    world.advance(119)
    assert fleet.is_running(lost)
    world.advance(2)
    assert not fleet.is_running(lost)
    assert gone == [("mail", lost)]
    assert fleet.instances.get(lost).reason.code == "Server.SpotInstanceTermination"
    world.advance(LONG_S)
    assert lost not in states(fleet)
    assert list(states(fleet).values()) == ["InService"] * 3
    assert "indicating it has been terminated or stopped" in causes(fleet)[0]
    assert "increasing the capacity from 2 to 3" in causes(fleet)[1]


def test_a_terminate_hook_does_not_stop_a_spot_reclaim(fleet, world):
    fleet.group("mail").hooks["drain"] = Hook(name="drain", transition=TERMINATING)
    asked = []
    fleet.on_terminating(lambda asg, instance_id: bool(asked.append(instance_id)))
    lost = first(fleet)
    fleet.reclaim([lost], notice_s=0)
    world.advance(LONG_S)
    assert asked == []
    assert lost not in states(fleet)


def test_an_unhealthy_instance_is_replaced(fleet, world):
    sick = first(fleet)
    fleet.set_health(sick, healthy=False)
    world.advance(LONG_S)
    assert sick not in states(fleet)
    assert len(states(fleet)) == 3
    assert "in response to a user health-check" in causes(fleet)[0]


@pytest.mark.parametrize("process", ["ReplaceUnhealthy", "Terminate", "HealthCheck"])
def test_a_suspended_process_keeps_unhealthy_instances_until_it_is_resumed(fleet, world, process):
    sick = first(fleet)
    fleet.suspend("mail", [process])
    fleet.set_health(sick, healthy=False)
    world.advance(LONG_S)
    assert states(fleet)[sick] == "InService"
    fleet.resume("mail", [process])
    world.advance(LONG_S)
    assert sick not in states(fleet)


def test_a_group_with_terminate_suspended_terminates_nothing_until_it_is_resumed(fleet, world):
    fleet.suspend("mail", ["Terminate"])
    fleet.set_desired("mail", 1)
    world.advance(LONG_S)
    assert list(states(fleet).values()) == ["InService"] * 3
    fleet.resume("mail", ["Terminate"])
    world.advance(LONG_S)
    assert list(states(fleet).values()) == ["InService"]


def test_a_reclaimed_instance_is_not_replaced_while_terminate_is_suspended(fleet, world):
    fleet.suspend("mail", ["Terminate"])
    before, victim = set(states(fleet)), first(fleet)
    fleet.reclaim([victim], notice_s=0)
    world.advance(LONG_S)
    assert set(states(fleet)) == before
    assert not fleet.is_running(victim)
    fleet.resume("mail", ["Terminate"])
    world.advance(LONG_S)
    assert victim not in states(fleet)
    assert list(states(fleet).values()) == ["InService"] * 3


def test_a_group_with_launch_suspended_launches_nothing(fleet, world):
    fleet.suspend("mail", ["Launch"])
    fleet.set_desired("mail", 4)
    world.advance(LONG_S)
    assert len(states(fleet)) == 3
    fleet.resume("mail", [])
    world.advance(LONG_S)
    assert len(states(fleet)) == 4


def test_a_listener_holds_a_launch_until_it_is_completed(fleet, world):
    fleet.on_launch(lambda asg, instance_id: True)
    fleet.set_desired("mail", 4)
    world.advance(LONG_S)
    new = fleet.of("mail")[-1].instance_id
    assert states(fleet)[new] == "Pending:Wait"
    assert fleet.is_running(new)
    fleet.complete_launch("mail", new, proceed=True)
    assert states(fleet)[new] == "InService"


def test_an_abandoned_launch_is_terminated_and_tried_again(fleet, world):
    fleet.on_launch(lambda asg, instance_id: True)
    fleet.set_desired("mail", 4)
    world.advance(100)
    new = fleet.of("mail")[-1].instance_id
    fleet.complete_launch("mail", new, proceed=False)
    world.advance(100)
    assert new not in states(fleet)
    assert fleet.of("mail")[-1].lifecycle_state == "Pending:Wait"
    assert "ABANDON" in fleet.group("mail").activities[0].message


def test_an_instance_taken_out_waits_for_its_listener(fleet, world):
    fleet.on_terminating(lambda asg, instance_id: True)
    oldest = first(fleet)
    fleet.set_desired("mail", 2)
    world.advance(LONG_S)
    assert states(fleet)[oldest] == "Terminating:Wait"
    assert fleet.is_running(oldest)
    fleet.complete_terminate("mail", oldest)
    assert not fleet.is_running(oldest)
    world.advance(LONG_S)
    assert oldest not in states(fleet)


def test_a_users_hook_runs_out_with_its_default_result(fleet, world):
    fleet.group("mail").hooks["drain"] = Hook(
        name="drain", transition=TERMINATING, heartbeat_s=300, result="CONTINUE"
    )
    oldest = first(fleet)
    fleet.set_desired("mail", 2)
    world.advance(200)
    assert states(fleet)[oldest] == "Terminating:Wait"
    world.advance(200)
    assert oldest not in states(fleet)


def test_a_user_completes_a_hook_by_its_name(fleet, world):
    fleet.group("mail").hooks["drain"] = Hook(name="drain", transition=TERMINATING)
    oldest = first(fleet)
    fleet.set_desired("mail", 2)
    world.advance(60)
    with pytest.raises(Refused, match="No active Lifecycle Action"):
        fleet.complete_action("mail", oldest, "other", proceed=True)
    fleet.complete_action("mail", oldest, "drain", proceed=True)
    world.advance(60)
    assert oldest not in states(fleet)


def test_a_heartbeat_begins_a_hooks_timeout_again(fleet, world):
    fleet.group("mail").hooks["drain"] = Hook(name="drain", transition=TERMINATING, heartbeat_s=100)
    oldest = first(fleet)
    fleet.take_out(oldest, shrink=False)
    world.advance(80)
    fleet.record_heartbeat("mail", oldest, "drain")
    world.advance(80)
    assert states(fleet)[oldest] == "Terminating:Wait"
    world.advance(60)
    assert oldest not in states(fleet)


def test_a_terminated_instance_is_described_for_an_hour(fleet, world):
    lost = first(fleet)
    fleet.terminate([lost])
    world.advance(3_600)
    assert fleet.instances.get(lost).state == "terminated"
    world.advance(60)
    assert fleet.instances.get(lost) is None


def test_capacity_outside_of_the_groups_bounds_is_refused(fleet):
    with pytest.raises(Refused, match="above max value 5"):
        fleet.set_desired("mail", 6)


def test_an_unknown_group_is_refused(fleet):
    with pytest.raises(Refused, match="AutoScalingGroup name not found"):
        fleet.set_desired("male", 1)


def test_the_same_seed_gives_the_same_instances(world):
    def ids():
        fleet = Fleet(world)
        group = fleet.create_group("a", desired=4, max_size=4)
        return [fleet.seed_member(group, world.now()).instance.instance_id for _ in range(4)]

    assert ids() == ids()
    assert len(set(ids())) == 4
