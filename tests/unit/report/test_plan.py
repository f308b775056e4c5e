"""A dry run shows the whole plan: each group's action, nothing cut off."""

import re
from dataclasses import replace

import pytest

from deployctl.model.query_rows import DurationStats
from deployctl.model.release import ActiveDeployment, GroupAction
from deployctl.model.strategy import Budget, OnFailure, Policy
from deployctl.model.verdict import Verdict
from deployctl.plan.forecast import Forecast
from deployctl.report.plan import plan_lines


def lines_of(plan, columns=120, **known):
    outlook = outlook_for(plan, **known) if known else None
    return [line.plain.rstrip() for line in plan_lines(plan, columns=columns, outlook=outlook)]


def outlook_for(plan, *, busy=None, took=None, gap=None, adopted=None):
    """`took` are P50 and P95 by group."""
    durations = {g: DurationStats(p50_s=p50, p95_s=p95, releases=9) for g, (p50, p95) in (took or {}).items()}
    return Forecast(plan=plan, busy=busy or {}, durations=durations, history_gap=gap, adopted=adopted or {})


@pytest.fixture
def plan(make):
    return make.plan(
        [
            make.group_plan("mail-send", 6, strategy="25%"),
            make.group_plan("pdf", 0, step=GroupAction.EMPTY),
            make.group_plan("video", 4, step=GroupAction.DONE, seen="v123"),
        ]
    )


def test_the_first_line_says_what_would_happen_and_that_nothing_changed(plan):
    assert lines_of(plan, 200)[0] == (
        "release r-20261122-1200 of shop v123 would start: 1 deployment to 6 workers,"
        " 1 group without workers in service, 1 group already done. Nothing was changed."
    )


def test_the_plan_shows_the_ref_and_the_commit(plan):
    assert "v123 is built from main 9f3c1d2" in lines_of(plan)


def test_lint_errors_that_the_build_ignored_are_shown(plan):
    artifact = plan.artifacts[0]
    manifest = replace(artifact.manifest, lint_errors=("appspec.yml:2: os 'Linux' is not linux", "another"))
    shown = lines_of(plan.with_artifact(replace(artifact, manifest=manifest)), 200)
    wanted = "v123 is built with --lint=warn: 2 lint errors ignored, such as appspec.yml:2: os 'Linux' is not linux"
    assert wanted in shown


def test_each_group_has_a_row(plan):
    rows = lines_of(plan)
    row = next(line for line in rows if line.startswith("mail-send")).split("  ")
    cells = [cell.strip() for cell in row if cell.strip()]
    assert cells == ["mail-send", "mail-send-asg", "25%", "HalfAtATime", "6", "v122", "deploy"]
    assert "set the version" in next(line for line in rows if line.startswith("pdf"))
    assert next(line for line in rows if line.startswith("video")).endswith("already verified")


def test_a_resumed_release_shows_the_remaining_action_of_each_group(make):
    failed = replace(make.group_plan("mail", step=GroupAction.DONE), known_verdict=Verdict.FAILED)
    empty = replace(make.group_plan("pdf", 0, step=GroupAction.DONE), known_verdict=Verdict.EMPTY)
    plan = make.plan([make.group_plan("audio"), failed, empty, make.group_plan("video", 4)], resumes=True)
    lines = lines_of(plan, 200, adopted={"audio": "d-1"})
    assert "would resume: 1 new deployment to 4 workers, 1 deployment resumed" in lines[0]
    assert [re.split("  +", line)[-1] for line in lines[-4:]] == [
        "resume d-1",
        "skip: failed",
        "already set",
        "deploy",
    ]


@pytest.mark.parametrize("columns", [80, 200])
def test_no_line_is_wider_than_the_terminal_and_no_name_is_cut(make, columns):
    name = "prod-eu-west-1-video-transcode-with-a-very-long-name-indeed-a"
    holder = ActiveDeployment(deployment_id="d-OTHER1234", whose="r-20261122-1100", since=make.now)
    plan = make.plan([make.group_plan(name), make.group_plan("pdf", 0, step=GroupAction.EMPTY)])
    for known in ({}, {"took": {name: (5_000, 9_000)}, "busy": {name: holder}}):
        lines = lines_of(plan, columns, **known)
        assert all(len(line) <= columns for line in lines)
        first_cells = [line.split("  ")[0].strip() for line in lines]
        assert name in "".join(first_cells)


def test_a_narrow_terminal_shortens_the_auto_scaling_groups_first(make):
    plan = make.plan([make.group_plan("video-transcode")])
    assert not any("video-transcode-asg" in line for line in lines_of(plan, 80))
    assert any("video-transcode-asg" in line for line in lines_of(plan, 120))


