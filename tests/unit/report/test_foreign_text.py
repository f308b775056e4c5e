"""Hostile text in every field that comes from outside, through every renderer.

No output holds a control sequence, a character that turns or hides text, or a command that a CI runner obeys, and no
printed command has a word for the shell that came from outside.
"""

from __future__ import annotations

import json
import subprocess
import unicodedata
from contextlib import redirect_stdout
from dataclasses import replace
from io import StringIO

import pytest
from hypothesis import HealthCheck, given
from hypothesis import strategies as st

from deployctl.cli.output import print_json
from deployctl.errors import Failed
from deployctl.execute.release_state import apply_event, initial_state
from deployctl.flows.explain import UnknownWorkerOrGroup
from deployctl.model.cause import Category, Cause
from deployctl.model.event import GroupFinished, ReleaseStarted, StatusMessage, StopRequested, WarningRaised
from deployctl.model.release import DesiredState, ReleaseInProgress, ReleaseKind
from deployctl.model.release_record import GroupLogs, History, ReleaseLogs, ReleaseRecord, ReleaseSummary
from deployctl.model.verdict import Verdict
from deployctl.observe.status import ApplicationStatus, GroupStatus
from deployctl.plan.repair import RepairRules, plan_repair
from deployctl.ports import Holder, LeaseView
from deployctl.report.artifacts import artifact_lines
from deployctl.report.csv_output import write_csv
from deployctl.report.errors import error_lines
from deployctl.report.explain import explain_json, explain_lines
from deployctl.report.github_summary import step_summary
from deployctl.report.history import history_json, history_lines
from deployctl.report.html.page import page
from deployctl.report.json_output import reconcile_json, release_json
from deployctl.report.lock import lock_lines, lock_release_lines
from deployctl.report.logs import logs_json, logs_lines
from deployctl.report.plain_log import event_lines
from deployctl.report.plan import plan_lines
from deployctl.report.reconcile_table import fleet_lines
from deployctl.report.release_summary import summary
from deployctl.report.repair import repair_plan_lines
from deployctl.report.runner_commands import RunnerCommand, defuse
from deployctl.report.status import status_lines
from deployctl.report.style import UNICODE
from tests.examples import examples
from tests.fakes.artifacts import made_up_artifact
from tests.fakes.fleet_reports import made_up_report
from tests.fakes.foreign_text import with_foreign_text
from tests.fakes.releasing import ReleaseHarness

COLUMNS = 80
_PIECES = (
    *("::error::x", "::add-mask::v1", "##[group]x", "##vso[x]", "section_start:1:a\r\x1b[0K", "::"),
    *("\x1b[2J", "\x1b]0;t\x07", "\x9b2J", "\r", "\n", "\t", "\x00", "\x7f", "\u202e", "\u2066", "\u200b"),
    *(";no-such ", "$(no-such)", "`no-such`", "&& no-such ", "| no-such", "> /no/such", "'", '"', "\\", "#"),
    *(" ", "*", "[", "\ud800", "\udce9", "\u2028", "\ufeff", "-", "~", "name", "日本"),
)
HOSTILE = st.lists(st.sampled_from(_PIECES), min_size=1, max_size=5).map("".join) | st.text(
    st.characters(exclude_categories=[]), min_size=1, max_size=12
)
_SHELL = "deployctl() { :; }; aws() { :; }; git() { :; }\n"
_STARTS = ("deployctl ", "aws ", "git ")


@pytest.fixture(scope="module")
def stories():
    """The explanations of a group and of its failed worker."""
    harness = ReleaseHarness({"audio": 3, "video": 4}, strategies={"video": "one"})
    harness.cloud.inject("hook-fails", instance=harness.cloud.instance_ids("video")[0], message="no database")
    harness.release()
    return [harness.explain(noun) for noun in ("video", harness.cloud.instance_ids("video")[0])]


