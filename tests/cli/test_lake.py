"""The lake's upkeep on the command line: snapshot, compact, prune, check."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

import pytest

from deployctl.errors import ExitCode
from deployctl.lake.parquet import decode
from deployctl.model.lake import SpanRow
from deployctl.sandbox.constants import BUCKET
from tests.cli.conftest import make_repository

ROOT = "lake/v1/"


@pytest.fixture(scope="module")
def own(start_sandbox):
    """A sandbox of this file's own: its lake is counted."""
    return start_sandbox(groups=3, workers=6, seed=57, speed=600.0)


@pytest.fixture
def shop(own, tmp_path):
    return make_repository(tmp_path / "repo", own.env)


@pytest.fixture
def objects(own):
    """The keys of one of the lake's tables, as S3 has them."""

    def objects(table):
        pages = own.client("s3").get_paginator("list_objects_v2").paginate(Bucket=BUCKET, Prefix=ROOT + table)
        return [item["Key"] for page in pages for item in page.get("Contents", [])]

    return objects


def today():
    return datetime.now(UTC).date()


def test_a_snapshot_prints_its_id_workers_and_size(shop, objects):
    done = shop.deployctl("snapshot")
    assert done.code == ExitCode.DONE
    assert re.fullmatch(r"s-\d{8}T\d{6}-[0-9a-f]{6}  6 workers of shop, \d+\.\d kB\n", done.stdout)
    assert done.stderr == ""
    assert any(done.stdout.split()[0] in key for key in objects("fleet_snapshots"))


def test_a_snapshot_as_json_names_its_object(shop, own):
    data = shop.deployctl("snapshot", "--json").data
    assert data["schema"] == "deployctl.snapshot/1"
    assert (data["application"], data["workers"], data["groups"]) == ("shop", 6, 3)
    key = data["uri"].removeprefix(f"s3://{BUCKET}/")
    assert own.client("s3").head_object(Bucket=BUCKET, Key=key)["ContentLength"] == data["bytes"]


def test_a_snapshot_exits_with_0_despite_drift(shop, own):
    """A schedule must not fail because a worker is behind."""
    worker = own.control.workers()[0]["instance_id"]
    own.client("ec2").create_tags(Resources=[worker], Tags=[{"Key": "deployctl:version", "Value": "v0"}])
    assert shop.deployctl("snapshot").code == ExitCode.DONE


def test_today_is_compacted_only_when_named(shop, objects, own):
    shop.deployctl("snapshot")
    assert shop.deployctl("athena", "compact").stdout == (
        "nothing to compact: every finished day is already compacted\n"
    )
    done = shop.deployctl("athena", "compact", "--day", "today")
    assert done.code == ExitCode.DONE
    said = rf"compacted {today()} so far: \d spans of 6 workers from \d snapshots?, \d\.\d kB\n"
    assert re.fullmatch(said, done.stdout)
    (key,) = objects("fleet_spans")
    assert key == f"{ROOT}fleet_spans/day={today()}/shop.parquet"
    body = own.client("s3").get_object(Bucket=BUCKET, Key=key)["Body"].read()
    assert {row.application for row in decode(body, SpanRow)} == {"shop"}
    data = shop.deployctl("athena", "compact", "--day", str(today()), "--json").data
    assert data["schema"] == "deployctl.athena-compact/1"
    assert data["days"][0]["is_complete"] is False


@pytest.mark.parametrize(
    ("day", "words"),
    [("2020-01-01", "no snapshot of 2020-01-01"), ("someday", "is not a date"), ("2999-01-01", "not begun")],
)
def test_a_day_that_cannot_be_compacted_is_refused(shop, day, words):
    done = shop.deployctl("athena", "compact", "--day", day)
    assert done.code == ExitCode.USAGE
    assert words in done.stderr


def test_a_prune_asks_or_takes_yes(shop):
    done = shop.deployctl("athena", "prune")
    assert done.code == ExitCode.USAGE
    assert "--yes" in done.stderr
    assert shop.deployctl("athena", "prune", "--dry-run").stdout == (
        "would remove 0 snapshots older than 30 days and 0 days of spans older than 730 days, of shop\n"
    )


def test_a_prune_removes_old_snapshots_and_lists_the_days_it_keeps(shop, own, objects):
    shop.deployctl("snapshot")
    s3 = own.client("s3")
    recent = objects("fleet_snapshots")[-1]
    body = s3.get_object(Bucket=BUCKET, Key=recent)["Body"].read()
    for days in (41, 40):
        hour = f"{datetime.now(UTC) - timedelta(days=days):%Y-%m-%d-%H}"
        s3.put_object(Bucket=BUCKET, Key=f"{ROOT}fleet_snapshots/snap_hour={hour}/old.parquet", Body=body)
    held = shop.deployctl("athena", "prune", "--yes")
    assert "these days are not compacted yet: " in held.stdout
    assert "deployctl athena compact" in held.stdout
    assert shop.deployctl("athena", "compact").code == ExitCode.DONE
    done = shop.deployctl("athena", "prune", "--keep-raw", "4w", "--yes", "--json").data
    assert (done["schema"], done["done"], done["snapshots"]) == ("deployctl.athena-prune/1", True, 2)
    assert done["not_compacted"] == []
    assert not any("/old.parquet" in key for key in objects("fleet_snapshots"))
    assert recent in objects("fleet_snapshots")


@pytest.mark.parametrize("age", ["30", "0d", "1h"])
def test_an_invalid_age_is_refused(shop, age):
    done = shop.deployctl("athena", "prune", "--keep-raw", age, "--yes")
    assert done.code == ExitCode.USAGE
    assert "such as '30d'" in done.stderr


def test_check_passes_or_shows_the_command_to_type(shop, own):
    done = shop.deployctl("athena", "check")
    assert (done.code, done.stderr) == (ExitCode.DONE, "")
    assert done.stdout.splitlines()[0] == "✓ Athena is set up correctly"
    assert "table deployctl.fleet_spans" in done.stdout
    own.client("athena").update_work_group(
        WorkGroup="deployctl", ConfigurationUpdates={"RemoveBytesScannedCutoffPerQuery": True}
    )
    wrong = shop.deployctl("athena", "check")
    assert wrong.code == ExitCode.FAILED
    assert "workgroup deployctl lets a query scan any number of bytes, not 10,000,000" in wrong.stdout
    assert wrong.stdout.splitlines()[-1] == "→ deployctl athena setup"
    data = shop.deployctl("athena", "check", "--json").data
    assert (data["schema"], data["is_right"]) == ("deployctl.athena-check/1", False)
    assert shop.deployctl("athena", "setup").code == ExitCode.DONE
    assert shop.deployctl("athena", "check").code == ExitCode.DONE
