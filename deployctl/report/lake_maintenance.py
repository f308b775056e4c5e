"""The lake's upkeep in words and as JSON: a snapshot, compacted days, what a prune removes."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta
from typing import Any

from rich.text import Text

from deployctl.model.lake_maintenance import CompactedDay, LakePrune, WrittenSnapshot
from deployctl.model.names import ApplicationName
from deployctl.report.formatting import count, iso, list_some, sanitize, size
from deployctl.report.style import BUSY, Glyphs, styled

SNAPSHOT_SCHEMA = "deployctl.snapshot/1"
COMPACT_SCHEMA = "deployctl.athena-compact/1"
PRUNE_SCHEMA = "deployctl.athena-prune/1"
MAX_DAYS = 5


def snapshot_line(written: WrittenSnapshot) -> str:
    """The id first, for whoever cuts it out."""
    seen = written.snapshot
    return (
        f"{sanitize(seen.snapshot_id)}  {count(len(seen.rows), 'worker')} of {sanitize(seen.application)},"
        f" {size(written.size_bytes)}"
    )


def snapshot_json(written: WrittenSnapshot, *, uri: str) -> dict[str, Any]:
    seen = written.snapshot
    return {
        "schema": SNAPSHOT_SCHEMA,
        "application": seen.application,
        "snapshot_id": seen.snapshot_id,
        "snapshot_at": iso(seen.at),
        "groups": len(seen.groups),
        "workers": len(seen.rows),
        "bytes": written.size_bytes,
        "uri": uri,
    }


def compacted_line(day: CompactedDay) -> str:
    if day.was_there:
        return f"{day.day} is compacted already"
    so_far = "" if day.is_whole else " as far as it has come"
    return (
        f"compacted {day.day}{so_far}: {count(day.spans, 'span')} of {count(day.workers, 'worker')}"
        f" from {count(day.snapshots, 'snapshot')}, {size(day.size_bytes)}"
    )


def compact_json(application: ApplicationName, days: Sequence[CompactedDay]) -> dict[str, Any]:
    """`was_there`: the day was compacted before, and nothing was done."""
    return {
        "schema": COMPACT_SCHEMA,
        "application": application,
        "days": [
            {
                "day": day.day.isoformat(),
                "is_whole": day.is_whole,
                "was_there": day.was_there,
                "snapshots": day.snapshots,
                "workers": day.workers,
                "spans": day.spans,
                "bytes": day.size_bytes,
            }
            for day in days
        ],
    }


def prune_lines(
    application: ApplicationName,
    prune: LakePrune,
    *,
    keep_raw: timedelta,
    keep_spans: timedelta,
    done: bool,
    glyphs: Glyphs,
) -> list[Text]:
    """What a prune removes, or (with `done`) has removed, and which days it had to leave."""
    verb = "removed" if done else "would remove"
    raw = f"{count(len(prune.snapshots), 'snapshot')} older than {keep_raw.days:,} days"
    freed = f" ({size(prune.snapshot_bytes)})" if prune.snapshots else ""
    spans = f"{count(len(prune.spans), 'day')} of spans older than {keep_spans.days:,} days"
    lines = [Text(f"{verb} {raw}{freed} and {spans}, of {sanitize(application)}")]
    if prune.held_back:
        lines += [
            styled(
                f"not compacted yet, so the snapshots stay: {_days(prune.held_back)}",
                BUSY,
            ),
            Text(f"{glyphs.arrow} deployctl athena compact"),
        ]
    return lines


def _days(days: Sequence[date]) -> str:
    return list_some(map(str, days), most=MAX_DAYS, noun="more days")


def prune_json(
    application: ApplicationName,
    prune: LakePrune,
    *,
    keep_raw: timedelta,
    keep_spans: timedelta,
    done: bool,
) -> dict[str, Any]:
    """What a prune removes, or (with `done`) has removed."""
    return {
        "schema": PRUNE_SCHEMA,
        "application": application,
        "keep_raw_days": keep_raw.days,
        "keep_spans_days": keep_spans.days,
        "done": done,
        "snapshots": len(prune.snapshots),
        "snapshot_bytes": prune.snapshot_bytes,
        "spans": len(prune.spans),
        "held_back": [day.isoformat() for day in prune.held_back],
    }
