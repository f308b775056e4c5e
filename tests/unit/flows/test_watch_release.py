"""Watching a release that another process runs: the same events, the journal's outcome, and nothing changed."""

from __future__ import annotations

import pytest

from deployctl.errors import Unreachable
from deployctl.execute.release_state import Phase, apply_event, initial_state
from deployctl.flows.watch_release import RunnerGone, watch_release
from deployctl.model.event import (
    GroupFinished,
    GroupProgressed,
    GroupStarted,
    GroupWaiting,
    ReleaseFinished,
    ReleaseStarted,
    StopRequested,
    WarningRaised,
    WaveBaking,
    WaveStarted,
)
from deployctl.model.release import ReleaseKind
from deployctl.model.strategy import OnFailure, Policy
from deployctl.model.verdict import Verdict
from tests.fakes.cloud import APPLICATION
from tests.fakes.releasing import ReleaseHarness, of
from tests.fakes.remote_holder import ONE_AT_A_TIME, RemoteHolder

READ_ONLY = {
    "autoscaling:DescribeAutoScalingGroups",
    "codedeploy:BatchGetDeploymentGroups",
    "codedeploy:BatchGetDeploymentTargets",
    "codedeploy:BatchGetDeployments",
    "codedeploy:ListDeploymentGroups",
    "codedeploy:ListDeploymentTargets",
    "ec2:DescribeInstances",
}


class Watcher:
    """A process that attaches; `state` is what a board shows."""

    def __init__(self, harness):
        self.harness = harness
        self.events = []
        self.state = None

    def emit(self, event):
        self.events.append(event)
        if isinstance(event, ReleaseStarted):
            self.state = initial_state(event)
        elif self.state is not None:
            self.state = apply_event(self.state, event)

    def watch(self, elsewhere, **how):
        self.harness.cloud.calls.clear()
        return watch_release(
            self.harness.settings,
            self.harness.ports(),
            release_id=elsewhere.release_id,
            emit=self.emit,
            **how,
        )

    def of(self, kind):
        return [e for e in self.events if isinstance(e, kind)]


@pytest.fixture
def harness():
    return ReleaseHarness({"audio": 3, "mail": 2, "video": 4})


@pytest.fixture
def watcher(harness):
    return Watcher(harness)


def started(harness, *waves, **more):
    """A release elsewhere whose first wave has begun."""
    elsewhere = RemoteHolder(harness, *waves, **more)
    elsewhere.take_lease()
    elsewhere.begin()
    elsewhere.start(*waves[0])
    return elsewhere


def test_a_release_is_watched_from_its_current_state_to_its_end(harness, watcher):
    elsewhere = started(harness, ["audio", "video"])
    elsewhere.later(300, elsewhere.judge, "audio", "video")
    elsewhere.later(301, elsewhere.finish)
    outcome = watcher.watch(elsewhere)
    assert (outcome.verdict, outcome.release_id) == (Verdict.VERIFIED, elsewhere.release_id)
    assert {g.group: g.verdict for g in outcome.groups} == {
        "audio": Verdict.VERIFIED,
        "video": Verdict.VERIFIED,
    }
    assert len(of(outcome, "video").workers) == 4
    assert of(outcome, "video").asgs == ("asg-video",)
    assert isinstance(watcher.events[0], ReleaseStarted)
    assert isinstance(watcher.events[-1], ReleaseFinished)
    assert {e.group for e in watcher.of(GroupStarted)} == {"audio", "video"}
    assert {e.outcome.group for e in watcher.of(GroupFinished)} == {"audio", "video"}


def test_the_board_of_who_watches_shows_how_the_deployments_move(harness, watcher):
    elsewhere = started(harness, ["video"])
    elsewhere.later(300, elsewhere.judge, "video")
    elsewhere.later(301, elsewhere.finish)
    watcher.watch(elsewhere)
    moved = [e.counts.succeeded for e in watcher.of(GroupProgressed)]
    assert moved == sorted(moved)
    assert moved[-1] == 4
    assert watcher.state.groups["video"].phase is Phase.FINISHED
    assert watcher.state.plan.began_at == elsewhere.intent.began_at
    assert not watcher.state.plan.resumes