def drifted(make):
    """A worker of each cause, in a group of each."""
    causes = [
        make.stale(f"i-{cause.value}", f"g-{cause.value}", cause=cause, desired_verdict=verdict)
        for cause in Cause
        for verdict in (Verdict.VERIFIED, Verdict.FAILED)
    ]
    return [*causes, make.worker("i-a", "video", Category.NOT_MANAGED), make.worker("i-b", "video")]


def release_record(make):
    return ReleaseRecord(
        release_id="r-1",
        version="v123",
        began_at=make.now,
        last_at=make.now,
        intent=make.plan([make.group_plan("mail", 2)]).intent,
        verdict=Verdict.FAILED,
    )


def release_logs(make):
    target = make.failed_target(log="one\ntwo")
    outcome = make.group_outcome("mail", Verdict.FAILED, verified=2, failed=["cause"], reason="reason")
    group = GroupLogs(group="mail", version="v123", outcome=outcome, deployment_id="d-1", targets=(target,))
    return ReleaseLogs(record=release_record(make), groups=(group,), others=1)


def status_of(make):
    desired = DesiredState(
        version="v1",
        sequence=1,
        release="r-1",
        since=make.now,
        previous_verified="v0",
        verdict=Verdict.FAILED,
        deployment_id="d-1",
    )
    return ApplicationStatus(
        application="shop",
        at=make.now,
        in_progress=None,
        record=None,
        lease=None,
        wave=0,
        groups=(GroupStatus(group="mail", desired=desired, deployment=None, waits_for_wave=None),),
    )


def outcome_of(make):
    bad = make.group_outcome("mail", Verdict.FAILED, verified=2, failed=["cause"], reason="reason")
    busy = make.group_outcome("busy", Verdict.BUSY, reason="busy with d-9")
    unstarted = make.group_outcome("later", Verdict.NOT_STARTED, verified=0)
    return make.outcome(bad, busy, unstarted, make.group_outcome("back", Verdict.ROLLED_BACK))


def samples(make, stories, foreign):
    """The lines and the JSON documents of every renderer, for values made foreign by `foreign`."""
    wide = {"columns": COLUMNS, "glyphs": UNICODE}
    found = foreign(make.found(*drifted(make)))
    logs, status, outcome = foreign(release_logs(make)), foreign(status_of(make)), foreign(outcome_of(make))
    past = ReleaseSummary(release_id="r-1", record=release_record(make))
    history = foreign(History(application="shop", at=make.at(60), releases=(past,), number=2))
    view = foreign(
        LeaseView(
            holder=Holder(actor="a", host="h", pid=1, release="r-1", version="v1", acquired_at=make.now),
            expires_in_s=20.0,
            renewed_ago_s=4.0,
        )
    )
    unfinished = foreign(
        ReleaseInProgress(release="r-1", version="v1", kind=ReleaseKind.RELEASE, actor="a", began_at=make.now)
    )
    stories = [foreign(story) for story in stories]
    plan = foreign(make.plan([make.group_plan("mail", 2)]))
    name = foreign("name")
    repair = foreign(plan_repair(make.found(*drifted(make)), RepairRules(strategies={}, published={"v123"})))
    artifact = foreign(made_up_artifact("shop", "v1", size_bytes=1, unpacked_bytes=5, file_count=1))
    csv = StringIO()
    write_csv(csv, found.workers)
    errors = [
        Failed(name, noun=name, remedy=None, details=(name, name)),
        UnknownWorkerOrGroup(name, name, [name]),
    ]
    lines = [
        *fleet_lines(found, now=make.now, **wide),
        *logs_lines(logs, **wide),
        *history_lines(history, **wide),
        *status_lines(status, **wide),
        *summary(outcome, glyphs=UNICODE),
        *repair_plan_lines(repair, in_progress=unfinished, **wide),
        *(line for story in stories for line in explain_lines(story, **wide)),
        *plan_lines(plan, columns=COLUMNS),
        *artifact_lines(name, [artifact], {}, [], groups=1, columns=COLUMNS),
        *lock_lines(name, view, now=make.now, glyphs=UNICODE),
        *lock_lines(name, None, now=make.now, glyphs=UNICODE, in_progress=unfinished),
        *lock_release_lines(name, view, glyphs=UNICODE),
        *(line for error in errors for line in error_lines(error, glyphs=UNICODE)),
        *logged(make, foreign, plan),
        *csv.getvalue().split("\n"),
        *step_summary([outcome]).split("\n"),
    ]
    documents = [
        reconcile_json(found),
        release_json(outcome),
        logs_json(logs),
        history_json(history),
        *map(explain_json, stories),
        *(error.as_json() for error in errors),
    ]
    return [line if isinstance(line, str) else line.plain for line in lines], documents


