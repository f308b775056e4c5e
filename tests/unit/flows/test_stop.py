"""Stopping a release from elsewhere, superseding it, and going on with it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest

from deployctl.errors import ExitCode
from deployctl.execute.fold import begin, fold
from deployctl.flows.stop import NothingUnderWay
from deployctl.model.deployment import DeploymentStatus
from deployctl.model.event import (
    GroupFinished,
    GroupMoved,
    GroupStarted,
    ReleaseStarted,
    StopAsked,
    WaveStarted,
)
from deployctl.model.refusals import LeaseHeld, ReleaseUnfinished
from deployctl.model.release import StopKind
from deployctl.model.verdict import EXIT_CODES, Verdict
from deployctl.ports import Alarm
from tests.fakes.releasing import Desk, Killed, Wire, of


def slow(**more) -> Desk:
    """A release of it takes more than five minutes; c's wave comes later."""
    desk = Desk({"a": 6, "b": 6, "c": 6}, strategy="one", **more)
    desk.rule("c", wave=1)
    return desk


def of_v2(desk: Desk, group: str):
    return desk.cloud.deployments_of(group)[1:]


def kill(desk: Desk, when: Callable[[str], bool]) -> None:
    """Release v2, and die at the first call of a port that `when` is true of."""
    found = Wire()
    desk_like = slow()
    desk_like.release(wire=found)
    number = next(n for n, name in enumerate(found.calls, start=1) if when(name))
    with pytest.raises(Killed):
        desk.release(wire=Wire(cut_at=number))
    desk.die()
    desk.cloud.clock.sleep(31)


def test_a_stop_that_is_asked_for_stops_every_deployment_and_starts_no_other():
    desk = slow()
    desk.cloud.at(100, desk.ask_to_stop)
    outcome = desk.release()
    assert {g.group: g.verdict for g in outcome.groups} == dict.fromkeys("abc", Verdict.STOPPED)
    assert of(outcome, "a").reason == "stopped by on-call"
    assert of(outcome, "c").reason == "not started: stopped by on-call"
    assert [of_v2(desk, g)[0].status for g in "ab"] == [DeploymentStatus.STOPPED] * 2
    assert of_v2(desk, "c") == []
    assert EXIT_CODES[outcome.verdict] is ExitCode.FAILED
    assert sum(isinstance(e, StopAsked) for e in desk.events) == 1
    assert desk.state.under_way is None


@pytest.mark.parametrize("kind", StopKind)
def test_the_outcome_says_who_asked_for_the_stop_and_what_for(kind):
    desk = slow()
    desk.cloud.at(100, lambda: desk.ask_to_stop(kind))
    outcome = desk.release()
    assert outcome.stop is not None
    assert (outcome.stop.kind, outcome.stop.actor) == (kind, "on-call")


def test_what_held_before_the_stop_has_held():
    desk = Desk({"a": 1, "b": 6}, strategy="one")
    desk.cloud.at(200, desk.ask_to_stop)
    outcome = desk.release()
    assert [g.verdict for g in outcome.groups] == [Verdict.HELD, Verdict.STOPPED]


@pytest.mark.parametrize(
    "moment",
    [
        lambda e: isinstance(e, GroupFinished) and e.outcome.group == "a",
        lambda e: isinstance(e, WaveStarted) and e.number == 2,
    ],
    ids=["before it begins", "while it begins"],
)
def test_a_stop_that_is_asked_for_between_two_waves_starts_nothing_of_the_next(moment):
    desk = Desk({"a": 2, "c": 2})
    desk.rule("c", wave=1)
    desk.watching.append(lambda e: moment(e) and desk.ask_to_stop())
    outcome = desk.release()
    assert [g.verdict for g in outcome.groups] == [Verdict.HELD, Verdict.STOPPED]
    assert of_v2(desk, "c") == []


