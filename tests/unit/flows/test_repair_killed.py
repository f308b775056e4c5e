"""A repair that is killed at any call, and the same command again: mended all the same, and nothing done twice."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import replace

import pytest

from deployctl.model.deployment import DeploymentStatus
from deployctl.model.fleet import TAG_VERSION
from deployctl.model.release import parse_budget, parse_strategy
from tests.fakes.releasing import STEADY, Desk, Wire

Scene = Callable[[], Desk]

# Fewer polls than usual: one poll's calls are like another's.
RARELY = replace(STEADY, poll_min_s=15.0, poll_max_s=30.0)


def late_ones() -> Desk:
    """Workers that nothing was deployed to, and one whose tag lies."""
    desk = Desk({"audio": 2, "video": 3}, strategies={"video": "one"})
    desk.release()
    for group in ("audio", "video"):
        desk.cloud.fleet.groups[f"asg-{group}"].hooks.clear()
        desk.cloud.scale(group, +1)
    desk.cloud.clock.sleep(300)
    lied = desk.cloud.instance_ids("audio")[0]
    desk.cloud.tag([lied], {TAG_VERSION: "v1", "deployctl:deployed-at": "2026-03-01T14:00:00Z"})
    return desk


def misled() -> Desk:
    """Somebody has deployed to one worker of three alone: CodeDeploy takes the others for outdated."""
    desk = Desk({"video": 3}, strategy="half")
    desk.release()
    desk.cloud.deploy_to_first("video", "v3")
    return desk


def silent_ones() -> Desk:
    """Two workers that do not answer, of which one may be down at a time."""
    desk = Desk({"video": 4})
    desk.rule("video", max_failed=parse_budget("2"))
    for instance_id in desk.cloud.instance_ids("video")[1:3]:
        desk.cloud.plant("agent-silent", instance=instance_id)
    desk.release()
    desk.rule("video", strategy=parse_strategy("one"))
    return desk


SCENES = [late_ones, misled, silent_ones]


def kills(scene: Scene, *, after: bool, every: int, offset: int) -> int:
    """Kill at every so-manieth call; how many calls there are in all."""
    number = 1 + offset
    while True:
        desk = scene()
        desk.pace = RARELY
        before = Before(desk)
        wire = desk.killed_at(number, after=after, verb=lambda w, d=desk: d.fix(replaces=True, wire=w))
        if len(wire.calls) < number:
            return len(wire.calls)
        where = f"killed {'after' if after else 'before'} call {number}, {wire.calls[number - 1]}"
        desk.fix(replaces=True)
        # What Auto Scaling was asked for comes about by itself.
        desk.cloud.clock.sleep(600)
        before.assert_mended_once(desk, where)
        number += every


class Before:
    """The fleet before it was repaired, to tell what the repair has done."""

    def __init__(self, desk: Desk) -> None:
        self.seq = desk.cloud.events()[-1].seq
        self.groups = [g for g in ("audio", "video") if f"asg-{g}" in desk.cloud.fleet.groups]
        self.serving = {g: len(desk.cloud.instance_ids(g)) for g in self.groups}
        self.silent = {f.instance for f in desk.cloud.world.faults.worker if f.kind == "agent-silent"}

    def assert_mended_once(self, desk: Desk, where: str) -> None:
        drifted = {w.instance_id: w.cause for w in desk.reconcile().values() if w.category.is_drift}
        assert drifted == {}, where
        assert desk.state.under_way is None, where
        assert not desk.leases.held, where
        for group in self.groups:
            assert set(desk.versions(group)) == {"v2"}, where
            assert len(desk.cloud.instance_ids(group)) == self.serving[group], where
            ours = [d for d in desk.cloud.deployments_of(group) if " repairs=" in d.description]
            good = [d for d in ours if d.status is DeploymentStatus.SUCCEEDED]
            assert len(good) == (0 if self.silent else 1), where
            assert_one_after_the_other(ours, where)
        for release_id in desk.journal.releases():
            written = desk.journal._entries[release_id]
            assert sorted(written) == list(range(1, len(written) + 1)), where
            assert written[1]["kind"] == "intention", where
            # One that was killed before the state named it has begun nothing.
            begun = any(entry["kind"] not in ("intention", "repair") for entry in written.values())
            assert not begun or written[len(written)]["kind"] == "finished", where
        self.assert_each_replaced_once(desk, where)

    def assert_each_replaced_once(self, desk: Desk, where: str) -> None:
        events = desk.cloud.events("instance-in-service", "instance-terminating")
        events = [e for e in events if e.seq > self.seq]
        gone = [e.fields["instance_id"] for e in events if e.kind == "instance-terminating"]
        assert sorted(gone) == sorted(self.silent), where
        serving = sum(self.serving.values())
        for happened in events:
            serving += 1 if happened.kind == "instance-in-service" else -1
            assert serving >= sum(self.serving.values()) - 1, where


def assert_one_after_the_other(deployments: list, where: str) -> None:
    for one, next_one in itertools.pairwise(deployments):
        assert one.completed_at <= next_one.created_at, where


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize(
    ("scene", "every"), [(late_ones, 19), (misled, 23), (silent_ones, 19)], ids=["late", "misled", "silent"]
)
def test_a_killed_repair_is_finished_by_the_same_command(scene: Scene, every: int, after: bool):  # noqa: FBT001
    assert kills(scene, after=after, every=every, offset=13 if after else 4) > 2 * every


def unresumed() -> Desk:
    """A worker that is behind in a group whose scaling processes CodeDeploy will not be able to resume."""
    desk = late_ones()
    desk.policy(suspend_scaling=True)
    desk.cloud.plant("resume-fails", group="video", times=1)
    return desk


def test_what_codedeploy_leaves_suspended_is_resumed_though_the_repair_is_killed_just_before_it_would():
    whole = Wire()
    unresumed().fix("video", wire=whole)
    desk = unresumed()
    desk.killed_at(whole.calls.index("scaling.resume") + 1, verb=lambda w: desk.fix("video", wire=w))
    assert desk.cloud.fleet.groups["asg-video"].suspended
    desk.fix("video")
    assert desk.cloud.fleet.groups["asg-video"].suspended == {}


@pytest.mark.soak
@pytest.mark.timeout(3_600)
@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("scene", SCENES, ids=lambda scene: scene.__name__)
def test_a_repair_killed_at_every_single_call_is_finished_by_the_same_command(scene: Scene, after: bool):  # noqa: FBT001
    kills(scene, after=after, every=1, offset=0)
