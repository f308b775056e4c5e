"""Snapshots one by one: whose they are, and how they are judged."""

from __future__ import annotations

import pytest

from deployctl.lake.duckdb_engine import DuckEngine
from deployctl.lake.parquet import LakeObjectDamaged, encode
from deployctl.lake.queries import reconcile
from deployctl.lake.schema import SNAPSHOTS
from deployctl.lake.snapshots import read_snapshot, reconcile_snapshot
from deployctl.model.fleet import SnapshotRow
from tests.fakes.lake_rows import NOON, snapshot_row, store_snapshot


@pytest.fixture
def look(lake):
    def look(at, *rows):
        snapshot_id = store_snapshot(lake, at, rows)
        key = SNAPSHOTS.key(at, snapshot_id)
        return read_snapshot(key, lake.read(key))

    return look


def test_a_snapshot_names_its_application_and_its_time(look):
    found = look(NOON, snapshot_row(application="mail"))
    assert (found.application, found.at) == ("mail", NOON)


def test_an_empty_snapshot_is_nobodys():
    assert read_snapshot("x", encode([], SnapshotRow)) is None


def test_what_is_no_snapshot_is_named():
    with pytest.raises(LakeObjectDamaged, match="fleet_snapshots/x"):
        read_snapshot("fleet_snapshots/x", b"PAR1")


def test_a_snapshot_is_judged_as_a_reconciliation_judges_it(look, lake):
    found = look(NOON, snapshot_row(), snapshot_row(instance_id="i-0bb", tag_version="v1", tag_sequence=1))
    asked = {"application": "shop", "snapshot_id": found.snapshot_id, "snapshot_at": NOON}
    assert reconcile_snapshot(found).workers == reconcile(DuckEngine(lake), **asked).workers