def test_a_stop_that_is_asked_for_while_a_wave_is_started_starts_no_more_of_it():
    desk = Desk(dict.fromkeys("abcd", 2))
    desk.watching.append(
        lambda e: isinstance(e, GroupStarted) and len(of_v2(desk, "a")) == 1 and desk.ask_to_stop()
    )
    outcome = desk.release()
    assert {g.verdict for g in outcome.groups} == {Verdict.STOPPED}
    assert of_v2(desk, "d") == []


def test_a_stop_while_only_a_follow_on_is_under_way_stops_the_group():
    desk = Desk({"video": 3})
    desk.cloud.at(5, lambda: desk.cloud.scale("video", +1))
    desk.watching.append(lambda e: isinstance(e, GroupMoved) and e.counts.total == 4 and desk.ask_to_stop())
    outcome = desk.release()
    assert of_v2(desk, "video")[0].status is DeploymentStatus.SUCCEEDED
    assert (of(outcome, "video").verdict, of(outcome, "video").reason) == (
        Verdict.STOPPED,
        "stopped by on-call",
    )


def test_a_group_that_waits_for_its_slot_is_not_started_after_a_stop():
    desk = Desk({"a": 6, "b": 6}, strategy="one")
    desk.cloud.deploy("b", "v3", config="CodeDeployDefault.OneAtATime")
    desk.cloud.at(60, desk.ask_to_stop)
    outcome = desk.release()
    assert of(outcome, "b").verdict is Verdict.STOPPED
    assert len(of_v2(desk, "b")) == 1


def test_a_stop_while_baking_leaves_what_holds_and_starts_no_other_wave():
    desk = slow()
    desk.policy(bake_s=600)
    desk.cloud.at(600, desk.ask_to_stop)
    outcome = desk.release()
    assert [g.verdict for g in outcome.groups] == [Verdict.HELD, Verdict.HELD, Verdict.STOPPED]
    assert outcome.elapsed_s < 700


def test_a_release_whose_holder_is_dead_is_stopped_by_who_asks():
    desk = slow()
    desk.release(timeout_s=90)
    outcome = desk.stop()
    assert {g.group: g.verdict for g in outcome.groups} == dict.fromkeys("abc", Verdict.STOPPED)
    assert [of_v2(desk, g)[0].status for g in "ab"] == [DeploymentStatus.STOPPED] * 2
    assert desk.state.under_way is None
    assert "c" not in desk.state.groups


def test_a_stop_after_a_kill_before_anything_was_started_starts_nothing():
    desk = slow()
    kill(desk, lambda name: name == "deployments.create")
    outcome = desk.stop()
    assert {g.verdict for g in outcome.groups} == {Verdict.STOPPED}
    assert of_v2(desk, "a") == of_v2(desk, "b") == []


@pytest.mark.parametrize(
    ("verb", "verdict"),
    [
        (Desk.stop, Verdict.STOPPED),
        (Desk.rollback, Verdict.HELD),
        (lambda desk: desk.release("v3", supersede=True), Verdict.HELD),
    ],
    ids=["stop", "rollback", "supersede"],
)
def test_a_release_whose_artifact_is_gone_can_be_stopped(verb, verdict):
    desk = slow()
    desk.release(timeout_s=90)
    desk.artifacts.remove(desk.artifacts.find("shop", "v2"))
    assert verb(desk).verdict is verdict
    assert desk.state.under_way is None


def test_a_stop_asks_no_alarm():
    desk = slow()
    desk.policy(bake_s=60, alarms=("errors",))
    desk.alarms.alarms["errors"] = Alarm(
        name="errors", is_firing=False, since=desk.cloud.clock.now(), reason=""
    )
    desk.release(timeout_s=90)
    desk.alarms.alarms.clear()
    assert desk.stop().verdict is Verdict.STOPPED


def test_a_stop_needs_something_to_stop():
    desk = slow()
    with pytest.raises(NothingUnderWay):
        desk.stop()
    desk.release(timeout_s=90)
    with pytest.raises(NothingUnderWay) as refused:
        desk.stop("v7")
    assert refused.value.noun == "v7"
    assert refused.value.exit_code is ExitCode.USAGE


