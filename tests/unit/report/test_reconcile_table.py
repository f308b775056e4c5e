"""The reconcile table: the fleet's state, the drifted workers, their causes and the commands."""

import pytest
from hypothesis import HealthCheck, given
from hypothesis import strategies as st

from deployctl.model.cause import Category, Cause
from deployctl.model.verdict import Verdict
from deployctl.report.json_output import reconcile_json
from deployctl.report.reconcile_table import fleet_lines
from deployctl.report.style import ASCII, UNICODE
from tests.examples import examples

REDEPLOY = "deployctl release v123 --existing --group mail-send --redeploy"


def lines_of(found, make, *, columns=80, glyphs=UNICODE, **options):
    lines = fleet_lines(found, now=make.now, columns=columns, glyphs=glyphs, **options)
    return [line.plain for line in lines]


def test_the_first_line_says_that_all_is_well(make):
    lines = lines_of(make.found(*(make.worker(f"i-{n}", f"g-{n % 2}") for n in range(6))), make)
    assert lines[0] == "✓ all is well: 6 workers of shop as desired, in 2 groups"
    assert lines[-1] == "2 groups without drift, 6 workers"


def test_a_fleet_on_a_failed_version_is_not_called_well(make):
    bad = make.worker("i-1", "mail", desired_verdict=Verdict.FAILED)
    left = make.worker("i-3", "pdf", desired_verdict=Verdict.RUNNING)
    found = make.found(bad, make.worker("i-2", "video"), left)
    lines = lines_of(found, make)
    assert lines[0] == "▶ 3 workers of shop as desired, but 2 groups have not been verified"
    assert lines[-5:-1] == [
        "‖ mail: its release of v123 failed",
        "→ deployctl release v123 --existing --group mail --redeploy",
        "‖ pdf: its release of v123 has not finished",
        "→ deployctl release v123 --existing --group pdf --redeploy",
    ]
    assert reconcile_json(found)["summary"]["unverified"] == {"mail": "failed", "pdf": "running"}


def test_a_release_in_progress_is_named_once_for_all_its_groups(make):
    begun = {"is_in_progress": True, "in_progress_release": "r-2", "in_progress_kind": "release"}
    moving = [make.worker(f"i-{n}", f"g-{n}", desired_verdict=Verdict.RUNNING, **begun) for n in range(1, 7)]
    lines = lines_of(make.found(*moving, make.worker("i-9", "verified", **begun)), make)
    assert lines[-3:-1] == ["‖ release of v123 in progress in 6 groups", "→ deployctl attach"]
    assert sum("attach" in line for line in lines) == 1
    failed = make.worker("i-9", "mail", desired_verdict=Verdict.FAILED, in_progress_release="r-2")
    assert "‖ mail: its release of v123 failed" in lines_of(make.found(*moving, failed), make)


def test_a_manual_deployment_is_reported_before_any_worker_shows_it(make):
    slot = {
        "active_deployment_id": "d-7",
        "active_deployment_creator": "user",
        "active_deployment_version": "v1",
    }
    lines = lines_of(
        make.found(make.worker("i-1", "mail", **slot), make.worker("i-2", "video")), make, columns=200
    )
    assert lines[0] == ("▶ 2 workers of shop as desired, but 1 group has another active deployment")
    assert "‖ mail: d-7 (user) is deploying v1 outside the release of v123" in lines
    summary = reconcile_json(make.found(make.worker("i-1", "mail", **slot, in_progress_release="r-2")))[
        "summary"
    ]
    assert (summary["in_progress"], summary["other_deployments"]) == ("r-2", {"mail": "d-7"})
    many = make.found(*(make.worker(f"i-{n}", f"g-{n}", **slot) for n in range(7)))
    assert "… and 2 more such groups" in lines_of(many, make)


def test_an_unfinished_repair_is_named(make):
    begun = {"in_progress_release": "r-2", "in_progress_kind": "repair"}
    for found in (
        make.found(make.worker("i-1", **begun)),
        make.found(make.worker("i-1", **begun), make.stale("i-2", **begun)),
    ):
        lines = lines_of(found, make)
        at = lines.index("‖ repair r-2 in progress")
        assert lines[at + 1] == "→ deployctl attach"


