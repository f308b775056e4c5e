"""Results of history queries: tables for people, JSON and CSV for programs."""

import csv
import io
from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields
from datetime import date
from typing import Any

from rich.text import Text

from deployctl.model.cause import Category
from deployctl.model.names import ApplicationName
from deployctl.model.query_rows import (
    BehindWorker,
    GroupDuration,
    GroupSummary,
    NeverReached,
    QueryRows,
    Skew,
    TimeToCurrent,
)
from deployctl.report.formatting import count, duration, moment, sanitize, size
from deployctl.report.json_output import json_fields, json_value
from deployctl.report.style import BAD, BUSY, GOOD, REST, STRONG, Glyphs, styled
from deployctl.report.table import Column, lay_out_columns, numbers

QUERY_SCHEMA = "deployctl.query/1"
Cells = list[Text | str]


def query_lines(
    found: QueryRows[Any], *, application: ApplicationName, days: int, columns: int, glyphs: Glyphs
) -> list[Text]:
    """A table, or a sentence if there are no rows; then the query's scope and cost."""
    empty, columns_of, cells = _TABLES[found.kind]
    scope = f"{sanitize(application)}, {count(days, 'day')}"
    source = f"{sanitize(found.engine)}, {size(found.bytes_scanned)} scanned"
    foot = styled(f"{scope} {glyphs.dot} {source}", REST)
    if not found.rows:
        return [styled(empty, STRONG), foot]
    first, head = found.rows[0], []
    if isinstance(first, GroupSummary):
        head = [styled(f"last snapshot {moment(first.seen_until)}", STRONG)]
    table = lay_out_columns(columns_of, [cells(each) for each in found.rows], width=columns, glyphs=glyphs)
    return [*head, *table, foot]


def _summary(row: GroupSummary) -> Cells:
    good = row.category in (Category.CURRENT, Category.NOT_MANAGED)
    style = GOOD if good else BAD if row.category.is_drift else BUSY
    return [
        sanitize(row.group_name),
        styled(row.category.value, style if row.workers else REST),
        f"{row.workers:,}",
        f"{row.worker_hours:,.1f}",
    ]


def _behind(row: BehindWorker) -> Cells:
    return [
        sanitize(row.group_name),
        sanitize(row.instance_id),
        styled(row.category.value, BAD if row.still_behind else REST),
        row.cause.value if row.cause else "",
        sanitize(row.deployed_version or "-"),
        sanitize(row.desired_version or "-"),
        moment(row.behind_since),
        duration(row.minutes * 60),
        styled("still", BAD) if row.still_behind else "ended",
    ]


def _skew(row: Skew) -> Cells:
    whole = row.current_share == 1
    return [
        moment(row.began_at),
        f"{row.workers:,}",
        styled(f"{row.versions:,}", BUSY if row.versions > 1 else ""),
        # Never rounded up to 100 %.
        styled("100 %" if whole else f"{int(row.current_share * 1000) / 10:.1f} %", GOOD if whole else BUSY),
    ]


def _time_to_current(row: TimeToCurrent) -> Cells:
    return [
        moment(row.began_at),
        sanitize(row.release_id),
        sanitize(row.version),
        styled(f"{row.reached:,} of {row.workers:,}", GOOD if row.reached == row.workers else BAD),
        *(
            styled("never", BAD) if minutes is None else duration(minutes * 60)
            for minutes in (row.minutes_50, row.minutes_95, row.minutes_100)
        ),
    ]


def _duration(row: GroupDuration) -> Cells:
    times = (duration(row.p50_s), duration(row.p95_s))
    return [sanitize(row.group_name), sanitize(row.strategy), *times, f"{row.releases:,}"]


def _never_reached(row: NeverReached) -> Cells:
    return [
        moment(row.started_at),
        sanitize(row.release_id),
        sanitize(row.version),
        sanitize(row.group_name),
        styled(row.verdict.value, BAD),
        sanitize(row.reason or ""),
        sanitize(row.actor),
    ]


#: For each kind of row: the sentence without rows, the columns, and a row's cells.
_TABLES: Mapping[type, tuple[str, Sequence[Column], Callable[[Any], Cells]]] = {
    GroupSummary: (
        "no snapshots",
        (
            Column("group", longest=40),
            Column("category"),
            Column("workers", right=True),
            Column("worker hours", right=True, gives_way=1),
        ),
        _summary,
    ),
    BehindWorker: (
        "no worker was behind that long",
        (
            Column("group", longest=28),
            Column("worker"),
            Column("category", gives_way=2),
            Column("cause", gives_way=3),
            Column("runs", longest=20, gives_way=4),
            Column("desired", longest=20, gives_way=5),
            Column("since", gives_way=1),
            Column("behind", right=True),
            Column(""),
        ),
        _behind,
    ),
    Skew: (
        "no snapshot of a managed worker",
        (Column("from"), *numbers("workers", "versions", "current")),
        _skew,
    ),
    TimeToCurrent: (
        "no release had workers",
        (
            Column("began", gives_way=2),
            Column("release", gives_way=1),
            Column("version", longest=24),
            *numbers("current", "50 %", "95 %", "100 %"),
        ),
        _time_to_current,
    ),
    GroupDuration: (
        "no group had a verified release",
        (Column("group", longest=40), Column("strategy"), *numbers("P50", "P95", "releases")),
        _duration,
    ),
    NeverReached: (
        "every release reached all of its groups",
        (
            Column("began"),
            Column("release", gives_way=2),
            Column("version", longest=24),
            Column("group", longest=40),
            Column("verdict"),
            Column("reason", gives_way=1, longest=80),
            Column("by", gives_way=3, longest=24),
        ),
        _never_reached,
    ),
}


def query_json(
    query: str, found: QueryRows[Any], *, application: ApplicationName, since: date
) -> dict[str, Any]:
    """`rows` have their query's columns."""
    return {
        "schema": QUERY_SCHEMA,
        "query": query,
        "application": application,
        "since": since.isoformat(),
        **json_fields(found, "engine", "query_id", "bytes_scanned", "rows"),
    }


def query_csv(found: QueryRows[Any]) -> str:
    """A header, then the rows; NULL is an empty cell."""
    text = io.StringIO()
    writer = csv.DictWriter(text, [f.name for f in fields(found.kind)], lineterminator="\n")
    writer.writeheader()
    writer.writerows(json_value(found.rows))
    return text.getvalue()