def test_a_stopped_release_may_be_released_again():
    desk = slow()
    desk.release(timeout_s=90)
    desk.stop()
    assert desk.release().verdict is Verdict.HELD
    assert set(desk.versions("a")) == {"v2"}


# Another version, while one is unfinished.


def test_another_version_is_refused_while_one_is_unfinished():
    desk = slow()
    desk.release(timeout_s=90)
    with pytest.raises(ReleaseUnfinished) as refused:
        desk.release("v3")
    assert refused.value.exit_code is ExitCode.BUSY
    assert "deployctl attach" in refused.value.remedy
    assert any("--supersede" in detail for detail in refused.value.details)


def test_another_version_supersedes_the_unfinished_one_where_that_is_asked_for():
    desk = slow()
    first = desk.release(timeout_s=90)
    outcome = desk.release("v3", supersede=True)
    assert outcome.verdict is Verdict.HELD
    assert [d.status for d in of_v2(desk, "a")] == [DeploymentStatus.STOPPED, DeploymentStatus.SUCCEEDED]
    assert set(desk.versions("c")) == {"v3"}
    entries = desk.journal.entries(first.release_id)
    assert (entries[-1]["kind"], entries[-1]["verdict"]) == ("finished", "superseded")


def test_a_release_that_runs_is_superseded_by_asking_its_holder():
    desk = slow()
    desk.cloud.at(100, lambda: desk.ask_to_stop(StopKind.SUPERSEDE))
    outcome = desk.release()
    assert outcome.verdict is Verdict.SUPERSEDED
    assert of(outcome, "a").reason == "superseded by a newer release by on-call"


def test_the_same_version_is_gone_on_with_whatever_was_said_of_superseding():
    desk = slow()
    first = desk.release(timeout_s=90)
    assert desk.release(supersede=True).release_id == first.release_id


# Attaching.


def test_attaching_goes_on_with_a_release_that_nobody_runs():
    desk = slow()
    first = desk.release(timeout_s=90)
    outcome = desk.attach()
    assert (outcome.release_id, outcome.verdict) == (first.release_id, Verdict.HELD)
    assert all(e.adopted for e in desk.events if isinstance(e, GroupStarted) and e.group != "c")
    assert [len(of_v2(desk, g)) for g in "abc"] == [1, 1, 1]


@pytest.mark.parametrize("verb", [Desk.attach, Desk.release], ids=["attach", "the same command"])
def test_of_a_release_that_is_gone_on_with_durations_count_from_its_own_begin(verb):
    desk = slow()
    began_at = desk.cloud.clock.now()
    desk.release(timeout_s=90)
    desk.cloud.clock.sleep(240)
    outcome = verb(desk)
    took_s = (desk.cloud.clock.now() - began_at).total_seconds()
    assert 330 < took_s - 5 < outcome.elapsed_s <= took_s
    (started,) = [e for e in desk.events if isinstance(e, ReleaseStarted)]
    (adopted, *_) = [e for e in desk.events if isinstance(e, GroupStarted)]
    state = fold(begin(started), adopted)
    assert state.started_at - began_at < timedelta(seconds=5)
    assert state.groups[adopted.group].since - began_at < timedelta(seconds=10)


def test_attaching_keeps_to_the_scope_and_the_policy_of_the_release():
    desk = slow()
    desk.policy(bake_s=60)
    desk.release("v2", "a", timeout_s=90)
    desk.policy(bake_s=0)
    outcome = desk.attach()
    assert [g.group for g in outcome.groups] == ["a"]
    assert of_v2(desk, "b") == []


def test_a_second_one_does_not_get_in_while_the_first_runs():
    desk = slow()
    met = []

    def second():
        try:
            desk.release("v3")
        except LeaseHeld as error:
            met.append(error.exit_code)

    desk.watching.append(lambda e: isinstance(e, GroupStarted) and e.group == "a" and not met and second())
    assert desk.release().verdict is Verdict.HELD
    assert met == [ExitCode.BUSY]
