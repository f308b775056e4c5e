"""Stopping a release from elsewhere, superseding it, and resuming it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest

from deployctl.errors import ExitCode
from deployctl.execute.release_state import apply_event, initial_state
from deployctl.flows.stop import NothingInProgress
from deployctl.model.deployment import DeploymentStatus
from deployctl.model.event import (
    GroupFinished,
    GroupProgressed,
    GroupStarted,
    ReleaseStarted,
    StopRequested,
    WaveStarted,
)
from deployctl.model.port_errors import LeaseHeld, ReleaseUnfinished
from deployctl.model.release import StopKind
from deployctl.model.verdict import EXIT_CODES, Verdict
from deployctl.ports import Alarm
from tests.fakes.releasing import CallRecorder, Killed, ReleaseHarness, of
from tests.fakes.remote_holder import RemoteHolder


def slow(**more) -> ReleaseHarness:
    """A release of it takes more than five minutes; c's wave comes later."""
    harness = ReleaseHarness({"a": 6, "b": 6, "c": 6}, strategy="one", **more)
    harness.rule("c", wave=1)
    return harness


def of_v2(harness: ReleaseHarness, group: str):
    return harness.cloud.deployments_of(group)[1:]


def kill(harness: ReleaseHarness, when: Callable[[str], bool]) -> None:
    """Release v2, and die at the first call of a port that `when` is true of."""
    found = CallRecorder()
    desk_like = slow()
    desk_like.release(wire=found)
    number = next(n for n, name in enumerate(found.calls, start=1) if when(name))
    with pytest.raises(Killed):
        harness.release(wire=CallRecorder(cut_at=number))
    harness.die()
    harness.cloud.clock.sleep(31)


def test_a_stop_that_is_asked_for_stops_every_deployment_and_starts_no_other():
    harness = slow()
    harness.cloud.at(100, harness.ask_to_stop)
    outcome = harness.release()
    assert {g.group: g.verdict for g in outcome.groups} == dict.fromkeys("abc", Verdict.STOPPED)
    assert of(outcome, "a").reason == "stopped by on-call"
    assert of(outcome, "c").reason == "not started: stopped by on-call"
    assert [of_v2(harness, g)[0].status for g in "ab"] == [DeploymentStatus.STOPPED] * 2
    assert of_v2(harness, "c") == []
    assert EXIT_CODES[outcome.verdict] is ExitCode.FAILED
    assert sum(isinstance(e, StopRequested) for e in harness.events) == 1
    assert harness.state.in_progress is None


@pytest.mark.parametrize("kind", StopKind)
def test_the_outcome_says_who_asked_for_the_stop_and_what_for(kind):
    harness = slow()
    harness.cloud.at(100, lambda: harness.ask_to_stop(kind))
    outcome = harness.release()
    assert outcome.stop is not None
    assert (outcome.stop.kind, outcome.stop.actor) == (kind, "on-call")


def test_what_held_before_the_stop_has_held():
    harness = ReleaseHarness({"a": 1, "b": 6}, strategy="one")
    harness.cloud.at(200, harness.ask_to_stop)
    outcome = harness.release()
    assert [g.verdict for g in outcome.groups] == [Verdict.VERIFIED, Verdict.STOPPED]


@pytest.mark.parametrize(
    "moment",
    [
        lambda e: isinstance(e, GroupFinished) and e.outcome.group == "a",
        lambda e: isinstance(e, WaveStarted) and e.number == 2,
    ],
    ids=["before it begins", "while it begins"],
)
def test_a_stop_that_is_asked_for_between_two_waves_starts_nothing_of_the_next(moment):
    harness = ReleaseHarness({"a": 2, "c": 2})
    harness.rule("c", wave=1)
    harness.watching.append(lambda e: moment(e) and harness.ask_to_stop())
    outcome = harness.release()
    assert [g.verdict for g in outcome.groups] == [Verdict.VERIFIED, Verdict.STOPPED]
    assert of_v2(harness, "c") == []


def test_a_stop_that_is_asked_for_while_a_wave_is_started_starts_no_more_of_it():
    harness = ReleaseHarness(dict.fromkeys("abcd", 2))
    harness.watching.append(
        lambda e: isinstance(e, GroupStarted) and len(of_v2(harness, "a")) == 1 and harness.ask_to_stop()
    )
    outcome = harness.release()
    assert {g.verdict for g in outcome.groups} == {Verdict.STOPPED}
    assert of_v2(harness, "d") == []