def test_it_changes_nothing(harness, watcher):
    elsewhere = started(harness, ["audio", "video"])
    elsewhere.later(300, elsewhere.judge, "audio", "video")
    elsewhere.later(301, elsewhere.finish)
    writes = harness.states.writes
    watcher.watch(elsewhere)
    assert set(harness.cloud.calls) <= READ_ONLY
    assert harness.states.writes == writes + 2, "only what the other process wrote"


def test_deployments_are_asked_about_together(watcher):
    names = [f"queue-{n:02}" for n in range(30)]
    harness = watcher.harness = ReleaseHarness(dict.fromkeys(names, 1))
    elsewhere = started(harness, names)
    elsewhere.later(60, elsewhere.judge, *names)
    elsewhere.later(60, elsewhere.finish)
    watcher.watch(elsewhere)
    looks = len([s for s in harness.cloud.clock.slept_s if s <= 5])
    assert harness.cloud.calls["codedeploy:BatchGetDeployments"] <= 2 * (looks + 1)


def test_a_worker_that_fails_is_shown_with_its_reason_before_any_verdict(harness, watcher):
    harness.cloud.inject("hook-fails", group="video", event="ApplicationStart", message="no database")
    elsewhere = started(harness, ["video"])
    elsewhere.later(300, elsewhere.judge, "video", verdict="failed", reason="4 of 4 workers")
    elsewhere.later(301, elsewhere.finish, "failed")
    outcome = watcher.watch(elsewhere)
    seen_events = [t for e in watcher.of(GroupProgressed) for t in e.targets.values() if t.has_failed_event]
    assert "no database" in (seen_events[0].failed_or_last_event.log_tail or "")
    assert outcome.verdict is Verdict.FAILED
    assert of(outcome, "video").reason == "4 of 4 workers"


def test_waves_baking_and_a_stop_are_reported_once_each(harness, watcher):
    elsewhere = started(harness, ["audio"], ["video"])
    until = elsewhere.bakes_until(200)
    elsewhere.later(150, elsewhere.note, "baking", wave=1, until=until.isoformat())
    elsewhere.later(200, elsewhere.judge, "audio")
    elsewhere.later(201, elsewhere.begin, 2)
    elsewhere.later(202, elsewhere.start, "video")
    asked = {"kind": "stop", "actor": "otto", "at": until.isoformat()}
    elsewhere.later(205, elsewhere.note, "stop-requested", request=asked)
    elsewhere.later(320, elsewhere.judge, "video", verdict="stopped", reason="stopped by otto")
    elsewhere.later(320, elsewhere.finish, "stopped")
    outcome = watcher.watch(elsewhere)
    assert [e.number for e in watcher.of(WaveStarted)] == [1, 2]
    assert [(e.number, e.until) for e in watcher.of(WaveBaking)] == [(1, until)]
    assert [(e.request.actor, e.request.kind) for e in watcher.of(StopRequested)] == [("otto", "stop")]
    assert outcome.verdict is Verdict.STOPPED


def test_a_late_watcher_gets_the_earlier_events(harness, watcher):
    elsewhere = started(harness, ["audio"], ["video"])
    harness.cloud.clock.sleep(200)
    elsewhere.judge("audio")
    elsewhere.begin(2)
    elsewhere.start("video")
    elsewhere.later(300, elsewhere.judge, "video")
    elsewhere.later(301, elsewhere.finish)
    watcher.watch(elsewhere)
    seen_events = [type(e) for e in watcher.events[:5]]
    assert seen_events == [ReleaseStarted, WaveStarted, GroupFinished, WaveStarted, GroupStarted]
    assert watcher.events[2].outcome.group == "audio"
    assert watcher.state.wave == 2


