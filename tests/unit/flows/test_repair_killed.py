"""A repair that is killed at any call, then run again: everything is fixed, and nothing is done twice."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import replace

import pytest

from deployctl.model.deployment import DeploymentStatus
from deployctl.model.fleet import TAG_VERSION
from deployctl.model.strategy import parse_budget, parse_strategy
from deployctl.sandbox.faults import WorkerFault
from tests.fakes.releasing import STEADY, CallRecorder, ReleaseHarness

Scene = Callable[[], ReleaseHarness]

# Fewer polls than usual: one poll's calls are like another's.
RARELY = replace(STEADY, poll_min_s=15.0, poll_max_s=30.0)


def late_ones() -> ReleaseHarness:
    """Workers that nothing was deployed to, and one whose tag lies."""
    harness = ReleaseHarness({"audio": 2, "video": 3}, strategies={"video": "one"})
    harness.release()
    for group in ("audio", "video"):
        harness.cloud.fleet.groups[f"asg-{group}"].hooks.clear()
        harness.cloud.scale(group, +1)
    harness.cloud.clock.sleep(300)
    lied = harness.cloud.instance_ids("audio")[0]
    harness.cloud.tag([lied], {TAG_VERSION: "v1", "deployctl:deployed-at": "2026-03-01T14:00:00Z"})
    return harness


def misled() -> ReleaseHarness:
    """Another deployment went to one worker of three: CodeDeploy takes the others for outdated."""
    harness = ReleaseHarness({"video": 3}, strategy="half")
    harness.release()
    harness.cloud.deploy_to_first("video", "v3")
    return harness


def silent_ones() -> ReleaseHarness:
    """Two workers that do not answer, of which one may be down at a time."""
    harness = ReleaseHarness({"video": 4})
    harness.rule("video", max_failed=parse_budget("2"))
    for instance_id in harness.cloud.instance_ids("video")[1:3]:
        harness.cloud.inject("agent-silent", instance=instance_id)
    harness.release()
    harness.rule("video", strategy=parse_strategy("one"))
    return harness


SCENES = [late_ones, misled, silent_ones]


def kills(scene: Scene, *, after: bool, every: int, offset: int) -> int:
    """Kill at every so-manieth call; how many calls there are in all."""
    number = 1 + offset
    while True:
        harness = scene()
        harness.pace = RARELY
        before = Before(harness)
        wire = harness.killed_at(number, after=after, verb=lambda w, d=harness: d.fix(replaces=True, wire=w))
        if len(wire.calls) < number:
            return len(wire.calls)
        where = f"killed {'after' if after else 'before'} call {number}, {wire.calls[number - 1]}"
        harness.fix(replaces=True)
        # What Auto Scaling was asked for comes about by itself.
        harness.cloud.clock.sleep(600)
        before.assert_fixed_once(harness, where)
        number += every


class Before:
    """The fleet before it was repaired, to show what the repair has done."""

    def __init__(self, harness: ReleaseHarness) -> None:
        self.seq = harness.cloud.events()[-1].seq
        self.groups = [g for g in ("audio", "video") if f"asg-{g}" in harness.cloud.fleet.groups]
        self.serving = {g: len(harness.cloud.instance_ids(g)) for g in self.groups}
        faults = harness.cloud.world.faults.of(WorkerFault)
        self.silent = {f.instance for f in faults if f.kind == "agent-silent"}

    def assert_fixed_once(self, harness: ReleaseHarness, where: str) -> None:
        drifted = {w.instance_id: w.cause for w in harness.reconcile().values() if w.category.is_drift}
        assert drifted == {}, where
        assert harness.state.in_progress is None, where
        assert not harness.leases.held, where
        for group in self.groups:
            assert set(harness.versions(group)) == {"v2"}, where
            assert len(harness.cloud.instance_ids(group)) == self.serving[group], where
            ours = [d for d in harness.cloud.deployments_of(group) if " repairs=" in d.description]
            good = [d for d in ours if d.status is DeploymentStatus.SUCCEEDED]
            assert len(good) == (0 if self.silent else 1), where
            assert_one_after_the_other(ours, where)
        for release_id in harness.journal.release_ids():
            written = harness.journal._entries[release_id]
            assert sorted(written) == list(range(1, len(written) + 1)), where
            assert written[1]["kind"] == "intent", where
            # One that was killed before the state named it has begun nothing.
            begun = any(entry["kind"] not in ("intent", "repair") for entry in written.values())
            assert not begun or written[len(written)]["kind"] == "finished", where
        self.assert_each_replaced_once(harness, where)

    def assert_each_replaced_once(self, harness: ReleaseHarness, where: str) -> None:
        events = harness.cloud.events("instance-in-service", "instance-terminating")
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
    ("scene", "every"), [(late_ones, 41), (misled, 53), (silent_ones, 51)], ids=["late", "misled", "silent"]
)
def test_a_killed_repair_is_finished_by_the_same_command(scene: Scene, every: int, after: bool):  # noqa: FBT001
    assert kills(scene, after=after, every=every, offset=13 if after else 4) > 2 * every


def unresumed() -> ReleaseHarness:
    """A worker that is behind in a group whose scaling processes CodeDeploy will not be able to resume."""
    harness = late_ones()
    harness.policy(suspend_scaling=True)
    harness.cloud.inject("resume-fails", group="video", times=1)
    return harness


def test_what_codedeploy_leaves_suspended_is_resumed_though_the_repair_is_killed_just_before_it_would():
    whole = CallRecorder()
    unresumed().fix("video", wire=whole)
    harness = unresumed()
    harness.killed_at(whole.calls.index("scaling.resume") + 1, verb=lambda w: harness.fix("video", wire=w))
    assert harness.cloud.fleet.groups["asg-video"].suspended
    harness.fix("video")
    assert harness.cloud.fleet.groups["asg-video"].suspended == {}


@pytest.mark.soak
@pytest.mark.timeout(3_600)
@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("scene", SCENES, ids=lambda scene: scene.__name__)
def test_a_repair_killed_at_every_single_call_is_finished_by_the_same_command(scene: Scene, after: bool):  # noqa: FBT001
    kills(scene, after=after, every=1, offset=0)
