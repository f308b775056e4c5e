"""Ten thousand workers: what a reconciliation reads of them, and that days of them stay small."""

from __future__ import annotations

from datetime import timedelta

import pytest

from deployctl import assets
from deployctl.lake.ddl import RECONCILE_CUTOFF_BYTES
from deployctl.lake.duckdb_engine import DuckEngine
from deployctl.lake.schema import SNAPSHOTS
from tests.fakes.large_lake import LAST_DAY, LargeFleet
from tests.fakes.storage import FakeLake

#: A snapshot every quarter of an hour, and one for each reconciliation on top.
SNAPSHOTS_AN_HOUR = 6


@pytest.mark.parametrize(
    "failing", [False, True], ids=["two in a hundred failed", "all failed, each with a log"]
)
def test_a_reconciliation_of_ten_thousand_workers_stays_far_below_its_limit(failing):
    lake, fleet = FakeLake(), LargeFleet(10_000)
    snapshot_id = fleet.snapshot(lake, LAST_DAY, failing=failing)
    parameters = (SNAPSHOTS.partition_value(LAST_DAY), snapshot_id, "shop")
    found = DuckEngine(lake).run(assets.query("reconcile"), parameters)
    assert len(found.rows) == 10_000
    # Athena reads every snapshot of the hour.
    snapshots = 1 if failing else SNAPSHOTS_AN_HOUR
    assert found.bytes_scanned * snapshots < RECONCILE_CUTOFF_BYTES / 2


def test_a_day_of_spans_takes_less_than_sixty_bytes_a_worker():
    lake, fleet = FakeLake(), LargeFleet(3_000)
    fleet.live_a_day(lake, LAST_DAY - timedelta(days=1))
    (key,) = lake.keys("fleet_spans/")
    assert len(lake.objects[key]) / 3_000 < 60
