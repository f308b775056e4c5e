"""`deployctl history`: one line per release, the newest on top."""

from datetime import datetime
from typing import Any

from rich.text import Text

from deployctl.model.command import shell_command, with_note
from deployctl.model.release import ReleaseKind
from deployctl.model.release_record import History, ReleaseRecord, ReleaseSummary
from deployctl.report.formatting import count, duration, moment, sanitize
from deployctl.report.json_output import json_fields
from deployctl.report.style import BAD, BUSY, REST, STRONG, Glyphs, styled, verdict_style
from deployctl.report.table import Column, lay_out_columns

HISTORY_SCHEMA = "deployctl.history/1"
IN_PROGRESS, UNFINISHED, UNREADABLE = "in progress", "unfinished", "unreadable"
MIXED = "mixed"
_COLUMNS = (
    Column("began"),
    Column("release", gives_way=1),
    Column("version", longest=40),
    Column("verdict"),
    Column("groups", right=True, gives_way=3),
    Column("took", right=True, gives_way=2),
    Column("kind", gives_way=4),
    Column("by", gives_way=5, longest=24),
)


def history_lines(found: History, *, columns: int, glyphs: Glyphs) -> list[Text]:
    if not found.releases:
        return [
            styled(f"{sanitize(found.application)} has no releases", STRONG),
            Text(f"{glyphs.arrow} deployctl release VERSION"),
        ]
    rows = [_row(past, found.at, glyphs) for past in found.releases]
    lines = lay_out_columns(_COLUMNS, rows, width=columns, glyphs=glyphs)
    older = found.number - len(found.releases)
    if older:
        lines.append(styled(f"{glyphs.ellipsis} {count(older, 'older release')}", REST))
        lines.append(Text(f"{glyphs.arrow} deployctl history --limit {found.number}"))
    return [*lines, *(Text(f"{glyphs.arrow} {command}") for command in _next(found))]


def _next(found: History) -> list[str]:
    newest = found.releases[0]
    if newest.is_in_progress:
        return ["deployctl status"]
    for past in found.releases:
        verdict = past.record.verdict if past.record else None
        if verdict is not None and not verdict.is_verified:
            return [
                with_note(
                    shell_command("deployctl", "logs", past.release_id), "what its failed workers printed"
                )
            ]
    return []


def _row(past: ReleaseSummary, now: datetime, glyphs: Glyphs) -> list[Text | str]:
    record = past.record
    style = BUSY if past.is_in_progress else BAD
    if record is not None and record.verdict is not None:
        style = verdict_style(record.verdict)
    verdict = styled(state_of(past), style)
    if record is None:
        return ["", sanitize(past.release_id), "", verdict, "", "", "", ""]
    took_s = duration_s(past, now)
    before, to = versions(record)
    version = styled(f"{sanitize(before)} {glyphs.arrow} ", REST) if before else Text()
    return [
        moment(record.began_at),
        sanitize(past.release_id),
        version.append(sanitize(to)),
        verdict,
        f"{len(record.groups):,}",
        "" if took_s is None else duration(took_s),
        kind_of(record).value,
        sanitize(record.intent.actor) if record.intent else "",
    ]


def state_of(past: ReleaseSummary) -> str:
    """The verdict, or for a release without one: in progress, unfinished or unreadable."""
    if past.record is None:
        return UNREADABLE
    if past.record.verdict is not None:
        return past.record.verdict.value
    return IN_PROGRESS if past.is_in_progress else UNFINISHED


def duration_s(past: ReleaseSummary, now: datetime) -> float | None:
    """Seconds from start to end, or until now for a release in progress; None for an unfinished one."""
    record = past.record
    if record is None:
        return None
    end = record.finished_at or (now if past.is_in_progress else None)
    return None if end is None else max((end - record.began_at).total_seconds(), 0.0)


def kind_of(record: ReleaseRecord) -> ReleaseKind:
    """The record's kind; deployctl 0.1 wrote no intent and had only releases."""
    return record.intent.kind if record.intent else ReleaseKind.RELEASE


def versions(record: ReleaseRecord) -> tuple[str | None, str]:
    """The version before (`mixed` if no version was desired in most groups) and the version after.

    A repair has no version before: its groups should have run the version already.
    """
    if kind_of(record) is ReleaseKind.REPAIR:
        return None, record.version
    before = record.versions_before
    if not before:
        return None, record.version
    version, groups = max(before.items(), key=lambda item: item[1])
    return version if 2 * groups > sum(before.values()) else MIXED, record.version


def history_json(found: History) -> dict[str, Any]:
    """The newest releases, the newest first; `number` counts all releases."""
    return {
        "schema": HISTORY_SCHEMA,
        **json_fields(found, "application", "at", "number"),
        "releases": [_past_json(past, found) for past in found.releases],
    }


def _past_json(past: ReleaseSummary, found: History) -> dict[str, Any]:
    head = {"release_id": past.release_id, "state": state_of(past)}
    if past.record is None:
        return {**head, "unreadable": past.unreadable}
    took_s = duration_s(past, found.at)
    before, to = versions(past.record)
    return {
        **head,
        **record_json(past.record),
        "from": before,
        "to": to,
        "groups": len(past.record.groups),
        "elapsed_s": None if took_s is None else round(took_s, 3),
    }


def record_json(record: ReleaseRecord) -> dict[str, Any]:
    return {
        "kind": kind_of(record),
        "version": record.version,
        **json_fields(record.intent, "actor", "undoes"),
        **json_fields(record, "verdict", "began_at", "finished_at"),
    }