def test_a_stop_while_only_a_follow_on_is_in_progress_stops_the_group():
    harness = ReleaseHarness({"video": 3})
    harness.cloud.at(5, lambda: harness.cloud.scale("video", +1))
    harness.watching.append(
        lambda e: isinstance(e, GroupProgressed) and e.counts.total == 4 and harness.ask_to_stop()
    )
    outcome = harness.release()
    assert of_v2(harness, "video")[0].status is DeploymentStatus.SUCCEEDED
    assert (of(outcome, "video").verdict, of(outcome, "video").reason) == (
        Verdict.STOPPED,
        "stopped by on-call",
    )


def test_a_group_that_waits_for_its_slot_is_not_started_after_a_stop():
    harness = ReleaseHarness({"a": 6, "b": 6}, strategy="one")
    harness.cloud.deploy("b", "v3", config="CodeDeployDefault.OneAtATime")
    harness.cloud.at(60, harness.ask_to_stop)
    outcome = harness.release()
    assert of(outcome, "b").verdict is Verdict.STOPPED
    assert len(of_v2(harness, "b")) == 1


def test_a_stop_while_baking_leaves_what_holds_and_starts_no_other_wave():
    harness = slow()
    harness.policy(bake_s=600)
    harness.cloud.at(600, harness.ask_to_stop)
    outcome = harness.release()
    assert [g.verdict for g in outcome.groups] == [Verdict.VERIFIED, Verdict.VERIFIED, Verdict.STOPPED]
    assert outcome.elapsed_s < 700


def test_a_release_whose_holder_is_dead_is_stopped_by_who_asks():
    harness = slow()
    harness.release(timeout_s=90)
    outcome = harness.stop()
    assert {g.group: g.verdict for g in outcome.groups} == dict.fromkeys("abc", Verdict.STOPPED)
    assert [of_v2(harness, g)[0].status for g in "ab"] == [DeploymentStatus.STOPPED] * 2
    assert harness.state.in_progress is None
    assert "c" not in harness.state.groups


def test_a_stop_after_a_kill_before_anything_was_started_starts_nothing():
    harness = slow()
    kill(harness, lambda name: name == "deployments.create")
    outcome = harness.stop()
    assert {g.verdict for g in outcome.groups} == {Verdict.STOPPED}
    assert of_v2(harness, "a") == of_v2(harness, "b") == []


@pytest.mark.parametrize(
    ("verb", "verdict"),
    [
        (ReleaseHarness.stop, Verdict.STOPPED),
        (ReleaseHarness.rollback, Verdict.VERIFIED),
        (lambda harness: harness.release("v3", supersede=True), Verdict.VERIFIED),
    ],
    ids=["stop", "rollback", "supersede"],
)
def test_a_release_whose_artifact_is_gone_can_be_stopped(verb, verdict):
    harness = slow()
    harness.release(timeout_s=90)
    harness.artifacts.remove(harness.artifacts.find("shop", "v2"))
    assert verb(harness).verdict is verdict
    assert harness.state.in_progress is None


def test_a_stop_asks_no_alarm():
    harness = slow()
    harness.policy(bake_s=60, alarms=("errors",))
    harness.alarms.alarms["errors"] = Alarm(
        name="errors", is_firing=False, since=harness.cloud.clock.now(), reason=""
    )
    harness.release(timeout_s=90)
    harness.alarms.alarms.clear()
    assert harness.stop().verdict is Verdict.STOPPED


def test_a_stop_needs_something_to_stop():
    harness = slow()
    with pytest.raises(NothingInProgress):
        harness.stop()
    harness.release(timeout_s=90)
    with pytest.raises(NothingInProgress) as refused:
        harness.stop("v7")
    assert refused.value.noun == "v7"
    assert refused.value.exit_code is ExitCode.USAGE


def test_a_stopped_release_may_be_released_again():
    harness = slow()
    harness.release(timeout_s=90)
    harness.stop()
    assert harness.release().verdict is Verdict.VERIFIED
    assert set(harness.versions("a")) == {"v2"}


# Another version, while one is unfinished.


def test_another_version_is_refused_while_one_is_unfinished():
    harness = slow()
    harness.release(timeout_s=90)
    with pytest.raises(ReleaseUnfinished) as refused:
        harness.release("v3")
    assert refused.value.exit_code is ExitCode.BUSY
    assert "deployctl attach" in refused.value.remedy
    assert any("--supersede" in detail for detail in refused.value.details)