def logged(make, foreign, plan):
    started = ReleaseStarted(at=make.now, plan=plan)
    state = initial_state(started)
    lines = event_lines(None, started, state, github=True)
    for event in (
        StatusMessage(at=make.now, what="what"),
        WarningRaised(at=make.now, message="message", group="group"),
        StopRequested(at=make.now, request=make.stop()),
        GroupFinished(at=make.now, outcome=make.group_outcome("mail", Verdict.FAILED, reason="reason")),
    ):
        before, heard = state, foreign(event)
        state = state if isinstance(heard, StatusMessage) else apply_event(state, heard)
        lines += event_lines(before, heard, state, github=True)
    return lines


def is_obeyed(line):
    return line.lstrip().startswith("::") or any(
        mark in line for mark in ("##[", "##vso[", "section_start:1")
    )


def harm_in(line):
    """As a terminal and a CI runner read it, once it has passed the stream."""
    if isinstance(line, RunnerCommand):
        line = line.removeprefix("::")
    is_plain = all(unicodedata.category(c) not in ("Cc", "Cf", "Cs", "Zl", "Zp") for c in line)
    return not is_plain or is_obeyed(defuse(line))


def commands_in(lines):
    shown = [line.lstrip().removeprefix("→ ") for line in lines if line.lstrip().startswith("→ ")]
    return [command for command in shown if command.startswith(_STARTS)]


@examples(
    suite=20, soak=500, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(texts=st.lists(HOSTILE, min_size=4, max_size=4))
def test_hostile_text_is_harmless_in_every_output(make, stories, texts):
    drawn: dict[str, str] = {}

    def draw(said):
        # A unique suffix keeps different texts different.
        return drawn.setdefault(said, f"{texts[len(drawn) % len(texts)]}{len(drawn):02}")

    lines, documents = samples(make, stories, lambda value: with_foreign_text(value, draw))
    assert [line for line in lines if harm_in(line)] == []
    for document in documents:
        shown = StringIO()
        with redirect_stdout(shown):
            print_json(document)
        assert json.loads(shown.getvalue()) == json.loads(json.dumps(document))
        for line in shown.getvalue().split("\n"):
            assert not any(unicodedata.category(c) in ("Cc", "Cf", "Zl", "Zp") for c in line)
            assert not is_obeyed(line)
    commands = commands_in(lines)
    assert commands
    remedies = [worker.remedy for worker in with_foreign_text(make.found(*drifted(make)), draw).workers]
    run = subprocess.run(
        ["bash", "--norc"],
        input=_SHELL + "\n".join([*commands, *filter(None, remedies)]) + "\n",
        env={"PATH": ""} | {"LC_ALL": "C.UTF-8"},
        executable="/bin/bash",
        capture_output=True,
        text=True,
        check=False,
    )
    assert (run.returncode, run.stderr) == (0, "")


@examples(suite=10, soak=300)
@given(text=HOSTILE)
def test_no_line_of_the_page_is_obeyed_by_a_runner(text):
    report = replace(made_up_report(3, 2, behind=2), unread=("a reason",))
    body = page(with_foreign_text(report, lambda said: text + said))
    assert not any(mark in body for mark in ("##[", "##vso["))
    assert not any(line.lstrip().startswith("::") for line in body.splitlines())
