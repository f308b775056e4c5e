"""Snapshots one by one: whose they are, and that only what has changed is judged again."""

from __future__ import annotations

from datetime import timedelta

import pytest

from deployctl.lake.engine import DuckEngine
from deployctl.lake.looks import Judge, read_look
from deployctl.lake.parquet import LakeObjectDamaged, encode
from deployctl.lake.queries import reconcile
from deployctl.lake.schema import SNAPSHOTS
from deployctl.model.cause import Category
from deployctl.model.fleet import SnapshotRow
from tests.fakes.lake_rows import NOON, plant_snapshot, snapshot_row

LATER = NOON + timedelta(minutes=15)


@pytest.fixture
def look(lake):
    def look(at, *rows):
        snapshot_id = plant_snapshot(lake, at, rows)
        key = SNAPSHOTS.key(at, snapshot_id)
        return read_look(key, lake.read(key))

    return look


def test_a_snapshot_says_whose_it_is_and_when_it_was_taken(look):
    found = look(NOON, snapshot_row(application="mail"))
    assert (found.application, found.at) == ("mail", NOON)


def test_an_empty_snapshot_is_nobodys():
    assert read_look("x", encode([], SnapshotRow)) is None


def test_what_is_no_snapshot_is_named():
    with pytest.raises(LakeObjectDamaged, match="fleet_snapshots/x"):
        read_look("fleet_snapshots/x", b"PAR1")


def test_a_snapshot_is_judged_as_a_reconciliation_judges_it(look, lake):
    found = look(NOON, snapshot_row(), snapshot_row(instance_id="i-0bb", tag_version="v1", tag_sequence=1))
    asked = {"application": "shop", "snapshot_id": found.snapshot_id, "snapshot_at": NOON}
    assert Judge().judge(found).workers == reconcile(DuckEngine(lake), **asked).workers


def test_nothing_but_the_facts_decides_category_and_cause(look):
    """So a snapshot in which nothing has changed need not be judged again."""
    rows = [
        snapshot_row(instance_id=f"i-{n}", **change)
        for n, change in enumerate(
            [
                {},
                {"tag_version": None, "tag_sequence": None},
                {"tag_version": "v1", "tag_sequence": 1, "target_status": "Failed"},
                {"rollout_running": True, "tag_version": "v1", "tag_sequence": 1},
                {"launched_at": NOON - timedelta(minutes=1), "tag_version": "v1", "tag_sequence": 1},
            ]
        )
    ]
    judge = Judge()
    first, again = judge.judge(look(NOON, *rows)), judge.judge(look(LATER, *rows))
    fresh = Judge().judge(look(LATER, *rows))
    assert again.snapshot_at == LATER
    assert [(w.category, w.cause) for w in again.workers] == [(w.category, w.cause) for w in fresh.workers]
    assert again.workers is first.workers


def test_a_snapshot_in_which_something_has_changed_is_judged_again(look):
    judge = Judge()
    judge.judge(look(NOON, snapshot_row()))
    (now,) = judge.judge(look(LATER, snapshot_row(tag_version=None))).workers
    assert now.category is Category.NEVER_TAGGED