def test_groups_in_which_nothing_was_to_be_done_have_their_verdict_all_the_same(harness, watcher):
    elsewhere = RemoteHolder(harness, ["audio", "video"])
    elsewhere.take_lease()
    elsewhere.begin(settled={"audio": "verified"})
    elsewhere.start("video")
    elsewhere.later(300, elsewhere.judge, "video")
    elsewhere.later(301, elsewhere.finish)
    outcome = watcher.watch(elsewhere)
    assert of(outcome, "audio").verdict is Verdict.VERIFIED
    assert len(of(outcome, "audio").workers) == 3


def test_groups_whose_wave_never_began_are_not_started(harness, watcher):
    elsewhere = started(harness, ["audio"], ["video"])
    elsewhere.later(200, elsewhere.judge, "audio", verdict="failed", reason="3 of 3 workers")
    elsewhere.later(201, elsewhere.finish, "failed")
    outcome = watcher.watch(elsewhere)
    assert of(outcome, "video").verdict is Verdict.NOT_STARTED
    assert of(outcome, "video").reason == "not started: the previous wave failed: audio is failed"
    assert watcher.state.groups["video"].outcome == of(outcome, "video")


def test_a_waiting_group_is_reported_with_the_active_deployment(harness, watcher):
    holder = harness.cloud.deploy("mail", "v3", config="CodeDeployDefault.OneAtATime")
    elsewhere = RemoteHolder(harness, ["mail", "video"])
    elsewhere.take_lease()
    elsewhere.begin()
    elsewhere.start("video")
    elsewhere.later(400, elsewhere.start, "mail")
    elsewhere.later(700, elsewhere.judge, "mail", "video")
    elsewhere.later(701, elsewhere.finish)
    watcher.watch(elsewhere)
    (queued,) = watcher.of(GroupWaiting)
    assert (queued.group, queued.behind) == ("mail", holder)
    assert (queued.holder.deployment_id, queued.holder.whose) == (holder, "user")
    assert watcher.state.groups["mail"].phase is Phase.FINISHED


def test_a_holder_that_dies_is_not_watched_any_longer(harness, watcher):
    elsewhere = started(harness, ["video"])
    elsewhere.later(20, elsewhere.lease.die)
    began_s = harness.cloud.clock.monotonic_s()
    with pytest.raises(RunnerGone) as raised:
        watcher.watch(elsewhere)
    assert raised.value.noun == elsewhere.release_id
    assert "deployctl attach" in raised.value.remedy
    assert harness.cloud.clock.monotonic_s() - began_s < 20 + 30 + 5


def test_last_words_written_while_the_lease_is_given_back_are_heard(harness, watcher):
    """The holder finishes between the look at its journal and the look at its lease."""
    elsewhere = started(harness, ["video"])
    ports = harness.ports()
    view = ports.lease.view

    def gone_by_now():
        if harness.cloud.clock.monotonic_s() > 650 and view() is not None:
            elsewhere.judge("video")
            elsewhere.finish()
        return view()

    ports.lease.view = gone_by_now
    outcome = watch_release(harness.settings, ports, release_id=elsewhere.release_id, emit=watcher.emit)
    assert outcome.verdict is Verdict.VERIFIED


def test_at_the_timeout_the_watching_ends_and_not_the_release(harness, watcher):
    elsewhere = started(harness, ["audio"], ["video"])
    outcome = watcher.watch(elsewhere, timeout_s=10)
    assert outcome.verdict is Verdict.RUNNING
    assert {g.verdict for g in outcome.groups} == {Verdict.RUNNING}
    assert harness.ports().lease.view() is not None


@pytest.mark.parametrize("operation", ["codedeploy:BatchGetDeployments", "ec2:DescribeInstances"])
def test_a_service_that_does_not_answer_for_a_while_is_waited_for(harness, watcher, operation):
    elsewhere = started(harness, ["video"])
    elsewhere.later(300, elsewhere.judge, "video")
    elsewhere.later(301, elsewhere.finish)
    harness.cloud.trouble(operation, lambda: Unreachable("EC2 does not answer"), for_s=100)
    assert watcher.watch(elsewhere).verdict is Verdict.VERIFIED
    assert [w.message for w in watcher.of(WarningRaised)] == [
        "EC2 does not answer; retrying for up to 10 min",
        "the service answers again after 100 s",
    ]


