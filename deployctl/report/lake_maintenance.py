"""The lake's maintenance and setup check for people and as JSON: a snapshot, compacted days, a prune."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from rich.text import Text

from deployctl.model.lake_maintenance import CompactedDay, LakePrune, WrittenSnapshot
from deployctl.model.names import ApplicationName
from deployctl.model.setup_check import SetupCheck
from deployctl.report.formatting import count, iso, list_some, sanitize, size
from deployctl.report.json_output import json_fields, json_value
from deployctl.report.style import BAD, BUSY, GOOD, REST, Glyphs, styled

SNAPSHOT_SCHEMA = "deployctl.snapshot/1"
COMPACT_SCHEMA = "deployctl.athena-compact/1"
PRUNE_SCHEMA = "deployctl.athena-prune/1"
MAX_DAYS = 5


def snapshot_line(written: WrittenSnapshot) -> str:
    """The id comes first, so that a script can cut it out."""
    snapshot = written.snapshot
    workers = f"{count(len(snapshot.rows), 'worker')} of {sanitize(snapshot.application)}"
    return f"{sanitize(snapshot.snapshot_id)}  {workers}, {size(written.size_bytes)}"


def snapshot_json(written: WrittenSnapshot, *, uri: str) -> dict[str, Any]:
    snapshot = written.snapshot
    return {
        "schema": SNAPSHOT_SCHEMA,
        "application": snapshot.application,
        "snapshot_id": snapshot.snapshot_id,
        "snapshot_at": iso(snapshot.at),
        "groups": len(snapshot.groups),
        "workers": len(snapshot.rows),
        "bytes": written.size_bytes,
        "uri": uri,
    }


def compacted_line(day: CompactedDay) -> str:
    if day.was_there:
        return f"{day.day} already compacted"
    so_far = "" if day.is_whole else " so far"
    return (
        f"compacted {day.day}{so_far}: {count(day.spans, 'span')} of {count(day.workers, 'worker')}"
        f" from {count(day.snapshots, 'snapshot')}, {size(day.size_bytes)}"
    )


def compact_json(application: ApplicationName, days: Sequence[CompactedDay]) -> dict[str, Any]:
    """`already_compacted`: the day was compacted before, and nothing was done."""
    return {
        "schema": COMPACT_SCHEMA,
        "application": application,
        "days": [
            {
                "day": day.day.isoformat(),
                "is_complete": day.is_whole,
                "already_compacted": day.was_there,
                **json_fields(day, "snapshots", "workers", "spans"),
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
    """What a prune removes, or (with `done`) has removed, and the days that it cannot remove yet."""
    verb = "removed" if done else "would remove"
    raw = f"{count(len(prune.snapshots), 'snapshot')} older than {keep_raw.days:,} days"
    freed = f" ({size(prune.snapshot_bytes)})" if prune.snapshots else ""
    spans = f"{count(len(prune.spans), 'day')} of spans older than {keep_spans.days:,} days"
    lines = [Text(f"{verb} {raw}{freed} and {spans}, of {sanitize(application)}")]
    if prune.held_back:
        days = list_some(map(str, prune.held_back), most=MAX_DAYS, noun="more days")
        lines.append(styled(f"snapshots kept, because these days are not compacted yet: {days}", BUSY))
        lines.append(Text(f"{glyphs.arrow} deployctl athena compact"))
    return lines


def prune_json(
    application: ApplicationName, prune: LakePrune, *, keep_raw: timedelta, keep_spans: timedelta, done: bool
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
        "not_compacted": json_value(prune.held_back),
    }


CHECK_SCHEMA = "deployctl.athena-check/1"


def check_lines(found: Sequence[SetupCheck], *, glyphs: Glyphs) -> list[Text]:
    """One line per check, then each remedy once."""
    wrong = [each for each in found if not each.is_right]
    head = styled(f"{glyphs.ok} Athena is set up correctly", GOOD)
    if wrong:
        head = styled(f"{glyphs.failed} {len(wrong):,} of {count(len(found), 'Athena check')} failed", BAD)
    remedies = dict.fromkeys(each.remedy for each in wrong if each.remedy)
    return [
        head,
        *(_line(each, glyphs) for each in found),
        *(Text(f"{glyphs.arrow} {sanitize(remedy)}") for remedy in remedies),
    ]


def _line(each: SetupCheck, glyphs: Glyphs) -> Text:
    if each.wrong is None:
        return styled(f"  {glyphs.ok} {sanitize(each.noun)}", REST)
    return styled(f"  {glyphs.failed} ", BAD).append(f"{sanitize(each.noun)} {sanitize(each.wrong)}")


def check_json(found: Sequence[SetupCheck]) -> dict[str, Any]:
    """`wrong` and `remedy` are null for a check that passed."""
    return {
        "schema": CHECK_SCHEMA,
        "is_right": all(each.is_right for each in found),
        "checked": json_value(tuple(found)),
    }
