"""`deployctl logs`: a worker's escaped output below its lifecycle event."""

import json
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given
from hypothesis import strategies as st

from deployctl.model.deployment import LifecycleEvent, Target, TargetStatus
from deployctl.model.release import WorkerOutcome
from deployctl.model.release_record import GroupLogs, ReleaseLogs, ReleaseRecord
from deployctl.model.verdict import Verdict, WorkerVerdict
from deployctl.report.logs import LOG_CHARS, log_lines, logs_json, logs_lines
from deployctl.report.style import ASCII, UNICODE
from tests.examples import examples


class Logs:
    def __init__(self, make):
        self.make = make

    def target(self, instance_id="i-0bad", *, log="Traceback\nImportError: celery\n"):
        event = LifecycleEvent
        return Target(
            deployment_id="d-1",
            instance_id=instance_id,
            status=TargetStatus.FAILED,
            updated_at=self.make.now,
            events=(
                event(
                    name="ApplicationStop",
                    status="Succeeded",
                    started_at=self.make.at(0),
                    ended_at=self.make.at(2.5),
                ),
                event(
                    name="ApplicationStart",
                    status="Failed",
                    started_at=self.make.at(3),
                    ended_at=self.make.at(75),
                    error_code="ScriptFailed",
                    script="hooks/start.sh",
                    log_tail=log,
                ),
                event(name="ValidateService", status="Skipped"),
            ),
        )

    def skipped(self, instance_id):
        return Target(
            deployment_id="d-1", instance_id=instance_id, status=TargetStatus.SKIPPED, updated_at=None
        )

    def outcome(self, name, verdict=Verdict.FAILED, reason="1 of 6 workers"):
        outcome = self.make.group_plan(name).outcome(verdict, asgs=())
        return replace(outcome, deployment_id="d-1", reason=reason)

    def group(self, name="mail", *targets, **changes):
        facts = {"version": "v123", "outcome": self.outcome(name), "deployment_id": "d-1", "targets": targets}
        return GroupLogs(group=name, **{**facts, **changes})

    def __call__(self, *groups, others=0, verdict=Verdict.FAILED):
        record = ReleaseRecord(
            release_id="r-1",
            version="v123",
            began_at=self.make.now,
            last_at=self.make.now,
            intent=self.make.plan([]).intent,
            verdict=verdict,
        )
        return ReleaseLogs(record=record, groups=groups, others=others)


@pytest.fixture
def logs(make):
    return Logs(make)


def lines_of(found, *, columns=None, glyphs=UNICODE):
    return [line.plain for line in logs_lines(found, columns=columns, glyphs=glyphs)]


def test_a_failed_target_has_its_events_script_and_output(logs):
    assert lines_of(logs(logs.group("mail", logs.target()), others=49)) == [
        "release r-1 of v123: failed; began 2026-11-22 12:00:00Z by ci",
        "",
        "✗ mail  failed  d-1",
        "  i-0bad  ApplicationStart: ScriptFailed in hooks/start.sh",
        "    event             status      took  error         script",
        "    ApplicationStop   Succeeded   2.5s",
        "    ApplicationStart  Failed     1m12s  ScriptFailed  hooks/start.sh",
        "    │ Traceback",
        "    │ ImportError: celery",
        "",
        "no failures in 49 other groups",
    ]


def test_skipped_targets_and_untargeted_workers_are_named_below(logs):
    late = WorkerOutcome(instance_id="i-late", verdict=WorkerVerdict.FAILED, cause="launched meanwhile")
    skipped = [logs.skipped(f"i-{n}") for n in range(7)]
    lines = lines_of(logs(logs.group("mail", logs.target(), *skipped, elsewhere=(late,))))
    assert lines[-2:] == [
        "  skipped: i-0, i-1, i-2, i-3, i-4, and 2 more",
        "  i-late  launched meanwhile; not targeted",
    ]


def test_an_agent_without_any_event_is_reported(logs):
    silent = replace(logs.target(), events=())
    assert "  i-0bad  the CodeDeploy agent did not pick up the deployment" in lines_of(
        logs(logs.group("mail", silent))
    )


def test_without_target_errors_the_group_and_codedeploy_give_the_reason(logs):
    group = logs.group("mail", outcome=logs.outcome("mail", reason="d-1: IAM_ROLE_MISSING"), unread="no d-1")
    assert lines_of(logs(group))[2:] == [
        "✗ mail  failed  d-1",
        "  d-1: IAM_ROLE_MISSING",
        "  not read: no d-1",
    ]


def test_a_release_without_failures_says_so(logs):
    assert lines_of(logs(others=50, verdict=Verdict.VERIFIED))[-1] == "no failures in 50 groups"
    assert lines_of(logs(others=50, verdict=None))[-1] == "no failures in 50 groups so far"


def test_hundreds_of_failed_targets_are_counted_and_stay_in_the_json(logs):
    found = logs(logs.group("mail", *(logs.target(f"i-{n:03}") for n in range(300))))
    lines = lines_of(found)
    assert len(lines) < 80
    assert "  … and 290 more failed targets; --json lists all of them" in lines
    assert len(logs_json(found)["groups"][0]["targets"]) == 300


def test_a_long_line_wraps_on_a_terminal_and_stays_whole_in_a_pipe(logs):
    found = logs(logs.group("mail", logs.target(log="word " * 60)))
    assert max(map(len, lines_of(found))) > 250
    folded = lines_of(found, columns=60)
    assert max(map(len, folded)) <= 60
    assert sum(line.startswith("    │ word") for line in folded) >= 5


def test_a_terminal_without_unicode_gets_ascii_alone(logs):
    assert all(line.isascii() for line in lines_of(logs(logs.group("mail", logs.target())), glyphs=ASCII))


def test_only_the_end_of_a_log_is_shown():
    assert log_lines("x" * 10_000_000 + "\nthe end") == ["x" * (LOG_CHARS - 8), "the end"]
    assert log_lines(None) == []
    assert log_lines("one\n\ttwo  \n\n\n") == ["one", "    two"]


HOSTILE = st.text(
    alphabet=st.characters(exclude_categories=()) | st.sampled_from("\x1b[]\x9b\n\r\t\ud800日"), max_size=400
)


@examples(suite=80, soak=1_000, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(log=HOSTILE, name=HOSTILE, message=HOSTILE, columns=st.integers(20, 200))
def test_output_of_a_worker_reaches_the_terminal_only_as_text(make, log, name, message, columns):
    logs = Logs(make)
    target = logs.target(log=log)
    target = replace(
        target, events=(*target.events[:1], replace(target.events[1], script=name, message=message))
    )
    found = logs(logs.group(name or "-", target, outcome=logs.outcome("x", reason=message)))
    for line in [*lines_of(found), *lines_of(found, columns=columns)]:
        assert line.isprintable()
    json.dumps(logs_json(found), ensure_ascii=True)