@pytest.mark.parametrize("verdict", [v for v in Verdict if not v.is_acceptable])
def test_each_verdict_of_a_release_reads_as_a_sentence(make, verdict):
    lines = lines_of(make.found(make.worker("i-1", "mail", desired_verdict=verdict)), make)
    said = next(line for line in lines if "its release of" in line)
    assert said.startswith("‖ mail: its release of v123 ")
    assert not said.endswith(f"is {verdict.value}")


def test_the_first_line_counts_drifted_workers(make):
    found = make.found(make.stale("i-1"), make.stale("i-2"), make.worker("i-3"), make.worker("i-4", "video"))
    assert lines_of(found, make)[0] == "✗ 2 of 4 workers of shop drifted, in 1 of 2 groups"


@pytest.mark.parametrize(
    ("category", "first"),
    [
        (Category.DEPLOYING, "▶ no drift; 1 of 2 workers of shop still deploying"),
        (Category.NOT_MANAGED, "✓ all is well: 1 worker of shop as desired, in 1 group"),
        (Category.TERMINATED_MID_DEPLOY, "✓ all is well: 1 worker of shop as desired, in 2 groups"),
    ],
)
def test_categories_without_drift_raise_no_alarm(make, category, first):
    assert lines_of(make.found(make.worker("i-1"), make.worker("i-2", "video", category)), make)[0] == first


def test_a_fleet_without_workers_or_without_a_release_says_so(make):
    assert lines_of(make.found(), make)[0] == "· shop has no workers"
    stranger = make.worker("i-1", category=Category.NOT_MANAGED, desired_version=None)
    lines = lines_of(make.found(stranger), make)
    assert lines[0] == "· 1 worker of shop is not managed by a release yet"
    assert lines[-2:] == ["1 group not managed: mail-send", "→ deployctl release VERSION --group NAME"]


def test_the_head_has_snapshot_age_engine_bytes_and_categories(make):
    lines = lines_of(make.found(make.worker("i-1"), make.stale("i-2")), make, columns=120)
    assert lines[1].startswith("snapshot 2m00s ago · 2026-11-22 11:58:00Z · athena · 48.1 kB scanned")
    assert lines[2] == "1 stale · 1 current"


@pytest.mark.parametrize("columns", [80, 200])
@pytest.mark.parametrize("glyphs", [UNICODE, ASCII])
def test_a_drifted_worker_has_category_versions_time_cause_evidence_and_remedy(make, columns, glyphs):
    evidence = "ApplicationStart ScriptFailed in hooks/start.sh: ImportError: No module named 'celery'"
    worker = make.worker("i-0abc", "mail-send", Category.FAILED, cause=Cause.SCRIPT_FAILED, evidence=evidence)
    lines = lines_of(make.found(worker, make.worker("i-0ok")), make, columns=columns, glyphs=glyphs)
    table = " ".join(" ".join(lines).split())
    for fact in ("i-0abc failed", f"v122 {glyphs.arrow} v123", "12m behind", f"script-failed: {evidence}"):
        assert fact in table
    assert f"  {glyphs.arrow} {REDEPLOY}" in lines
    assert "mail-send  1 of 2 workers drifted: 1 failed; desired v123" in lines


def test_long_evidence_wraps_within_its_own_cell(make):
    worker = make.stale("i-0abc", evidence="word " * 60)
    for columns, indent in ((80, 6), (200, 40)):
        lines = lines_of(make.found(worker), make, columns=columns)
        wrapped = [line for line in lines if line.strip().startswith("word")]
        assert wrapped
        assert {len(line) - len(line.lstrip()) for line in wrapped} == {
            len(wrapped[0]) - len(wrapped[0].lstrip())
        }
        assert len(wrapped[0]) - len(wrapped[0].lstrip()) >= indent


def test_workers_with_the_same_remedy_share_one_line_of_it(make):
    found = make.found(*(make.stale(f"i-{n}") for n in range(3)), make.stale("i-9", "video"))
    lines = lines_of(found, make)
    assert sum(REDEPLOY in line for line in lines) == 1
    assert [line.split()[0] for line in lines if line.startswith("  i-")] == ["i-0", "i-1", "i-2", "i-9"]


