"""A release that is killed at any call, then run again: the same fleet, and no second deployment."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from deployctl.model.deployment import DeploymentStatus
from deployctl.model.port_errors import LeaseHeld
from deployctl.model.verdict import Verdict
from tests.fakes.releasing import STEADY, CallRecorder, Killed, ReleaseHarness

Scene = Callable[[], ReleaseHarness]


def quiet() -> ReleaseHarness:
    return ReleaseHarness({"audio": 2, "video": 3, "empty": 0}, strategies={"video": "one"})


def queued() -> ReleaseHarness:
    harness = ReleaseHarness({"audio": 2, "video": 2})
    harness.cloud.deploy("video", "v3")
    return harness


def reclaimed() -> ReleaseHarness:
    harness = ReleaseHarness({"audio": 2, "video": 3})
    lost = harness.cloud.instance_ids("video")[1]
    harness.cloud.at(20, lambda: harness.cloud.reclaim(lost))
    return harness


def scaled_out() -> ReleaseHarness:
    harness = ReleaseHarness({"video": 2})
    harness.cloud.at(5, lambda: harness.cloud.scale("video", +1))
    return harness


def in_waves() -> ReleaseHarness:
    """A canary that bakes, then the rest, with scaling processes suspended by the way."""
    harness = ReleaseHarness({"audio": 2, "video": 3})
    harness.rule("video", wave=1)
    harness.policy(bake_s=40, suspend_scaling=True)
    return harness


SCENES = [quiet, queued, reclaimed, scaled_out, in_waves]
# Fewer polls than usual: one poll's calls are like another's.
RARELY = replace(STEADY, poll_min_s=8.0, poll_max_s=15.0)
EVERY = 6


def kills(scene: Scene, *, after: bool, every: int, offset: int) -> None:
    number = 1 + offset
    while True:
        harness = scene()
        harness.pace = RARELY
        wire = harness.killed_at(number, after=after)
        if len(wire.calls) < number:
            return
        where = f"killed {'after' if after else 'before'} call {number}, {wire.calls[number - 1]}"
        outcome = harness.release("v2")
        assert outcome.verdict in (Verdict.VERIFIED, Verdict.EMPTY), f"{where}: {outcome}"
        assert_as_if_never_killed(harness, where)
        number += every


def assert_as_if_never_killed(harness: ReleaseHarness, where: str) -> None:
    for group in ("audio", "video"):
        if f"asg-{group}" not in harness.cloud.fleet.groups:
            continue
        assert set(harness.versions(group)) == {"v2"}, where
        of_v2 = [
            d for d in harness.cloud.deployments_of(group) if d.revision.key.endswith("/v2/bundle.tar.gz")
        ]
        ended = [d.status for d in of_v2]
        assert ended[-1] is DeploymentStatus.SUCCEEDED, where
        # Only deployments that waited for the gone were stopped, and each was made up for once.
        assert set(ended[:-1]) <= {DeploymentStatus.STOPPED}, where
        assert set(harness.state.groups[group].stopped) == {d.deployment_id for d in of_v2[:-1]}, where
    assert not harness.leases.held, where
    for release_id in harness.journal.release_ids():
        written = harness.journal._entries[release_id]
        assert sorted(written) == list(range(1, len(written) + 1)), where
        assert written[1]["kind"] == "intent", where


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("scene", SCENES, ids=lambda scene: scene.__name__)
def test_a_killed_release_is_finished_by_the_same_command(scene: Scene, after: bool):  # noqa: FBT001
    kills(scene, after=after, every=EVERY, offset=3 if after else 0)


@pytest.mark.soak
@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("scene", SCENES, ids=lambda scene: scene.__name__)
def test_a_release_killed_at_every_single_call_is_finished_by_the_same_command(scene: Scene, after: bool):  # noqa: FBT001
    kills(scene, after=after, every=1, offset=0)


def stopped_at(number: int, *, after: bool) -> CallRecorder:
    """A release without a running process is stopped, and the stopping process is killed at this call."""
    harness = ReleaseHarness({"audio": 3, "video": 3}, strategy="one")
    harness.release(timeout_s=60)
    wire = harness.killed_at(number, after=after, verb=lambda w: harness.stop(wire=w))
    where = f"killed {'after' if after else 'before'} call {number}, {wire.calls[-1]}"
    if harness.state.in_progress is not None:
        assert harness.stop().verdict is Verdict.STOPPED, where
    assert harness.state.in_progress is None, where
    assert {d.verdict for d in harness.state.groups.values()} == {Verdict.STOPPED}, where
    for group in ("audio", "video"):
        ours = harness.cloud.deployments_of(group)[1:]
        assert [d.status for d in ours] == [DeploymentStatus.STOPPED], where
    assert harness.lease_is_free, where
    return wire


def rolled_back_at(number: int, *, after: bool) -> CallRecorder:
    """A verified release is rolled back, and the process is killed at this call."""
    harness = ReleaseHarness({"audio": 2, "video": 2})
    harness.release()
    wire = harness.killed_at(number, after=after, verb=lambda w: harness.rollback(wire=w))
    where = f"killed {'after' if after else 'before'} call {number}, {wire.calls[-1]}"
    # Killed between the journal's intent and the state, it has begun nothing yet.
    if harness.state.in_progress is not None or {d.version for d in harness.state.groups.values()} != {"v1"}:
        assert harness.rollback().verdict is Verdict.VERIFIED, where
    assert {v for g in ("audio", "video") for v in harness.versions(g)} == {"v1"}, where
    assert [len(harness.cloud.deployments_of(g)) for g in ("audio", "video")] == [3, 3], where
    assert harness.state.in_progress is None, where
    return wire


VERBS = [stopped_at, rolled_back_at]


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("killed_at", VERBS, ids=lambda verb: verb.__name__)
def test_a_stop_or_rollback_may_be_killed_too(killed_at, after: bool):  # noqa: FBT001
    for number in range(3 if after else 1, 400, 9):
        if len(killed_at(number, after=after).calls) < number:
            return


@pytest.mark.soak
@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("killed_at", VERBS, ids=lambda verb: verb.__name__)
def test_a_stop_or_rollback_may_be_killed_at_every_single_call(killed_at, after: bool):  # noqa: FBT001
    for number in range(1, 400):
        if len(killed_at(number, after=after).calls) < number:
            return


def test_a_killed_release_keeps_others_out_until_its_lease_runs_out():
    harness = quiet()
    with pytest.raises(Killed):
        harness.release("v2", wire=CallRecorder(cut_at=40))
    for lease, _ in list(harness.leases.held.values()):
        lease.die()
    with pytest.raises(LeaseHeld):
        harness.release("v2")
    harness.cloud.clock.sleep(31)
    assert harness.release("v2").verdict is Verdict.VERIFIED
