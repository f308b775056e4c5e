"""`deployctl history`: one line a release, the newest on top."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from rich.text import Text

from deployctl.model.names import Version
from deployctl.model.release import ReleaseKind
from deployctl.model.release_record import History, ReleaseRecord, ReleaseSummary
from deployctl.model.verdict import Verdict
from deployctl.report.formatting import count, duration, moment, sanitize
from deployctl.report.style import BAD, BUSY, GOOD, REST, STRONG, Glyphs, styled
from deployctl.report.table import Column, lay_out_columns

UNDER_WAY, UNFINISHED, UNREADABLE = "under way", "unfinished", "unreadable"
MIXED = "mixed"
_COLUMNS = (
    Column(head="began"),
    Column(head="release", gives_way=1),
    Column(head="version", longest=40),
    Column(head="verdict"),
    Column(head="groups", right=True, gives_way=3),
    Column(head="took", right=True, gives_way=2),
    Column(head="kind", gives_way=4),
    Column(head="by", gives_way=5, longest=24),
)


def history_lines(found: History, *, columns: int, glyphs: Glyphs) -> list[Text]:
    if not found.releases:
        return [
            styled(f"{sanitize(found.application)} was never released", STRONG),
            Text(f"{glyphs.arrow} deployctl release VERSION"),
        ]
    rows = [_row(past, found.at, glyphs) for past in found.releases]
    lines = lay_out_columns(_COLUMNS, rows, width=columns, glyphs=glyphs)
    older = found.number - len(found.releases)
    if older:
        lines.append(
            styled(f"{glyphs.ellipsis} {count(older, 'older release')}: deployctl history --limit N", REST)
        )
    lines += [Text(f"{glyphs.arrow} {command}") for command in _next(found)]
    return lines


def _next(found: History) -> list[str]:
    newest = found.releases[0]
    if newest.is_in_progress:
        return ["deployctl status"]
    bad = next((p for p in found.releases if p.record and p.record.verdict not in (None, *_GOOD)), None)
    return [f"deployctl logs {sanitize(bad.release_id)}   # what its failed workers printed"] if bad else []


def _row(past: ReleaseSummary, now: datetime, glyphs: Glyphs) -> list[Text | str]:
    record = past.record
    word = state_of(past)
    verdict = styled(word, _style(past))
    if record is None:
        return ["", sanitize(past.release_id), "", verdict, "", "", "", ""]
    took_s = duration_s(past, now)
    return [
        moment(record.began_at),
        sanitize(past.release_id),
        _version(record, glyphs),
        verdict,
        f"{len(record.groups):,}",
        "" if took_s is None else duration(took_s),
        kind_of(record).value,
        sanitize(record.intent.actor) if record.intent else "",
    ]


def state_of(past: ReleaseSummary) -> str:
    """The verdict or, of a release without one, whether it is under way, was left, or cannot be read."""
    if past.record is None:
        return UNREADABLE
    if past.record.verdict is not None:
        return past.record.verdict.value
    return UNDER_WAY if past.is_in_progress else UNFINISHED


def duration_s(past: ReleaseSummary, now: datetime) -> float | None:
    """From its beginning to its end, or until now while it is under way; None of one that was left."""
    record = past.record
    if record is None:
        return None
    end = record.finished_at or (now if past.is_in_progress else None)
    return None if end is None else max((end - record.began_at).total_seconds(), 0.0)


def kind_of(record: ReleaseRecord) -> ReleaseKind:
    """A journal without an intent is of deployctl 0.1, which knew no rollback."""
    return record.intent.kind if record.intent else ReleaseKind.RELEASE


def versions(record: ReleaseRecord) -> tuple[str | None, str]:
    """From which version to which: `mixed` where no one version was desired in most groups.

    A repair comes from none: its groups should have run the version already.
    """
    if kind_of(record) is ReleaseKind.REPAIR:
        return None, record.version
    return _most(record.versions_before), record.version


def _most(before: Mapping[Version | None, int]) -> str | None:
    if not before:
        return None
    version, groups = max(before.items(), key=lambda item: item[1])
    return version if 2 * groups > sum(before.values()) else MIXED


def _version(record: ReleaseRecord, glyphs: Glyphs) -> Text:
    before, to = versions(record)
    text = styled(f"{sanitize(before)} {glyphs.arrow} ", REST) if before else Text()
    return text.append(sanitize(to))


_GOOD = (Verdict.VERIFIED, Verdict.EMPTY)


def _style(past: ReleaseSummary) -> str:
    verdict = past.record.verdict if past.record else None
    if verdict is None:
        return BUSY if past.is_in_progress else BAD
    return GOOD if verdict in _GOOD else BUSY if verdict is Verdict.RUNNING else BAD
