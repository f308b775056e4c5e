"""Records written before the words of 0.1.0 stay readable: a state, journals and a lake of that time.

`tests/fakes/former` is a bucket of the earlier version: v1 verified on three groups, v2 partial (one worker failed),
and a release of v3 whose process was killed right before its first CreateDeployment.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from deployctl.lake.snapshots import read_snapshot, reconcile_snapshot
from deployctl.report.json_output import reconcile_json
from deployctl.sandbox.constants import BUCKET
from tests.cli.conftest import CONFIGURATION, Repository

FORMER = Path(__file__).parents[1] / "fakes" / "former"
GROUPS = ("image-resize", "mail-send", "video-transcode")
RELEASE = "r-20261130T070926-1b5041"


@pytest.fixture(scope="module")
def shop(start_sandbox, tmp_path_factory):
    """A fleet with the groups of that time, and the bucket as it was left."""
    sandbox = start_sandbox(groups=3, workers=9, seed=7, speed=601.0)
    s3 = sandbox.client("s3")
    for file in sorted(FORMER.rglob("*")):
        if file.is_file():
            s3.put_object(Bucket=BUCKET, Key=str(file.relative_to(FORMER)), Body=file.read_bytes())
    folder = tmp_path_factory.mktemp("former")
    (folder / "deployctl.toml").write_text(CONFIGURATION)
    return Repository(folder, sandbox.env)


def test_each_release_keeps_its_verdict(shop):
    releases = shop.deployctl("history", "--json").data["releases"]
    assert [(r["version"], r["verdict"]) for r in releases[-3:]] == [
        ("v3", None),
        ("v2", "partial"),
        ("v1", "verified"),
    ]


def test_the_worker_that_failed_is_in_the_logs(shop):
    (group,) = shop.deployctl("logs", "v2", "--json").data["groups"]
    (failed,) = group["not_targeted"]
    assert (group["verdict"], failed["verdict"]) == ("partial", "failed")
    assert "ApplicationStart: ScriptFailed" in failed["cause"]


def test_the_unfinished_release_is_shown_with_its_rollback_targets(shop):
    status = shop.deployctl("status", "--json").data
    assert status["in_progress"]["release_id"] == RELEASE
    assert [(g["group"], g["previous_verified"]) for g in status["groups"]] == [(g, "v2") for g in GROUPS]


@pytest.mark.parametrize(
    "file", sorted((FORMER / "lake/v1/fleet_snapshots").rglob("*.parquet")), ids=lambda f: f.stem
)
def test_a_snapshot_keeps_the_categories_and_causes_of_its_time(file):
    recorded = json.loads((FORMER / "reconcile_after_v2.json").read_text())
    snapshot = read_snapshot(str(file.relative_to(FORMER / "lake" / "v1")), file.read_bytes())
    if snapshot.snapshot_id != recorded["snapshot_id"]:
        assert {w.category.value for w in reconcile_snapshot(snapshot).workers} == {"current"}
        return
    fields = ("instance_id", "group", "category", "cause", "desired_version", "deployed_version")
    found = reconcile_json(reconcile_snapshot(snapshot))["workers"]
    assert {tuple(w[f] for f in fields) for w in found} == {
        tuple(w[f] for f in fields) for w in recorded["workers"]
    }
    assert "failed" in {w["category"] for w in found}


def test_the_unfinished_release_resumes_and_the_fleet_reconciles(shop):
    resumed = shop.deployctl("release", "v3", "--existing", "--wait-for-lock", "30s", "--json")
    assert (resumed.code, resumed.data["verdict"], resumed.data["release_id"]) == (0, "verified", RELEASE), (
        resumed
    )
    reconciled = shop.deployctl("reconcile", "--json")
    assert reconciled.code == 0, reconciled
    assert {w["deployed_version"] for w in reconciled.data["workers"]} == {"v3"}
