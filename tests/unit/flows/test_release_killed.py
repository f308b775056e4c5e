"""A release that is killed at any call, and the same command again: the same fleet, and no second deployment."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from deployctl.model.deployment import DeploymentStatus
from deployctl.model.refusals import LeaseHeld
from deployctl.model.verdict import Verdict
from tests.fakes.releasing import STEADY, Desk, Killed, Wire

Scene = Callable[[], Desk]


def quiet() -> Desk:
    return Desk({"audio": 2, "video": 3, "empty": 0}, strategies={"video": "one"})


def queued() -> Desk:
    desk = Desk({"audio": 2, "video": 2})
    desk.cloud.deploy("video", "v3")
    return desk


def reclaimed() -> Desk:
    desk = Desk({"audio": 2, "video": 3})
    lost = desk.cloud.instance_ids("video")[1]
    desk.cloud.at(20, lambda: desk.cloud.reclaim(lost))
    return desk


def scaled_out() -> Desk:
    desk = Desk({"video": 2})
    desk.cloud.at(5, lambda: desk.cloud.scale("video", +1))
    return desk


def in_waves() -> Desk:
    """A canary that bakes, then the rest, with scaling processes suspended by the way."""
    desk = Desk({"audio": 2, "video": 3})
    desk.rule("video", wave=1)
    desk.policy(bake_s=40, suspend_scaling=True)
    return desk


SCENES = [quiet, queued, reclaimed, scaled_out, in_waves]
# Fewer polls than usual: one poll's calls are like another's.
RARELY = replace(STEADY, poll_min_s=8.0, poll_max_s=15.0)
EVERY = 6


def kills(scene: Scene, *, after: bool, every: int, offset: int) -> None:
    number = 1 + offset
    while True:
        desk = scene()
        desk.pace = RARELY
        wire = desk.killed_at(number, after=after)
        if len(wire.calls) < number:
            return
        where = f"killed {'after' if after else 'before'} call {number}, {wire.calls[number - 1]}"
        outcome = desk.release("v2")
        assert outcome.verdict in (Verdict.HELD, Verdict.EMPTY), f"{where}: {outcome}"
        assert_as_if_never_killed(desk, where)
        number += every


def assert_as_if_never_killed(desk: Desk, where: str) -> None:
    for group in ("audio", "video"):
        if f"asg-{group}" not in desk.cloud.fleet.groups:
            continue
        assert set(desk.versions(group)) == {"v2"}, where
        of_v2 = [d for d in desk.cloud.deployments_of(group) if d.revision.key.endswith("/v2/bundle.tar.gz")]
        ended = [d.status for d in of_v2]
        assert ended[-1] is DeploymentStatus.SUCCEEDED, where
        # Only deployments that waited for the gone were stopped, and each was made up for once.
        assert set(ended[:-1]) <= {DeploymentStatus.STOPPED}, where
        assert set(desk.state.groups[group].stopped) == {d.deployment_id for d in of_v2[:-1]}, where
    assert not desk.leases.held, where
    for release_id in desk.journal.releases():
        written = desk.journal._entries[release_id]
        assert sorted(written) == list(range(1, len(written) + 1)), where
        assert written[1]["kind"] == "intention", where


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("scene", SCENES, ids=lambda scene: scene.__name__)
def test_a_killed_release_is_finished_by_the_same_command(scene: Scene, after: bool):  # noqa: FBT001
    kills(scene, after=after, every=EVERY, offset=3 if after else 0)


@pytest.mark.soak
@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("scene", SCENES, ids=lambda scene: scene.__name__)
def test_a_release_killed_at_every_single_call_is_finished_by_the_same_command(scene: Scene, after: bool):  # noqa: FBT001
    kills(scene, after=after, every=1, offset=0)


def stopped_at(number: int, *, after: bool) -> Wire:
    """A release that nobody runs any more is stopped, and who stops it is killed at this call."""
    desk = Desk({"audio": 3, "video": 3}, strategy="one")
    desk.release(timeout_s=60)
    wire = desk.killed_at(number, after=after, verb=lambda w: desk.stop(wire=w))
    where = f"killed {'after' if after else 'before'} call {number}, {wire.calls[-1]}"
    if desk.state.under_way is not None:
        assert desk.stop().verdict is Verdict.STOPPED, where
    assert desk.state.under_way is None, where
    assert {d.verdict for d in desk.state.groups.values()} == {Verdict.STOPPED}, where
    for group in ("audio", "video"):
        ours = desk.cloud.deployments_of(group)[1:]
        assert [d.status for d in ours] == [DeploymentStatus.STOPPED], where
    assert desk.lease_is_free, where
    return wire


def rolled_back_at(number: int, *, after: bool) -> Wire:
    """A release that holds is taken back, and who does it is killed at this call."""
    desk = Desk({"audio": 2, "video": 2})
    desk.release()
    wire = desk.killed_at(number, after=after, verb=lambda w: desk.rollback(wire=w))
    where = f"killed {'after' if after else 'before'} call {number}, {wire.calls[-1]}"
    # Killed between the journal's intention and the state, it has begun nothing yet.
    if desk.state.under_way is not None or {d.version for d in desk.state.groups.values()} != {"v1"}:
        assert desk.rollback().verdict is Verdict.HELD, where
    assert {v for g in ("audio", "video") for v in desk.versions(g)} == {"v1"}, where
    assert [len(desk.cloud.deployments_of(g)) for g in ("audio", "video")] == [3, 3], where
    assert desk.state.under_way is None, where
    return wire


VERBS = [stopped_at, rolled_back_at]


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("killed_at", VERBS, ids=lambda verb: verb.__name__)
def test_whoever_stops_or_takes_back_may_be_killed_too(killed_at, after: bool):  # noqa: FBT001
    for number in range(3 if after else 1, 400, 9):
        if len(killed_at(number, after=after).calls) < number:
            return


@pytest.mark.soak
@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("killed_at", VERBS, ids=lambda verb: verb.__name__)
def test_whoever_stops_or_takes_back_may_be_killed_at_every_single_call(killed_at, after: bool):  # noqa: FBT001
    for number in range(1, 400):
        if len(killed_at(number, after=after).calls) < number:
            return


def test_a_killed_release_keeps_others_out_until_its_lease_runs_out():
    desk = quiet()
    with pytest.raises(Killed):
        desk.release("v2", wire=Wire(cut_at=40))
    for lease, _ in list(desk.leases.held.values()):
        lease.die()
    with pytest.raises(LeaseHeld):
        desk.release("v2")
    desk.cloud.clock.sleep(31)
    assert desk.release("v2").verdict is Verdict.HELD