def test_another_version_supersedes_the_unfinished_one_where_that_is_asked_for():
    harness = slow()
    first = harness.release(timeout_s=90)
    outcome = harness.release("v3", supersede=True)
    assert outcome.verdict is Verdict.VERIFIED
    assert [d.status for d in of_v2(harness, "a")] == [DeploymentStatus.STOPPED, DeploymentStatus.SUCCEEDED]
    assert set(harness.versions("c")) == {"v3"}
    entries = harness.journal.entries(first.release_id)
    assert (entries[-1]["kind"], entries[-1]["verdict"]) == ("finished", "superseded")


def test_a_release_that_runs_is_superseded_by_asking_its_holder():
    harness = slow()
    harness.cloud.at(100, lambda: harness.ask_to_stop(StopKind.SUPERSEDE))
    outcome = harness.release()
    assert outcome.verdict is Verdict.SUPERSEDED
    assert of(outcome, "a").reason == "superseded by a newer release by on-call"


def test_the_same_version_is_resumed_with_or_without_supersede():
    harness = slow()
    first = harness.release(timeout_s=90)
    assert harness.release(supersede=True).release_id == first.release_id


# Attaching.


def test_attach_resumes_an_abandoned_release():
    harness = slow()
    first = harness.release(timeout_s=90)
    outcome = harness.attach()
    assert (outcome.release_id, outcome.verdict) == (first.release_id, Verdict.VERIFIED)
    assert all(e.adopted for e in harness.events if isinstance(e, GroupStarted) and e.group != "c")
    assert [len(of_v2(harness, g)) for g in "abc"] == [1, 1, 1]


@pytest.mark.parametrize(
    "verb", [ReleaseHarness.attach, ReleaseHarness.release], ids=["attach", "the same command"]
)
def test_durations_of_a_resumed_release_count_from_its_start(verb):
    harness = slow()
    began_at = harness.cloud.clock.now()
    harness.release(timeout_s=90)
    harness.cloud.clock.sleep(240)
    outcome = verb(harness)
    took_s = (harness.cloud.clock.now() - began_at).total_seconds()
    assert 330 < took_s - 5 < outcome.elapsed_s <= took_s
    (started,) = [e for e in harness.events if isinstance(e, ReleaseStarted)]
    (adopted, *_) = [e for e in harness.events if isinstance(e, GroupStarted)]
    state = apply_event(initial_state(started), adopted)
    assert state.started_at - began_at < timedelta(seconds=5)
    assert state.groups[adopted.group].since - began_at < timedelta(seconds=10)


def test_attaching_keeps_to_the_scope_and_the_policy_of_the_release():
    harness = slow()
    harness.policy(bake_s=60)
    harness.release("v2", "a", timeout_s=90)
    harness.policy(bake_s=0)
    outcome = harness.attach()
    assert [g.group for g in outcome.groups] == ["a"]
    assert of_v2(harness, "b") == []


def test_a_second_one_does_not_get_in_while_the_first_runs():
    harness = slow()
    met = []

    def second():
        try:
            harness.release("v3")
        except LeaseHeld as error:
            met.append(error.exit_code)

    harness.watching.append(lambda e: isinstance(e, GroupStarted) and e.group == "a" and not met and second())
    assert harness.release().verdict is Verdict.VERIFIED
    assert met == [ExitCode.BUSY]


@pytest.mark.parametrize(
    ("verb", "verdict", "of_audio"),
    [("attach", "verified", "v2"), ("stop", "stopped", None), ("rollback", "verified", "v1")],
)
def test_a_deleted_auto_scaling_group_keeps_no_release_in_progress(verb, verdict, of_audio):
    harness = ReleaseHarness({"audio": 2, "video": 3})
    elsewhere = RemoteHolder(harness, ["audio", "video"])
    elsewhere.begin()
    elsewhere.start("audio", "video")
    harness.cloud.fleet.delete_group("asg-video", force=True)
    outcome = getattr(harness, verb)()
    assert outcome.verdict.value == verdict
    assert {g.group: g.verdict.value for g in outcome.groups} == {"audio": verdict, "video": "empty"}
    assert harness.state.in_progress is None
    assert of_audio is None or set(harness.versions("audio")) == {of_audio}
