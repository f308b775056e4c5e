"""Instances that are set aside, taken out of their group alive, or brought into another."""

from __future__ import annotations

import pytest

from deployctl.sandbox.fleet.fleet import Fleet
from deployctl.sandbox.fleet.groups import LAUNCHING, AsgTag, Hook
from deployctl.sandbox.unsupported import Refused

LONG_S = 400.0
ASG_TAG = "aws:autoscaling:groupName"


@pytest.fixture
def fleet(world):
    fleet = Fleet(world)
    for name in ("mail", "video"):
        group = fleet.create_group(name, desired=3, max_size=4, tags=[AsgTag(key="Name", value=name)])
        for _ in range(3):
            fleet.seed_member(group, world.now())
    world.advance(60)
    return fleet


def states(fleet, name="mail"):
    return {member.instance_id: member.lifecycle_state for member in fleet.of(name)}


def first(fleet, name="mail"):
    return fleet.of(name)[0].instance_id


def last_activity(fleet, name="mail"):
    return fleet.group(name).activities[-1]


def test_an_instance_in_standby_stays_listed_and_does_not_count(fleet, world):
    aside = first(fleet)
    fleet.moves.enter_standby(fleet.group("mail"), [aside], shrink=True)
    assert states(fleet)[aside] == "EnteringStandby"
    world.advance(LONG_S)
    assert states(fleet)[aside] == "Standby"
    assert len(states(fleet)) == 3
    assert fleet.group("mail").desired == 2
    assert last_activity(fleet).description == f"Moving EC2 instance to Standby: {aside}"
    assert "shrinking the capacity from 3 to 2" in last_activity(fleet).cause
    assert last_activity(fleet).status == "Successful"


def test_without_shrinking_another_takes_its_place(fleet, world):
    fleet.moves.enter_standby(fleet.group("mail"), [first(fleet)], shrink=False)
    world.advance(LONG_S)
    assert sorted(states(fleet).values()) == ["InService"] * 3 + ["Standby"]


def test_out_of_standby_the_group_grows_and_no_launch_hook_holds_the_instance(fleet, world):
    aside = first(fleet)
    heard = []
    fleet.on_launch(lambda asg, instance_id: [heard.append(instance_id), True][1])
    fleet.group("mail").hooks["wait"] = Hook(name="wait", transition=LAUNCHING)
    fleet.moves.enter_standby(fleet.group("mail"), [aside], shrink=True)
    world.advance(LONG_S)
    fleet.moves.exit_standby(fleet.group("mail"), [aside])
    assert states(fleet)[aside] == "Pending"
    world.advance(LONG_S)
    assert states(fleet)[aside] == "InService"
    assert fleet.group("mail").desired == 3
    assert heard == []
    assert "moved out of standby" in last_activity(fleet).cause


def test_a_detached_instance_keeps_running_without_the_groups_own_tag(fleet, world):
    gone = first(fleet)
    fleet.moves.detach(fleet.group("mail"), [gone], shrink=True)
    world.advance(LONG_S)
    instance = fleet.instances.get(gone)
    assert instance.state == "running"
    assert instance.tags["Name"] == "mail"
    assert ASG_TAG not in instance.tags
    assert gone not in states(fleet)
    assert len(states(fleet)) == 2


def test_without_shrinking_a_detached_instance_is_replaced(fleet, world):
    fleet.moves.detach(fleet.group("mail"), [first(fleet)], shrink=False)
    world.advance(LONG_S)
    assert list(states(fleet).values()) == ["InService"] * 3


def test_an_attached_instance_carries_its_new_groups_tags_and_is_not_launched_again(fleet, world):
    moved = first(fleet)
    heard = []
    fleet.on_launch(lambda asg, instance_id: [heard.append(instance_id), True][1])
    fleet.moves.detach(fleet.group("mail"), [moved], shrink=True)
    world.advance(LONG_S)
    fleet.moves.attach(fleet.group("video"), [moved])
    world.advance(LONG_S)
    instance = fleet.instances.get(moved)
    assert states(fleet, "video")[moved] == "InService"
    assert (instance.tags["Name"], instance.tags[ASG_TAG]) == ("video", "video")
    assert fleet.group("video").desired == 4
    assert heard == []
    assert last_activity(fleet, "video").description == f"Attaching an existing EC2 instance: {moved}"


def test_a_detached_instance_that_ends_leaves_no_group_with_a_gap(fleet, world):
    gone = first(fleet)
    fleet.moves.detach(fleet.group("mail"), [gone], shrink=True)
    world.advance(LONG_S)
    fleet.terminate([gone])
    world.advance(LONG_S)
    assert fleet.instances.get(gone).state == "terminated"
    assert len(states(fleet)) == 2


@pytest.mark.parametrize(
    ("move", "words"),
    [
        (lambda f, i: f.moves.enter_standby(f.group("mail"), ["i-0aa"], shrink=True), "is not part of"),
        (lambda f, i: f.moves.exit_standby(f.group("mail"), [i]), "is not in Standby"),
        (lambda f, i: f.moves.detach(f.group("video"), [i], shrink=True), "is not part of"),
        (lambda f, i: f.moves.attach(f.group("video"), [i]), "is already part of"),
        (lambda f, i: f.moves.attach(f.group("video"), ["i-0123456789abcdef0"]), "does not exist"),
        (lambda f, i: f.moves.detach(f.group("mail"), [], shrink=True), "Between 1 and 20"),
    ],
)
def test_an_invalid_move_is_refused_and_moves_nothing(fleet, move, words):
    before = states(fleet)
    with pytest.raises(Refused, match=words):
        move(fleet, first(fleet))
    assert states(fleet) == before


def test_a_group_does_not_shrink_below_its_minimum_size(fleet):
    fleet.group("mail").min_size = 3
    with pytest.raises(Refused, match=r"min-size=3, max-size=4, and desired-size=3\. To detach 1 instance"):
        fleet.moves.detach(fleet.group("mail"), [first(fleet)], shrink=True)


def test_tags_may_be_described_late(fleet, world):
    late, soon = list(states(fleet))[:2]
    world.faults.inject("tags-late", instance=late)
    fleet.instances.tag([late, soon], {"deployctl:version": "v2"})
    world.advance(9)
    assert "deployctl:version" not in fleet.instances.get(late).tags
    assert fleet.instances.get(soon).tags["deployctl:version"] == "v2"
    world.advance(2)
    assert fleet.instances.get(late).tags["deployctl:version"] == "v2"