def test_a_remedy_is_never_cut_or_broken_however_narrow_the_terminal(make):
    worker = make.worker(
        "i-0123456789abcdef0",
        category=Category.FAILED,
        cause=Cause.AGENT_SILENT,
        evidence="no lifecycle event began",
    )
    lines = lines_of(make.found(worker), make, columns=40)
    assert f"  → {worker.remedy}" in lines


def test_a_worker_terminated_during_its_deployment_is_listed_without_alarm(make):
    gone = make.worker(
        "i-gone",
        category=Category.TERMINATED_MID_DEPLOY,
        cause=Cause.RECLAIMED_BY_SPOT,
        evidence="Server.SpotInstanceTermination",
        minutes_behind=None,
    )
    lines = lines_of(make.found(gone, make.worker("i-1")), make)
    assert "mail-send  1 worker as desired: 1 terminated-mid-deploy; desired v123" in lines
    assert "      reclaimed-by-spot: Server.SpotInstanceTermination" in lines
    assert not any("→ deployctl" in line for line in lines)


def test_only_groups_with_listed_workers_are_shown(make):
    found = make.found(make.stale("i-1"), *(make.worker(f"i-ok{n}", f"quiet-{n}") for n in range(47)))
    lines = lines_of(found, make)
    assert not any("quiet-" in line for line in lines)
    assert lines[-2] == "47 other groups without drift, 47 workers"


def test_the_fix_command_comes_last_with_the_number_of_workers_that_it_fixes(make):
    failed = make.worker(
        "i-2", "mail", Category.FAILED, cause=Cause.SCRIPT_FAILED, desired_verdict=Verdict.FAILED
    )
    fix = "→ deployctl reconcile --fix --dry-run   # would fix 1 of 2 workers"
    assert lines_of(make.found(make.stale("i-1"), failed, make.worker("i-3")), make)[-1] == fix


def test_the_fix_command_is_named_only_if_it_fixes_a_worker(make):
    failed = make.worker(
        "i-1", "mail", Category.FAILED, cause=Cause.SCRIPT_FAILED, desired_verdict=Verdict.FAILED
    )
    silent = make.worker("i-2", "pdf", Category.FAILED, cause=Cause.AGENT_SILENT)
    for found in (make.found(make.worker("i-0")), make.found(failed, silent)):
        assert not any("--fix --dry-run" in line for line in lines_of(found, make))


def test_the_group_with_the_most_drift_comes_first(make):
    found = make.found(make.stale("i-1", "a"), make.stale("i-2", "z"), make.stale("i-3", "z"))
    heads = [line.split()[0] for line in lines_of(found, make) if "drifted: " in line]
    assert heads == ["z", "a"]


def test_ten_thousand_drifted_workers_stay_readable(make):
    found = make.found(*(make.stale(f"i-{n:05}", f"g-{n % 500:03}") for n in range(10_000)))
    lines = lines_of(found, make, most_workers=3)
    assert len(lines) < 400
    assert "… and 470 more groups, 9,400 workers" in lines
    assert "  … and 17 more with the same remedy" in lines


HOSTILE = st.text(alphabet=st.characters() | st.sampled_from("\x1b[]\x9b\n\r\t日"), max_size=300)


# `make` is the same frozen value each time, so that one for all examples is as good as one each.
@examples(suite=60, soak=1_000, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(evidence=HOSTILE, version=HOSTILE, columns=st.integers(30, 220))
def test_only_remedies_are_wider_than_the_terminal_and_no_control_character_is_shown(
    make, evidence, version, columns
):
    found = make.found(make.stale("i-1", evidence=evidence, deployed_version=version), make.worker("i-2"))
    lines = fleet_lines(found, now=make.now, columns=columns, glyphs=UNICODE)
    assert all(line.cell_len <= columns or line.plain.lstrip().startswith("→") for line in lines)
    assert all(line.plain.isprintable() for line in lines)
    assert not any(line.style for line in lines), "a style of the whole line colours all that is appended"
