"""Results of history queries as table, JSON and CSV."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import fields
from datetime import UTC, date, datetime, timedelta

import pytest

from deployctl.model.cause import Category, Cause
from deployctl.model.query_rows import (
    BehindWorker,
    GroupDuration,
    GroupSummary,
    NeverReached,
    QueryRows,
    Skew,
    TimeToCurrent,
)
from deployctl.model.verdict import Verdict
from deployctl.report.query_table import query_csv, query_json, query_lines
from deployctl.report.style import ASCII, UNICODE

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
HOSTILE = (
    "\x1b[31mred\n\x1b]0;title\x07 and much too long a name for any group to have had in any fleet so far"
)
ROWS = [
    GroupSummary(
        group_name=HOSTILE, category=Category.FAILED, workers=1_204, worker_hours=17.25, seen_until=NOON
    ),
    BehindWorker(
        group_name=HOSTILE,
        instance_id="i-0123456789abcdef0",
        category=Category.LAUNCHED_AFTER_RELEASE,
        cause=Cause.SKIPPED_STOPPED_EARLY,
        deployed_version=None,
        desired_version=HOSTILE,
        behind_since=NOON,
        behind_until=NOON + timedelta(hours=30),
        minutes=1_800,
        still_behind=True,
    ),
    Skew(began_at=NOON, workers=10_000, versions=3, current_share=0.99999),
    TimeToCurrent(
        release_id="r-20261122T120000-3f9a1c",
        version=HOSTILE,
        began_at=NOON,
        workers=300,
        reached=299,
        minutes_50=4.5,
        minutes_95=90,
        minutes_100=None,
    ),
    GroupDuration(group_name=HOSTILE, strategy="25%", p50_s=61, p95_s=402.5, releases=12),
    NeverReached(
        release_id="r-20261122T120000-3f9a1c",
        version=HOSTILE,
        actor=HOSTILE,
        started_at=NOON,
        group_name=HOSTILE,
        verdict=Verdict.FAILED,
        reason=HOSTILE,
        deployment_id=None,
    ),
]


def answered(*rows, kind=None):
    return QueryRows(
        kind=kind or type(rows[0]), rows=rows, engine="duckdb", bytes_scanned=12_345, query_id=None
    )


def lines(found, *, columns=200, glyphs=UNICODE):
    return query_lines(found, application="shop", days=7, columns=columns, glyphs=glyphs)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: type(row).__name__)
@pytest.mark.parametrize("columns", [40, 80, 120, 200])
def test_no_line_is_wider_than_the_terminal_and_no_text_moves_its_cursor(row, columns):
    for line in lines(answered(row, row), columns=columns):
        assert line.cell_len <= columns
        assert line.plain.isprintable()


@pytest.mark.parametrize("row", ROWS, ids=lambda row: type(row).__name__)
def test_the_question_and_its_scope_are_shown_below(row):
    *_, below = lines(answered(row))
    assert below.plain == "shop, 7 days · duckdb, 12.3 kB scanned"


@pytest.mark.parametrize("row", ROWS, ids=lambda row: type(row).__name__)
def test_an_empty_result_is_one_sentence(row):
    said, below = lines(answered(kind=type(row)), glyphs=ASCII)
    assert said.plain
    assert below.plain.startswith("shop, 7 days - duckdb")


def test_a_summary_starts_with_its_time():
    first, *_ = lines(answered(ROWS[0]), columns=40)
    assert first.plain == "last snapshot 2026-11-22 12:00:00Z"


def test_a_share_is_never_rounded_up_to_all():
    _, row, _ = lines(answered(ROWS[2]))
    assert row.plain.endswith("99.9 %")
    _, whole, _ = lines(answered(Skew(began_at=NOON, workers=1, versions=1, current_share=1.0)))
    assert whole.plain.endswith("100 %")


def test_a_missing_duration_is_called_never():
    _, row, _ = lines(answered(ROWS[3]))
    assert row.plain.split()[-4:] == ["300", "4m30s", "1h30m", "never"]


def test_json_keeps_every_column_under_the_name_of_the_query():
    for row in ROWS:
        data = query_json("any", answered(row), application="shop", since=date(2026, 11, 15))
        assert list(data["rows"][0]) == [f.name for f in fields(row)]
        assert json.loads(json.dumps(data)) == data
    assert (data["schema"], data["since"]) == ("deployctl.query/1", "2026-11-15")
    assert data["rows"][0]["started_at"] == "2026-11-22T12:00:00Z"


def test_csv_round_trips_and_writes_null_as_an_empty_cell():
    (read,) = csv.DictReader(io.StringIO(query_csv(answered(ROWS[1])), newline=""))
    assert read["desired_version"] == HOSTILE
    assert read["deployed_version"] == ""
    assert read["still_behind"] == "True"


def test_csv_without_rows_still_has_its_header():
    assert query_csv(answered(kind=Skew)) == "began_at,workers,versions,current_share\n"