def test_usual_names_stay_on_one_line_at_80_columns(make):
    names = ["invoice-render", "payment-capture", "video-transcode"]
    plan = make.plan([make.group_plan(name, strategy="25%") for name in names])
    lines = lines_of(plan, 80, took=dict.fromkeys(names, (125, 361)))
    assert [line.split()[0] for line in lines[-3:]] == names
    assert lines[-1].split()[-3:] == ["2m05s", "6m01s", "deploy"]


def test_the_expected_duration_names_the_slowest_group(plan):
    lines = lines_of(plan, 200, took={"mail-send": (312, 460), "video": (900, 900)})
    assert lines[2] == (
        "ETA 5m12s (P50) to 7m40s (P95), from the verified releases of the last 30 days;"
        " mail-send is the slowest"
    )


def test_each_wave_names_its_slowest_group_and_its_bake(make):
    plan = make.plan([make.group_plan("canary")], [make.group_plan("mail"), make.group_plan("video")])
    plan = replace(plan, policy=Policy(bake_s=300, alarms=("errors",)))
    lines = lines_of(plan, 200, took={"canary": (60, 90), "mail": (120, 180), "video": (100, 240)})
    assert lines[2].startswith("ETA 13m00s (P50) to 15m30s (P95)")
    assert "wave 1 of 2: 1m00s (P50) to 1m30s (P95), canary is the slowest, then bakes 5m00s" in lines
    assert "wave 2 of 2: 2m00s (P50) to 4m00s (P95), mail is the slowest, then bakes 5m00s" in lines


def test_groups_without_history_are_named_and_have_no_figures(make):
    lines = lines_of(
        make.plan([make.group_plan("mail"), make.group_plan("pdf")]), 200, took={"mail": (60, 90)}
    )
    assert lines[2].endswith("may take longer, no history for the strategy of pdf")
    assert lines[-1].split()[-3:] == ["-", "-", "deploy"]


def test_a_missing_history_is_reported_with_its_reason(make):
    plan = make.plan([make.group_plan("mail")])
    assert lines_of(plan, 200, took={})[2] == (
        "ETA unknown: no verified release used these strategies in the last 30 days"
    )
    assert lines_of(plan, 200, gap="there is no workgroup x")[2] == (
        "ETA unknown, no history: there is no workgroup x"
    )


def test_a_plan_without_deployments_has_no_duration(make):
    lines = lines_of(make.plan([make.group_plan("mail", step=GroupAction.DONE)]), 200, took={})
    assert not any("ETA" in line for line in lines)


def test_a_busy_group_is_shown_with_the_deployment_that_would_delay_it(make):
    holder = ActiveDeployment(deployment_id="d-OTHER1234", whose="r-20261122-1100", since=make.now)
    lines = lines_of(make.plan([make.group_plan("mail")]), 200, busy={"mail": holder})
    assert "mail is busy with d-OTHER1234 of r-20261122-1100, since 12:00:00 UTC: would be queued" in lines
    assert lines[-1].split()[-1] == "queued"


def test_the_calls_are_totalled_and_the_most_frequent_named(make):
    lines = lines_of(make.plan([make.group_plan(f"queue-{n}") for n in range(9)]), 200, took={})
    (calls,) = [line for line in lines if "AWS calls" in line]
    assert re.fullmatch(r"about \d+ AWS calls: (\d+ [A-Za-z]+, ){6}and \d other operations", calls)


def test_the_failure_policy_is_shown(make):
    plan = make.plan([make.group_plan("mail"), replace(make.group_plan("pdf"), max_failed=Budget(2))])
    policy = Policy(
        on_failure=OnFailure.ROLLBACK,
        max_failed_total=Budget(5, is_percent=True),
        bake_s=90,
        alarms=("errors", "latency"),
    )
    assert lines_of(replace(plan, policy=policy), 200)[1] == (
        "on failure: rollback; failed workers allowed: 0 in 1 group, 2 in 1 group; 5% in total;"
        " each wave bakes 1m30s, watching errors, latency"
    )


def test_a_plan_without_its_own_policy_shows_the_default(plan):
    assert lines_of(plan, 200)[1] == "on failure: stop; failed workers allowed: 0 in each group"


def test_each_wave_has_its_own_block(make):
    lines = lines_of(make.plan([make.group_plan("canary")], [make.group_plan("video")]))
    assert "wave 1 of 2" in lines
    assert "wave 2 of 2" in lines


def test_the_table_needs_no_unicode(plan):
    assert all(line.isascii() for line in lines_of(plan, took={}))
