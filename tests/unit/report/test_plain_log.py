"""Without a terminal, a release is one line per event, with annotations under CI."""

import pytest

from deployctl.execute.release_state import apply_event, initial_state
from deployctl.model.deployment import Counts, DeploymentStatus
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
    WorkersTagged,
)
from deployctl.model.release import ActiveDeployment, ReleaseKind, StopKind
from deployctl.model.verdict import Verdict
from deployctl.report.plain_log import event_lines
from deployctl.report.runner_commands import RunnerCommand, defuse


@pytest.fixture
def log(make):
    """Sends events to the log of a release of one group, `video`, and returns the lines that each adds."""

    class Log:
        def __init__(self):
            self.started = ReleaseStarted(at=make.now, plan=make.plan([make.group_plan("video")]))
            self.state = initial_state(self.started)

        def lines_for(self, event, *, github=False):
            before, self.state = self.state, apply_event(self.state, event)
            return event_lines(before, event, self.state, github=github)

        def start(self):
            return event_lines(None, self.started, self.state)

        def moved(self, seconds=4, targets=None, **counts):
            return GroupProgressed(
                at=make.at(seconds),
                group="video",
                status=DeploymentStatus.IN_PROGRESS,
                counts=Counts(**counts),
                targets=targets or {},
            )

    return Log()


def test_a_release_from_start_to_end_reads_as_a_log(log, make):
    said = [
        *log.start(),
        *log.lines_for(GroupWaiting(at=make.at(1), group="video", behind="d-OTHER")),
        *log.lines_for(GroupStarted(at=make.at(2), group="video", deployment_id="d-ABC")),
        *log.lines_for(log.moved(4, succeeded=3, in_progress=2, failed=1)),
        *log.lines_for(WorkersTagged(at=make.at(5), instance_ids=("i-1", "i-2"))),
        *log.lines_for(WarningRaised(at=make.at(5), message="i-3 took no tags", group="video")),
        *log.lines_for(GroupFinished(at=make.at(6), outcome=make.group_outcome("video"))),
        *log.lines_for(ReleaseFinished(at=make.at(7), outcome=make.outcome(make.group_outcome("video")))),
    ]
    assert said == [
        "12:00:00Z release  r-20261122-1200  v123 of shop to 1 group, 6 workers, built from main 9f3c1d2",
        "12:00:01Z video  queued behind d-OTHER",
        "12:00:02Z video  d-ABC  started, 6 workers, strategy half",
        "12:00:04Z video  d-ABC  3/6 workers, 2 in progress, 1 failed",
        "12:00:05Z release  2 workers tagged",
        "12:00:05Z video  warning: i-3 took no tags",
        "12:00:06Z video  d-1  verified, 6/6 workers",
        "12:00:07Z release  v123 verified on its only group, 6 workers, in 5m12s",
    ]


def test_each_wave_is_logged_with_its_size(make):
    first, second = make.group_plan("canary", 2), make.group_plan("rest", 6)
    state = initial_state(ReleaseStarted(at=make.now, plan=make.plan([first], [second])))
    events = [
        WaveStarted(at=make.at(1), number=1),
        WaveBaking(at=make.at(2), number=1, until=make.at(302)),
        WaveStarted(at=make.at(303), number=2),
    ]
    assert [line for event in events for line in event_lines(state, event, apply_event(state, event))] == [
        "12:00:01Z release  wave 1 of 2: 1 group, 2 workers",
        "12:00:02Z release  wave 1, baking until 12:05:02Z",
        "12:05:03Z release  wave 2 of 2: 1 group, 6 workers",
    ]


def test_a_single_wave_is_not_logged(log, make):
    assert log.lines_for(WaveStarted(at=make.at(1), number=1)) == []
    assert log.lines_for(WaveBaking(at=make.at(2), number=1, until=make.at(302))) == [
        "12:00:02Z release  baking until 12:05:02Z"
    ]


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        (StopKind.STOP, ""),
        (StopKind.SUPERSEDE, ", for a newer release"),
        (StopKind.ROLLBACK, ", for a rollback"),
    ],
)
def test_a_stop_request_has_a_line_with_its_actor_and_reason(log, make, kind, words):
    assert log.lines_for(StopRequested(at=make.at(31), request=make.stop(kind))) == [
        f"12:00:31Z release  stop requested by maria at 12:00:30Z{words}"
    ]


def test_a_queued_group_has_a_line_with_the_deployment_that_blocks_it(log, make):
    holder = ActiveDeployment(deployment_id="d-X", whose="release r-1", since=make.at(-60))
    assert log.lines_for(GroupWaiting(at=make.at(1), group="video", behind="d-X", holder=holder)) == [
        "12:00:01Z video  queued behind d-X since 11:59:00Z, of release r-1"
    ]


def test_a_rollback_is_logged_as_a_rollback(make):
    plan = make.plan(
        [make.group_plan("video", version="v122")], version="v122", kind=ReleaseKind.ROLLBACK, undoes="r-1"
    )
    started = ReleaseStarted(at=make.now, plan=plan)
    assert event_lines(None, started, initial_state(started)) == [
        "12:00:00Z release  r-20261122-1200  rollback to v122 of shop to 1 group, 6 workers, undoes r-1"
    ]


