"""Objects of an older and of a newer deployctl, read together; and what may change in a table's columns."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import get_type_hints

import pytest

from deployctl.lake.duckdb_engine import DuckEngine
from deployctl.lake.parquet import decode
from deployctl.lake.queries import reconcile
from deployctl.lake.schema import FORMER_NAMES, RELEASES, SNAPSHOTS, TABLES, columns
from deployctl.model.cause import Category, Cause
from tests.fakes.lake_rows import (
    NOON,
    SNAPSHOT_ID,
    finding_row,
    release_row,
    snapshot_row,
    span_row,
    target_row,
)
from tests.fakes.schema_versions import newer, older, renamed

ROWS = {
    "group_findings": finding_row(),
    "fleet_snapshots": snapshot_row(),
    "releases": release_row(),
    "deployment_targets": target_row(),
    "fleet_spans": span_row(NOON, NOON + timedelta(hours=1)),
}
#: How many columns each table began with; what came later is nullable, and stands behind them.
FIRST = {
    "group_findings": 7,
    "fleet_snapshots": 47,
    "releases": 17,
    "deployment_targets": 15,
    "fleet_spans": 11,
}
EVERY_COLUMN = [(table.name, column.name) for table in TABLES.values() for column in columns(table.row)]


@pytest.mark.parametrize("table", TABLES.values(), ids=lambda table: table.name)
def test_columns_are_only_ever_added_at_the_end_and_nullable(table):
    added = columns(table.row)[FIRST[table.name] :]
    assert len(columns(table.row)) >= FIRST[table.name]
    assert [c.name for c in added if not c.nullable] == []


@pytest.mark.parametrize(("name", "column"), EVERY_COLUMN, ids=lambda value: value)
def test_an_object_from_before_any_column_reads_it_as_null(lake, name, column):
    table, row = TABLES[name], ROWS[name]
    stem = getattr(row, table.stem) if table.stem else "x"
    lake.write(table.key(NOON, stem), older(row, without=[column]))
    found = DuckEngine(lake).run(f"SELECT {column} FROM {name} WHERE {table.partition} >= '2026'")
    assert found.rows == [{column: None}]
    (decoded,) = decode(lake.objects[table.key(NOON, stem)], type(row))
    assert decoded == replace(row, **{column: None})


def test_objects_of_three_ages_are_read_together(lake):
    for number, body in enumerate(
        [
            older(release_row(release_id="r-1"), without=["workers_failed", "reason"]),
            older(release_row(release_id="r-2"), without=[]),
            newer(release_row(release_id="r-3")),
        ]
    ):
        lake.write(RELEASES.key(NOON, f"run-{number}"), body)
    found = DuckEngine(lake).run(
        "SELECT release_id, workers_failed FROM releases WHERE day = '2026-11-22' ORDER BY release_id"
    )
    assert [tuple(row.values()) for row in found.rows] == [("r-1", None), ("r-2", 0), ("r-3", 0)]


LATE_ONES = [
    "activity_cause",
    "launch_hook_ok",
    "rollout_error_message",
    "target_event_status",
    "target_log_tail",
    "termination_reason",
    "target_summary",
    "tag_proof",
]


def test_a_snapshot_from_before_some_evidence_is_judged_by_what_it_has(lake):
    row = snapshot_row(tag_version="v1", tag_sequence=1, target_of_desired=False, target_status=None)
    assert set(LATE_ONES) <= set(get_type_hints(type(row)))
    lake.write(SNAPSHOTS.key(NOON, SNAPSHOT_ID), older(row, without=LATE_ONES))
    (worker,) = reconcile(
        DuckEngine(lake), application="shop", snapshot_id=SNAPSHOT_ID, snapshot_at=NOON
    ).workers
    assert (worker.category, worker.cause) == (Category.STALE, Cause.NOT_A_TARGET)


def test_an_object_from_before_the_columns_were_renamed_is_read_under_their_names_of_today(lake):
    for name, today, former in [(n, c, FORMER_NAMES[c]) for n, c in EVERY_COLUMN if c in FORMER_NAMES]:
        table, row = TABLES[name], ROWS[name]
        stem = getattr(row, table.stem) if table.stem else "x"
        kind = next(c.type for c in columns(table.row) if c.name == today)
        value = {str: "text", int: 7, datetime: NOON}[kind]
        lake.write(table.key(NOON, stem), renamed(replace(row, **{today: value}), {today: former}))
        (found,) = DuckEngine(lake).run(f"SELECT {today} FROM {name} WHERE {table.partition} >= '2026'").rows
        assert found == {today: value.replace(tzinfo=None) if kind is datetime else value}
        (decoded,) = decode(lake.objects[table.key(NOON, stem)], type(row))
        assert decoded == replace(row, **{today: value})


def test_a_column_of_todays_name_is_read_even_beside_its_former_one(lake):
    lake.write(
        RELEASES.key(NOON, "r-1"),
        renamed(release_row(workers_verified=3), {"workers_verified": "workers_held"}),
    )
    lake.write(RELEASES.key(NOON, "r-2"), older(release_row(workers_verified=4), without=[]))
    sql = "SELECT workers_verified, workers_held FROM releases WHERE day = '2026-11-22' ORDER BY 1"
    assert [tuple(row.values()) for row in DuckEngine(lake).run(sql).rows] == [(3, 3), (4, None)]
