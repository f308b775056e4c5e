"""The user's `notify` program: a real one, in its own process."""

from __future__ import annotations

import io
import json
import os
import time
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from deployctl.aws.clock import SystemClock
from deployctl.cli.notify import NotifyHook
from deployctl.model.event import GroupFinished, ReleaseFinished, ReleaseStarted, WarningRaised
from deployctl.model.names import ApplicationName, GroupName, ReleaseId, Version
from deployctl.model.release import GroupOutcome, ReleaseKind, ReleaseOutcome, ReleasePlan
from deployctl.model.strategy import parse_strategy
from deployctl.model.verdict import Verdict, worst
from deployctl.sandbox.state import process_started_at

NOON = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
PLAN = ReleasePlan(
    release_id=ReleaseId("r-1"),
    application=ApplicationName("shop"),
    version=Version("v1"),
    waves=(),
    planned_at=NOON,
    began_at=NOON,
    actor="jo",
)
STARTED = ReleaseStarted(at=NOON, plan=PLAN)
ROLLING_BACK = ReleaseStarted(at=NOON, plan=replace(PLAN, kind=ReleaseKind.ROLLBACK))

APPEND = "#!/bin/sh\ncat >> received.jsonl\n"


def finished(group: str, verdict: Verdict) -> GroupFinished:
    outcome = GroupOutcome(
        group=GroupName(group),
        asgs=(),
        strategy=parse_strategy("half"),
        version=Version("v1"),
        deployment_id=None,
        verdict=verdict,
    )
    return GroupFinished(at=NOON, outcome=outcome)


def over(*groups: GroupFinished) -> ReleaseFinished:
    outcome = ReleaseOutcome(
        release_id=ReleaseId("r-1"),
        application=ApplicationName("shop"),
        version=Version("v1"),
        verdict=worst(group.outcome.verdict for group in groups),
        started_at=NOON,
        elapsed_s=1.0,
        groups=tuple(group.outcome for group in groups),
    )
    return ReleaseFinished(at=NOON, outcome=outcome)


@pytest.fixture
def stderr():
    return io.StringIO()


@pytest.fixture
def notify(tmp_path, stderr):
    """A sink for a program of this text; what it is run with and how long it has may be changed."""

    def make(text=APPEND, *, argv=("./notify.sh",), limit_s=10.0):
        program = tmp_path / "notify.sh"
        program.write_text(text)
        program.chmod(0o755)
        return NotifyHook(
            argv, folder=tmp_path, stream=stderr, clock=SystemClock(), environment={}, limit_s=limit_s
        )

    return make


