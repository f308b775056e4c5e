"""One group's row on the board; a narrow terminal shows fewer columns."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from rich.text import Text

from deployctl.execute.release_state import GroupState, Phase
from deployctl.model.verdict import Verdict
from deployctl.report.board_model import BoardRow, ColumnWidths, Section
from deployctl.report.formatting import duration
from deployctl.report.style import BAD, BUSY, GOOD, PLAIN, REST, STRONG, Glyphs, fit_name, styled

WORD = 11
ELAPSED = 6
MIN_NAME = 16
MAX_NAME = 60
MIN_BAR = 8
MAX_BAR = 50
MAX_NOTE = 30


@dataclass(frozen=True, slots=True, kw_only=True)
class Columns:
    """The width of each column, 0 for one left out."""

    name: int
    bar: int
    count: int
    word: int
    strategy: int
    elapsed: int
    note: int


def columns_for(widest: ColumnWidths, width: int) -> Columns:
    """The columns that fit a terminal of `width`: the deployment id is dropped first, the name never."""
    wishes = {
        "count": 2 * widest.number + 1 if widest.number else 0,
        "word": WORD,
        "bar": MIN_BAR,
        "elapsed": ELAPSED,
        "strategy": widest.strategy,
        "note": min(widest.note, MAX_NOTE),
    }
    name_least = min(widest.name, MIN_NAME)
    left = width - 2 - name_least
    widths = dict.fromkeys(wishes, 0)
    for column, wish in wishes.items():
        if not wish:
            continue
        if wish + 1 > left:
            break
        widths[column] = wish
        left -= wish + 1
    name = min(name_least + max(left, 0), widest.name, MAX_NAME)
    left -= name - name_least
    if widths["bar"]:
        widths["bar"] = min(MIN_BAR + max(left, 0), MAX_BAR)
    return Columns(name=name, **widths)


class Rows:
    """Draws rows, and reuses each drawn row while it looks the same."""

    def __init__(self, glyphs: Glyphs) -> None:
        self._glyphs = glyphs
        self._drawn: dict[str, tuple[BoardRow, str, Columns, Text]] = {}

    def draw(self, row: BoardRow, *, began: datetime, now: datetime, columns: Columns) -> Text:
        elapsed = duration(_elapsed_s(row.group, began, now))
        known = self._drawn.get(row.name)
        if known is not None and known[0] is row and known[1] == elapsed and known[2] == columns:
            return known[3]
        text = _draw(row, elapsed, columns, self._glyphs)
        self._drawn[row.name] = (row, elapsed, columns, text)
        return text


def _draw(row: BoardRow, elapsed: str, columns: Columns, glyphs: Glyphs) -> Text:
    mark, style = _mark(row, glyphs)
    progress = row.progress
    line = styled(f"{mark} ", style)
    line.append(fit_name(row.name, columns.name, glyphs), STRONG if row.is_troubled else "")
    if columns.bar:
        line.append(" ").append(progress.bar(columns.bar, glyphs))
    if columns.count:
        line.append(" " + f"{progress.done}/{progress.total}".rjust(columns.count))
    if columns.word:
        failed = progress.bad and row.group.outcome is None
        line.append(" ").append((f"{progress.bad} failed" if failed else row.word).ljust(columns.word), style)
    if columns.strategy:
        line.append(" " + row.strategy.rjust(columns.strategy), REST)
    if columns.elapsed:
        line.append(" " + elapsed.rjust(columns.elapsed))
    # A note wider than its column may run to the end of the line, where the board cuts it off.
    return line.append(f" {row.note}" if columns.note else "", REST)


def _elapsed_s(group: GroupState, began: datetime, now: datetime) -> float:
    """Seconds since the group started; for a finished group, from the release's start to the group's end."""
    if group.since is None:
        return 0.0
    if group.phase is Phase.FINISHED:
        return (group.since - began).total_seconds()
    return (now - group.since).total_seconds()


def _mark(row: BoardRow, glyphs: Glyphs) -> tuple[str, str]:
    verdict = row.group.outcome.verdict if row.group.outcome else None
    if row.section is Section.PARTIAL:
        return glyphs.failed, BUSY
    if row.section is Section.TROUBLED:
        return glyphs.failed, BAD
    if verdict is not None and verdict.is_verified:
        return glyphs.ok, GOOD
    if verdict in (Verdict.NOT_STARTED, Verdict.SUPERSEDED):
        return glyphs.waiting, BUSY
    return {
        Section.QUEUED: (glyphs.queued, BUSY),
        Section.RUNNING: (glyphs.running, BUSY),
        Section.WAITING: (glyphs.waiting, REST),
    }.get(row.section, (glyphs.running, PLAIN))