def test_a_service_that_never_answers_ends_the_watching(harness, watcher):
    elsewhere = started(harness, ["video"])
    harness.cloud.trouble("codedeploy:BatchGetDeployments", lambda: Unreachable("no answer"))
    with pytest.raises(Unreachable):
        watcher.watch(elsewhere)


@pytest.fixture
def rolled_back(harness):
    """A release that fails on video and is rolled back automatically."""
    elsewhere = started(harness, ["audio", "video"], policy=Policy(on_failure=OnFailure.ROLLBACK))
    harness.cloud.clock.sleep(200)
    elsewhere.judge("audio")
    elsewhere.judge("video", verdict="failed", reason="4 of 4 workers: no database")

    class Back:
        release = elsewhere
        rollback: RemoteHolder

        def begin(self):
            self.rollback = RemoteHolder(
                harness,
                ["audio", "video"],
                version="v1",
                kind=ReleaseKind.ROLLBACK,
                undoes=elsewhere.release_id,
                lease=elsewhere.lease,
            )
            self.rollback.begin()
            self.rollback.start("audio", "video")

        def end(self):
            self.rollback.judge("audio", "video")
            elsewhere.note("finished", verdict="rolled-back")
            self.rollback.finish()

    return Back()


def assert_is_rolled_back(outcome):
    assert outcome.verdict is Verdict.ROLLED_BACK
    assert outcome.rollback.kind is ReleaseKind.ROLLBACK
    assert outcome.rollback.verdict is Verdict.VERIFIED
    assert of(outcome, "video").verdict is Verdict.ROLLED_BACK
    assert of(outcome, "video").reason == "back on v1: 4 of 4 workers: no database"
    assert of(outcome.rollback, "video").verdict is Verdict.VERIFIED


def test_an_automatic_rollback_is_watched_to_its_end(harness, watcher, rolled_back):
    elsewhere = rolled_back.release
    elsewhere.later(10, rolled_back.begin)
    elsewhere.later(400, rolled_back.end)
    assert_is_rolled_back(watcher.watch(elsewhere))
    first, second = watcher.of(ReleaseStarted)
    assert (first.plan.kind, second.plan.kind) == (ReleaseKind.RELEASE, ReleaseKind.ROLLBACK)
    assert len(watcher.of(ReleaseFinished)) == 1


def test_a_rollback_that_finished_between_two_polls_is_found(harness, watcher, rolled_back):
    harness.cloud.clock.sleep(5)
    rolled_back.begin()
    harness.cloud.clock.sleep(200)
    rolled_back.end()
    outcome = watcher.watch(rolled_back.release)
    assert_is_rolled_back(outcome)
    assert outcome.elapsed_s > 400 > outcome.rollback.elapsed_s


def test_deployments_one_worker_at_a_time_are_polled_ever_more_rarely(harness, watcher):
    elsewhere = RemoteHolder(harness, ["video"])
    elsewhere.take_lease()
    elsewhere.begin()
    elsewhere.start("video", config=ONE_AT_A_TIME)
    elsewhere.later(600, elsewhere.judge, "video")
    elsewhere.later(600, elsewhere.finish)
    slept_before = len(harness.cloud.clock.slept_s)
    watcher.watch(elsewhere)
    waits = harness.cloud.clock.slept_s[slept_before:]
    assert waits[0] == 1.0
    assert waits[-1] == 5.0
    assert len(waits) < 200


def test_a_journal_that_does_not_say_what_was_set_out_to_do_cannot_be_watched(harness, watcher):
    elsewhere = RemoteHolder(harness, ["video"])
    elsewhere.note("intent", groups=["video"])
    with pytest.raises(Exception, match="does not say what the release planned"):
        watcher.watch(elsewhere)
    assert harness.states.read(APPLICATION)[0].in_progress is None