def test_an_automatically_rolled_back_release_ends_with_both_verdicts(log, make):
    back = make.outcome(
        make.group_outcome("video", version="v122"), version="v122", kind=ReleaseKind.ROLLBACK
    )
    outcome = make.outcome(make.group_outcome("video", Verdict.ROLLED_BACK), rollback=back)
    assert log.lines_for(ReleaseFinished(at=make.at(7), outcome=outcome)) == [
        "12:00:07Z release  rollback to v122 verified on its only group, 6 workers, in 5m12s",
        "12:00:07Z release  v123 verified on 0 of 1 group; rolled back on video",
    ]


def test_an_unchanged_state_is_logged_once(log, make):
    assert log.lines_for(log.moved(1, succeeded=2, pending=4)) != []
    assert log.lines_for(log.moved(2, succeeded=2, pending=4)) == []
    assert log.lines_for(GroupWaiting(at=make.at(3), group="video", behind="d-X")) != []
    assert log.lines_for(GroupWaiting(at=make.at(4), group="video", behind="d-X")) == []
    assert log.lines_for(GroupWaiting(at=make.at(5), group="video", behind="d-Y")) != []


def test_a_failed_worker_is_logged_once_with_its_reason(log, make):
    targets = {"i-0bad": make.failed_target(log="Traceback\nImportError: celery")}
    first = log.lines_for(log.moved(1, targets=targets, succeeded=2, failed=1, pending=3))
    again = log.lines_for(log.moved(2, targets=targets, succeeded=3, failed=1, pending=2))
    assert first[1] == (
        "12:00:01Z video  i-0bad failed: ApplicationStart: ScriptFailed in hooks/start.sh: ImportError: celery"
    )
    assert len(again) == 1


@pytest.mark.parametrize(("status", "when"), [("Succeeded", "after"), ("InProgress", "in")])
def test_a_worker_interrupted_by_a_stop_is_not_logged_as_failed(log, make, status, when):
    said = log.lines_for(
        log.moved(1, targets={"i-0cut": make.interrupted_target(status=status)}, failed=1, pending=5)
    )
    assert said[1] == f"12:00:01Z video  i-0cut interrupted {when} AfterInstall"


def test_an_event_of_a_group_outside_the_plan_is_not_logged(log, make):
    assert log.lines_for(GroupStarted(at=make.now, group="other", deployment_id="d-1")) == []


def test_an_adopted_deployment_is_logged_as_adopted(log, make):
    said = log.lines_for(GroupStarted(at=make.now, group="video", deployment_id="d-1", adopted=True))
    assert "d-1  adopted" in said[0]


@pytest.mark.parametrize(
    ("verdict", "level"),
    [
        (Verdict.FAILED, "error"),
        (Verdict.STOPPED, "error"),
        (Verdict.UNKNOWN, "error"),
        (Verdict.BUSY, "error"),
        (Verdict.PARTIAL, "warning"),
        (Verdict.RUNNING, "warning"),
        (Verdict.ROLLED_BACK, "warning"),
    ],
)
def test_an_unverified_group_is_annotated_on_github(log, make, verdict, level):
    outcome = make.group_outcome("video", verdict, reason="1 of 6 workers: i-1: 50% done, then: failed")
    plain, note = log.lines_for(GroupFinished(at=make.now, outcome=outcome), github=True)
    assert f"{verdict.value}, " in plain
    assert note == (
        f"::{level} title=v123 {verdict.value} on video::1 of 6 workers: i-1: 50%25 done, then: failed"
    )


@pytest.mark.parametrize(
    "verdict", [Verdict.VERIFIED, Verdict.EMPTY, Verdict.NOT_STARTED, Verdict.SUPERSEDED]
)
def test_a_verified_or_skipped_group_is_not_annotated(log, make, verdict):
    outcome = make.group_outcome("video", verdict)
    assert len(log.lines_for(GroupFinished(at=make.now, outcome=outcome), github=True)) == 1


def test_a_requested_stop_is_annotated_once_for_all_groups(log, make):
    asked = log.lines_for(StopRequested(at=make.at(31), request=make.stop()), github=True)
    assert asked[1] == "::error title=stopping v123::stop requested by maria at 12:00:30Z"
    stopped = make.group_outcome("video", Verdict.STOPPED, reason="stopped by maria")
    assert len(log.lines_for(GroupFinished(at=make.at(40), outcome=stopped), github=True)) == 1


def test_an_annotation_escapes_characters_that_end_its_title(log, make):
    warned = WarningRaised(at=make.now, message="100% sure", group="a:b,c")
    assert log.lines_for(warned, github=True)[1] == "::warning title=a%3Ab%2Cc::100%25 sure"


def test_a_log_tail_cannot_issue_github_commands(log, make):
    target = make.failed_target(log="::add-mask::v123\n::error::x ##[stop-commands]y")
    said = log.lines_for(log.moved(1, targets={"i-1": target}, failed=1, pending=5), github=True)
    foreign = [defuse(line) for line in said if not isinstance(line, RunnerCommand)]
    assert all("##[" not in line for line in [*foreign, *said[len(foreign) :]])
    assert not any(line.startswith("::") for line in foreign)


def test_an_annotation_cannot_carry_another_command(log, make):
    warned = WarningRaised(at=make.now, message="x ##[stop-commands]y", group="##[group]a")
    (note,) = [line for line in log.lines_for(warned, github=True) if isinstance(line, RunnerCommand)]
    assert note == "::warning title=## [group]a::x ## [stop-commands]y"


def test_hostile_text_stays_on_its_line(log, make):
    warned = WarningRaised(at=make.now, message="two\nlines\x1b[2J", group="video")
    assert log.lines_for(warned) == ["12:00:00Z video  warning: two lines"]
