"""The terminal gets a release's lines, and GitHub its summary; a failure of either does not affect the release."""

from __future__ import annotations

import io
import json
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from deployctl.cli.output import print_json
from deployctl.cli.release_display import ReleaseDisplay
from deployctl.model.event import GroupFinished, ReleaseFinished, ReleaseStarted, WaveStarted
from deployctl.model.release import GroupAction, GroupOutcome, GroupPlan, ReleaseOutcome, ReleasePlan
from deployctl.model.strategy import DeploymentConfig, parse_strategy
from deployctl.model.verdict import Verdict
from tests.fakes.artifacts import made_up_artifact
from tests.fakes.clock import FakeClock

NOON = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
PLAN = ReleasePlan(
    release_id="r-1",
    application="shop",
    version="v123",
    actor="ci",
    planned_at=NOON,
    began_at=NOON,
    waves=(
        (
            GroupPlan(
                group="mail",
                version="v123",
                asgs=("asg-mail",),
                step=GroupAction.DEPLOY,
                artifact=made_up_artifact("shop", "v123"),
                strategy=parse_strategy("all"),
                config=DeploymentConfig(name="CodeDeployDefault.AllAtOnce"),
                workers=(),
                auto_updates_new_instances=True,
                previous_verified=None,
            ),
        ),
    ),
)
FAILED = GroupOutcome(
    group="mail",
    asgs=("asg-mail",),
    strategy=parse_strategy("all"),
    version="v123",
    deployment_id="d-1",
    verdict=Verdict.FAILED,
    reason="no database",
)
OUTCOME = ReleaseOutcome(
    release_id="r-1",
    application="shop",
    version="v123",
    verdict=Verdict.FAILED,
    started_at=NOON,
    elapsed_s=42.0,
    groups=(FAILED,),
)
EVENTS = (
    ReleaseStarted(at=NOON, plan=PLAN),
    WaveStarted(at=NOON, number=1),
    GroupFinished(at=NOON, outcome=FAILED),
    ReleaseFinished(at=NOON, outcome=OUTCOME),
)


def watched(environment, *, events=EVENTS, quiet=False):
    stream = io.StringIO()
    with ReleaseDisplay(stream, clock=FakeClock(), environment=environment, quiet=quiet) as watch:
        for event in events:
            watch.emit(event)
    return stream.getvalue().splitlines()


@pytest.fixture
def github(tmp_path):
    return {"GITHUB_ACTIONS": "true", "GITHUB_STEP_SUMMARY": str(tmp_path / "summary.md")}


def test_a_ci_that_is_not_github_gets_plain_lines(tmp_path):
    lines = watched({"CI": "true", "GITHUB_STEP_SUMMARY": str(tmp_path / "summary.md")})
    assert not [line for line in lines if line.startswith("::")]
    assert not (tmp_path / "summary.md").exists()


def test_github_gets_folded_groups_annotations_and_a_summary(github, tmp_path):
    lines = watched(github)
    assert [line for line in lines if line.startswith("::")] == [
        "::group::v123 of shop: 1 group, 0 workers",
        "::error title=v123 failed on mail::no database",
        "::endgroup::",
    ]
    assert "| mail | ❌ failed |  | no database |" in (tmp_path / "summary.md").read_text()


def test_quiet_leaves_out_the_log_and_not_the_summary(github, tmp_path):
    assert watched(github, quiet=True) == []
    assert "no database" in (tmp_path / "summary.md").read_text()


def test_a_detached_release_closes_its_log_group_and_writes_no_summary(github, tmp_path):
    assert watched(github, events=EVENTS[:2])[-1] == "::endgroup::"
    assert not (tmp_path / "summary.md").exists()


def test_a_summary_that_cannot_be_written_is_only_a_warning(github):
    lines = watched({**github, "GITHUB_STEP_SUMMARY": "/nowhere/summary.md"})
    assert lines[-1] == (
        "::warning title=deployctl::cannot write the step summary: No such file or directory"
    )
    assert "no database" in "".join(lines)


def test_a_rolled_back_release_is_summarized_with_its_rollback(github, tmp_path):
    back = replace(OUTCOME, release_id="r-2", version="v122", verdict=Verdict.VERIFIED, groups=())
    finished = ReleaseFinished(at=NOON, outcome=replace(OUTCOME, rollback=back))
    watched(github, events=(*EVENTS[:3], finished))
    assert (tmp_path / "summary.md").read_text().count("## ") == 2


@pytest.mark.parametrize("text", ["plain ü", "\ud800 alone", "\x9b31m and \x85", "\x1b[2J"])
def test_json_is_json_whatever_a_worker_printed(capsys, text):
    print_json({"log_tail": text})
    printed = capsys.readouterr().out
    assert json.loads(printed) == {"log_tail": text}
    assert not any(0x7F <= ord(c) < 0xA0 or c == "\x1b" for c in printed)
