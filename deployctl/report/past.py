"""`deployctl history`: one line a release, the newest on top."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from rich.text import Text

from deployctl.model.names import Version
from deployctl.model.record import History, PastRelease, ReleaseRecord
from deployctl.model.release import ReleaseKind
from deployctl.model.verdict import Verdict
from deployctl.report.columns import Column, in_columns
from deployctl.report.look import BAD, BUSY, GOOD, REST, STRONG, Glyphs, styled
from deployctl.report.words import clean, count, duration, moment

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
            styled(f"{clean(found.application)} was never released", STRONG),
            Text(f"{glyphs.arrow} deployctl release VERSION"),
        ]
    rows = [_row(past, found.at, glyphs) for past in found.releases]
    lines = in_columns(_COLUMNS, rows, width=columns, glyphs=glyphs)
    older = found.number - len(found.releases)
    if older:
        lines.append(
            styled(f"{glyphs.ellipsis} {count(older, 'older release')}: deployctl history --limit N", REST)
        )
    lines += [Text(f"{glyphs.arrow} {command}") for command in _next(found)]
    return lines


def _next(found: History) -> list[str]:
    newest = found.releases[0]
    if newest.is_under_way:
        return ["deployctl status"]
    bad = next((p for p in found.releases if p.record and p.record.verdict not in (None, *_GOOD)), None)
    return [f"deployctl logs {clean(bad.release_id)}   # what its failed workers printed"] if bad else []


def _row(past: PastRelease, now: datetime, glyphs: Glyphs) -> list[Text | str]:
    record = past.record
    word = state_of(past)
    verdict = styled(word, _style(past))
    if record is None:
        return ["", clean(past.release_id), "", verdict, "", "", "", ""]
    took_s = duration_s(past, now)
    return [
        moment(record.began_at),
        clean(past.release_id),
        _version(record, glyphs),
        verdict,
        f"{len(record.groups):,}",
        "" if took_s is None else duration(took_s),
        kind_of(record).value,
        clean(record.intent.actor) if record.intent else "",
    ]


def state_of(past: PastRelease) -> str:
    """The verdict or, of a release without one, whether it is under way, was left, or cannot be read."""
    if past.record is None:
        return UNREADABLE
    if past.record.verdict is not None:
        return past.record.verdict.value
    return UNDER_WAY if past.is_under_way else UNFINISHED


def duration_s(past: PastRelease, now: datetime) -> float | None:
    """From its beginning to its end, or until now while it is under way; None of one that was left."""
    record = past.record
    if record is None:
        return None
    end = record.finished_at or (now if past.is_under_way else None)
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
    text = styled(f"{clean(before)} {glyphs.arrow} ", REST) if before else Text()
    return text.append(clean(to))


_GOOD = (Verdict.HELD, Verdict.EMPTY)


def _style(past: PastRelease) -> str:
    verdict = past.record.verdict if past.record else None
    if verdict is None:
        return BUSY if past.is_under_way else BAD
    return GOOD if verdict in _GOOD else BUSY if verdict is Verdict.RUNNING else BAD