@pytest.fixture
def received(tmp_path):
    """The documents that the program has received so far."""
    file = tmp_path / "received.jsonl"
    return lambda: [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []


def kinds(documents):
    return [document["kind"] for document in documents]


def test_the_program_runs_at_a_releases_start_first_failure_and_end(notify, received, stderr):
    mail, video, other = (
        finished("mail", Verdict.VERIFIED),
        finished("video", Verdict.FAILED),
        finished("other", Verdict.STOPPED),
    )
    with notify() as sink:
        for event in (
            STARTED,
            WarningRaised(at=NOON, message="x"),
            mail,
            video,
            other,
            over(mail, video, other),
        ):
            sink.emit(event)
    assert kinds(received()) == ["start", "failure", "end"]
    _, failure, end = received()
    assert [(group["name"], group["verdict"]) for group in failure["groups"]] == [
        ("mail", "verified"),
        ("video", "failed"),
    ]
    assert (end["verdict"], end["exit_code"], len(end["groups"])) == ("failed", 1, 3)
    assert stderr.getvalue() == ""


def test_a_group_within_its_budget_is_no_failure(notify, received):
    with notify() as sink:
        for event in (STARTED, finished("mail", Verdict.PARTIAL), over(finished("mail", Verdict.PARTIAL))):
            sink.emit(event)
    assert kinds(received()) == ["start", "end"]


def test_a_rollback_that_follows_has_its_own_notifications(notify, received):
    bad = finished("mail", Verdict.FAILED)
    with notify() as sink:
        for event in (STARTED, bad, ROLLING_BACK, bad, over(bad)):
            sink.emit(event)
    assert [(document["kind"], document["release_kind"]) for document in received()] == [
        ("start", "release"),
        ("failure", "release"),
        ("start", "rollback"),
        ("failure", "rollback"),
        ("end", "rollback"),
    ]


def test_without_a_program_nothing_runs(notify, received, stderr):
    with notify(argv=()) as sink:
        sink.emit(STARTED)
    assert received() == []
    assert stderr.getvalue() == ""


def test_arguments_reach_the_program_unchanged(notify, tmp_path):
    with notify('#!/bin/sh\nprintf "%s|" "$@" > args\n', argv=("./notify.sh", "#a b", "$HOME;x")) as sink:
        sink.emit(STARTED)
    assert (tmp_path / "args").read_text() == "#a b|$HOME;x|"


def test_a_failing_program_is_reported_once_with_its_last_line(notify, stderr, capfd):
    text = "#!/bin/sh\necho loud\necho 'no such channel' >&2\nexit 3\n"
    with notify(text) as sink:
        for event in (STARTED, over(finished("mail", Verdict.VERIFIED))):
            sink.emit(event)
    assert stderr.getvalue() == (
        "warning: notify: ./notify.sh exited with 3: no such channel; the release is not affected\n"
    )
    assert capfd.readouterr() == ("", "")


def test_a_program_killed_by_a_signal_is_reported(notify, stderr):
    with notify("#!/bin/sh\nkill -TERM $$\n") as sink:
        sink.emit(STARTED)
    assert "./notify.sh was killed by SIGTERM" in stderr.getvalue()


def test_a_succeeding_programs_output_is_discarded(notify, stderr, capfd):
    with notify("#!/bin/sh\necho hello\necho world >&2\n") as sink:
        sink.emit(STARTED)
    assert stderr.getvalue() == ""
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("argv", "mode", "words"),
    [
        (("./nowhere.sh",), 0o755, "./nowhere.sh cannot be run: No such file or directory"),
        (("./notify.sh",), 0o644, "./notify.sh cannot be run: Permission denied"),
    ],
)
def test_a_program_that_cannot_run_is_reported(notify, tmp_path, stderr, *, argv, mode, words):
    sink = notify(argv=argv)
    (tmp_path / "notify.sh").chmod(mode)
    with sink:
        sink.emit(STARTED)
        sink.emit(over(finished("mail", Verdict.VERIFIED)))
    assert stderr.getvalue() == f"warning: notify: {words}; the release is not affected\n"


def is_running(pid):
    return bool(process_started_at(pid))


def test_a_hanging_program_is_killed_with_every_process_it_started(notify, tmp_path, stderr):
    text = "#!/bin/sh\nsleep 300 &\necho $! > child\nwait\n"
    began = time.monotonic()
    with notify(text, limit_s=3.5) as sink:
        sink.emit(STARTED)
    assert time.monotonic() - began < 60  # the program itself takes 300 s
    assert "./notify.sh did not finish within 3.5 s and was killed" in stderr.getvalue()
    child = int((tmp_path / "child").read_text())
    deadline = time.monotonic() + 60
    while is_running(child):
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_the_end_of_a_release_waits_for_one_time_limit_only(notify, stderr):
    bad = finished("mail", Verdict.FAILED)
    with notify("#!/bin/sh\nexec sleep 300\n", limit_s=3.0) as sink:
        for event in (STARTED, bad, over(bad)):
            sink.emit(event)
        left = time.monotonic()
    assert time.monotonic() - left < 8.5  # three limits are 9 s
    assert stderr.getvalue().count("warning") == 1


def test_a_slow_program_delays_no_event(notify, received, tmp_path):
    with notify("#!/bin/sh\nuntil test -e both-sent; do sleep 0.02; done\ncat >> received.jsonl\n") as sink:
        sink.emit(STARTED)
        sink.emit(over(finished("mail", Verdict.VERIFIED)))
        (tmp_path / "both-sent").touch()
    assert kinds(received()) == ["start", "end"]


def test_a_program_that_ignores_a_long_document_does_not_block_the_release(notify, stderr):
    groups = [finished(f"group-{number}", Verdict.VERIFIED) for number in range(5_000)]
    with notify("#!/bin/sh\nexit 0\n") as sink:
        for event in (STARTED, *groups, over(*groups)):
            sink.emit(event)
    assert stderr.getvalue() == ""


def test_a_child_left_behind_does_not_block_the_release(notify, stderr, tmp_path):
    began = time.monotonic()
    with notify("#!/bin/sh\ncat > /dev/null\nsleep 300 &\necho $! > child\n") as sink:
        sink.emit(STARTED)
    assert time.monotonic() - began < 60  # the child takes 300 s
    assert stderr.getvalue() == ""
    os.kill(int((tmp_path / "child").read_text()), 9)


def test_a_release_that_ends_in_an_error_has_no_end_notification(notify, received):
    def leave():
        with notify() as sink:
            sink.emit(STARTED)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        leave()
    assert kinds(received()) == ["start"]
