"""The repair's plan before the confirmation, and its results."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given
from hypothesis import strategies as st
from rich.cells import cell_len

from deployctl.execute.repair_outcome import RepairOutcome, RepairResult
from deployctl.model.cause import Category, Cause
from deployctl.model.release import ReleaseInProgress, ReleaseKind, WorkerOutcome
from deployctl.model.strategy import parse_strategy
from deployctl.model.verdict import Verdict, WorkerVerdict
from deployctl.plan.repair import RepairRules, plan_repair
from deployctl.report.repair import repair_json, repair_lines, repair_plan_json, repair_plan_lines
from deployctl.report.style import ASCII, UNICODE
from tests.examples import examples

GROUPS = ("audit-log", "mail-send", "video-transcode")


def planned(make, *workers, replaces=False):
    rules = RepairRules(
        strategies=dict.fromkeys(GROUPS, parse_strategy("half")), published={"v123"}, replaces=replaces
    )
    return plan_repair(make.found(*workers), rules)


def lines_of(plan, *, columns=80, in_progress=None, glyphs=UNICODE):
    return [
        line.plain
        for line in repair_plan_lines(plan, in_progress=in_progress, columns=columns, glyphs=glyphs)
    ]


def silent(make, instance_id, group="mail-send"):
    return make.stale(instance_id, group, cause=Cause.AGENT_SILENT)


def came_of(make, plan, before, after, *rounds, elapsed_s=124.0):
    return RepairOutcome(
        plan=plan,
        before=make.found(*before),
        rounds=rounds,
        after=make.found(*after),
        elapsed_s=elapsed_s,
    )


def said(outcome, *, columns=120):
    return [line.plain for line in repair_lines(outcome, columns=columns, glyphs=UNICODE)]


def test_the_first_line_counts_fixed_workers_by_action(make):
    plan = planned(
        make,
        make.stale("i-1"),
        make.stale("i-2", cause=Cause.TAG_EDITED),
        silent(make, "i-3", "video-transcode"),
        make.stale("i-4", "audit-log", cause=Cause.STANDBY),
        replaces=True,
    )
    assert lines_of(plan, columns=120)[0] == (
        "3 of 4 drifted workers of shop would be fixed: 1 tagged, 1 deployed to, 1 replaced; 1 skipped"
    )


def test_a_fleet_without_drift_has_nothing_to_fix(make):
    assert lines_of(planned(make, make.worker("i-1"))) == ["no worker of shop has drifted: nothing to fix"]


def test_each_group_shows_its_actions_workers_and_how_many_are_down_at_once(make):
    workers = [make.stale(f"i-{n}") for n in range(4)]
    lines = lines_of(planned(make, *workers, make.stale("i-9", cause=Cause.STOP_SCRIPT_BROKEN)))
    at = lines.index("mail-send  desired v123, strategy half")
    assert lines[at + 1] == "  deploy v123 to 5 workers, 2 at a time"
    assert lines[at + 2] == "    i-0  stale  skipped-deployment-stopped-early"
    assert lines[at + 6] == "    i-9  stale  stop-script-broken: ignoring its ApplicationStop failure"


def test_a_replacement_says_that_it_terminates_workers(make):
    lines = lines_of(planned(make, *(silent(make, f"i-{n}") for n in range(4)), replaces=True))
    assert "  terminate 4 workers, 2 at a time; Auto Scaling launches replacements" in lines


def test_a_skipped_worker_has_its_reason_and_remedy(make):
    failed = make.stale("i-1", cause=Cause.SCRIPT_FAILED, desired_verdict=Verdict.FAILED)
    lines = lines_of(planned(make, failed, silent(make, "i-2", "audit-log")), columns=120)
    assert lines[0] == "--fix cannot fix any of the 2 drifted workers of shop"
    assert "    i-1  stale  script-failed: v123 is not verified here: failed" in lines
    assert any(line.startswith("    → deployctl rollback --to v122 --group mail-send") for line in lines)
    assert "    i-2  stale  agent-silent: its CodeDeploy agent does not answer; needs --replace" in lines
    assert "    → deployctl reconcile --fix --replace --group audit-log" in lines


def test_skipped_workers_that_codedeploy_may_also_deploy_to_are_counted(make):
    blamed = make.stale("i-1", cause=Cause.SCRIPT_FAILED, desired_verdict=Verdict.PARTIAL)
    unlucky = [
        make.stale(f"i-{n}", cause=Cause.BUNDLE_DOWNLOAD_FAILED, desired_verdict=Verdict.PARTIAL)
        for n in (2, 3, 4)
    ]
    aside = make.stale("i-5", cause=Cause.STANDBY, desired_verdict=Verdict.PARTIAL)
    said_of = "  CodeDeploy picks the outdated workers itself: it may also deploy to 1 of these"
    assert said_of in lines_of(planned(make, blamed, *unlucky, aside))
    assert not any("may also deploy to" in line for line in lines_of(planned(make, blamed, aside)))


def test_a_deploying_repair_warns_that_the_whole_group_may_be_redeployed(make):
    assert any("redeploys" in line for line in lines_of(planned(make, make.stale("i-1"))))
    tagged = lines_of(planned(make, make.stale("i-1", cause=Cause.TAG_EDITED)))
    assert not any("redeploys" in line for line in tagged)


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        (ReleaseKind.REPAIR, "its deployments must finish first"),
        (ReleaseKind.RELEASE, "nothing can be fixed until it finishes"),
    ],
)
def test_an_unfinished_release_is_named(make, kind, words):
    in_progress = ReleaseInProgress(
        release="r-1", version="v123", kind=kind, actor="maria", began_at=make.now
    )
    lines = lines_of(planned(make, make.stale("i-1")), in_progress=in_progress, columns=200)
    assert lines[1].startswith(f"{kind.value} r-1, started by maria")
    assert words in lines[1]


def test_no_worker_is_called_as_desired_during_an_unfinished_release(make):
    kind = ReleaseKind.RELEASE
    in_progress = ReleaseInProgress(
        release="r-1", version="v123", kind=kind, actor="maria", began_at=make.now
    )
    lines = lines_of(planned(make, make.worker("i-1")), in_progress=in_progress, columns=200)
    assert lines[0] == "no worker of shop has drifted so far"


def test_many_workers_of_a_group_are_counted(make):
    lines = lines_of(planned(make, *(make.stale(f"i-{n:03}") for n in range(200))))
    assert sum(line.startswith("    i-") for line in lines) == 20
    assert "    … and 180 more" in lines


NAMES = st.text(max_size=60)


@examples(suite=60, soak=1_000, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(columns=st.integers(40, 220), evidence=NAMES, why=st.sampled_from(Cause))
def test_no_line_is_wider_than_the_terminal_but_for_commands(make, columns, evidence, why):
    workers = [make.stale(f"i-{n:017x}", cause=why, evidence=evidence) for n in range(3)]
    plan = planned(make, *workers)
    outcome = came_of(make, plan, workers, workers)
    for line in (
        *lines_of(plan, columns=columns),
        *(t.plain for t in repair_lines(outcome, columns=columns, glyphs=UNICODE)),
    ):
        assert cell_len(line) <= columns or line.lstrip().startswith("→")


def test_on_a_narrow_terminal_the_cause_moves_below_the_worker_and_stays_whole(make):
    worker = silent(make, f"i-{1:017x}")
    plan = planned(make, worker)
    assert "      agent-silent: its CodeDeploy agent" in lines_of(plan, columns=40)
    lines = said(came_of(make, plan, [worker], [worker]), columns=40)
    assert "      skipped, agent-silent: its" in lines


def test_a_terminal_without_unicode_gets_ascii(make):
    lines = lines_of(planned(make, silent(make, "i-1")), glyphs=ASCII)
    assert all(line.isascii() for line in lines)


def test_hostile_names_stay_harmless(make):
    plan = planned(make, make.stale("i-\x1b[2J1", evidence="\x1b]0;owned\x07"))
    assert not any("\x1b" in line for line in lines_of(plan))


# Afterwards.


def test_a_complete_repair_is_one_sentence(make):
    before = [make.stale("i-1"), make.stale("i-2", cause=Cause.TAG_EDITED)]
    group = make.group_outcome("mail-send", verified=0)
    held = [WorkerOutcome(instance_id=i, verdict=WorkerVerdict.VERIFIED) for i in ("i-1", "i-2")]
    group = replace(group, workers=tuple(held))
    after = [make.worker("i-1"), make.worker("i-2")]
    outcome = came_of(make, planned(make, *before), before, after, make.outcome(group))
    assert said(outcome) == [
        "mail-send",
        "  ✓ i-1  fixed: deployed to",
        "  ✓ i-2  fixed: tagged",
        "✓ 2 of 2 workers fixed in 2m04s; all 2 workers of shop as desired",
    ]


def test_a_failed_repair_has_its_reason_and_remedy(make):
    before = [make.stale("i-1"), make.stale("i-2")]
    after = [
        make.worker("i-1"),
        make.worker("i-2", category=Category.FAILED, cause=Cause.SCRIPT_FAILED, evidence="evidence"),
    ]
    failed = make.group_outcome("mail-send", Verdict.FAILED, verified=0)
    bad = WorkerOutcome(
        instance_id="i-2",
        verdict=WorkerVerdict.FAILED,
        cause="ValidateService: ScriptFailed: no database",
    )
    good = WorkerOutcome(instance_id="i-1", verdict=WorkerVerdict.VERIFIED)
    failed = replace(failed, workers=(good, bad))
    outcome = came_of(make, planned(make, *before), before, after, make.outcome(failed))
    lines = said(outcome)
    assert "  ✗ i-2  not fixed, script-failed: ValidateService: ScriptFailed: no database" in lines
    assert "    → deployctl release v123 --existing --group mail-send --redeploy" in lines
    assert lines[-1] == "✗ 1 of 2 workers fixed in 2m04s; 1 worker of shop drifted"


def test_replaced_skipped_and_newly_drifted_workers_are_distinguished(make):
    before = [silent(make, "i-1"), make.stale("i-2", "audit-log", cause=Cause.STANDBY)]
    plan = planned(make, *before, replaces=True)
    group = make.group_outcome("mail-send", verified=0)
    gone = WorkerOutcome(instance_id="i-1", verdict=WorkerVerdict.EXCUSED, cause="replaced by i-9")
    group = replace(group, workers=(gone,))
    after = [make.worker("i-9"), before[1], make.stale("i-7", "video-transcode")]
    outcome = came_of(make, plan, before, after, make.outcome(group))
    assert {r.worker.instance_id: r.result for r in outcome.workers} == {
        "i-1": RepairResult.REPLACED,
        "i-2": RepairResult.SKIPPED,
        "i-7": RepairResult.NEWLY_DRIFTED,
    }
    lines = said(outcome)
    assert "  ✓ i-1  replaced by i-9" in lines
    assert "  ✗ i-2  skipped, standby: in Standby: CodeDeploy does not deploy to it" in lines
    assert lines[-1] == ("✗ 1 of 1 worker fixed in 2m04s; 2 workers of shop drifted, 1 since the plan")


def test_a_terminated_worker_without_a_replacement_fails_without_a_remedy(make):
    before = [silent(make, "i-1")]
    why = "not replaced: nothing came into service in its place within 30 min"
    lost = WorkerOutcome(instance_id="i-1", verdict=WorkerVerdict.FAILED, cause=why)
    group = replace(make.group_outcome("mail-send", verified=0), workers=(lost,))
    outcome = came_of(make, planned(make, *before, replaces=True), before, [], make.outcome(group))
    lines = said(outcome, columns=200)
    assert lines[:2] == ["mail-send", f"  ✗ i-1  gone, {why}"]
    assert lines[2].endswith("; 0 workers of shop drifted, 1 terminated without a replacement")
    (worker,) = repair_json(outcome)["groups"][0]["workers"]
    assert (worker["result"], worker["category_after"]) == ("not-fixed", None)


def test_drift_outside_the_selected_categories_is_shown_and_does_not_count(make):
    before = [make.stale("i-1"), make.worker("i-2", "mail-send", Category.NEVER_TAGGED)]
    asked = (Category.NEVER_TAGGED,)

    def after(*workers):
        return replace(came_of(make, planned(make, *before), before, workers), categories=asked)

    others = after(before[0], make.worker("i-2"))
    assert others.remaining == 0
    assert said(others)[-1].startswith("✓")
    assert said(others)[-1].endswith("1 worker of shop drifted, none of them never-tagged")
    # A selected worker counts in any category, and so does a newly drifted one.
    assert after(make.worker("i-1"), make.stale("i-2")).remaining == 1
    assert after(make.worker("i-3", "mail-send", Category.NEVER_TAGGED)).remaining == 1


def test_a_repair_that_is_still_running_says_so(make):
    before = [make.stale("i-1")]
    after = [make.worker("i-1", category=Category.DEPLOYING)]
    running = make.outcome(make.group_outcome("mail-send", Verdict.RUNNING, verified=0))
    outcome = came_of(make, planned(make, *before), before, after, running)
    assert outcome.is_running
    assert said(outcome)[-1] == "▶ 0 of 1 worker fixed in 2m04s; still running"


def test_the_json_plan_has_every_worker_and_no_results(make):
    plan = planned(make, make.stale("i-1"), silent(make, "i-2", "audit-log"))
    document = repair_plan_json(plan, in_progress=None)
    assert json.loads(json.dumps(document)) == document
    assert document["schema"] == "deployctl.repair/1"
    assert (document["done"], document["after"], document["rounds"]) == (False, None, None)
    assert document["summary"] == {
        "drifted": 2,
        "by_action": {"retag": 0, "redeploy": 1, "replace": 0, "skip": 1},
        "by_result": None,
    }
    (left,) = document["groups"][0]["workers"]
    assert (left["action"], left["result"]) == ("skip", None)


def test_the_json_outcome_has_the_result_of_each_worker(make):
    before = [make.stale("i-1"), silent(make, "i-2", "audit-log")]
    after = [make.worker("i-1"), before[1], make.stale("i-7", "video-transcode")]
    group = make.group_outcome("mail-send", verified=0)
    held = WorkerOutcome(instance_id="i-1", verdict=WorkerVerdict.VERIFIED)
    group = replace(group, workers=(held,))
    outcome = came_of(make, planned(make, *before), before, after, make.outcome(group))
    document = repair_json(outcome)
    assert json.loads(json.dumps(document)) == document
    assert document["summary"]["by_result"] == {
        "fixed": 1,
        "replaced": 0,
        "gone": 0,
        "current": 0,
        "not-fixed": 0,
        "skipped": 1,
        "newly-drifted": 1,
    }
    assert [w["instance_id"] for w in document["newly_drifted"]] == ["i-7"]
    assert document["after"]["drifted"] == 2
    assert [r["schema"] for r in document["rounds"]] == ["deployctl.release/1"]


def test_a_worker_that_recovered_by_itself_is_not_counted_as_fixed(make):
    before = [make.stale("i-1"), make.stale("i-2")]
    outcome = came_of(make, planned(make, *before), before, [make.worker("i-1")])
    assert said(outcome) == [
        "mail-send",
        "  · i-1  current already, without this repair",
        "  · i-2  gone",
        "✓ 0 of 2 workers fixed in 2m04s, 2 no longer needed it; 1 worker of shop as desired",
    ]


def test_a_worker_that_still_fails_with_ignored_application_stop_needs_replacing(make):
    broken = make.stale("i-1", cause=Cause.STOP_SCRIPT_BROKEN)
    lines = said(came_of(make, planned(make, broken), [broken], [broken]))
    assert "    → deployctl reconcile --fix --replace --group mail-send" in lines
