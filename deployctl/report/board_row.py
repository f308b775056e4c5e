"""One group's row on the board, in columns that give way as the terminal gets narrower."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from rich.text import Text

from deployctl.execute.release_state import GroupState, Phase
from deployctl.model.verdict import Verdict
from deployctl.report.board_model import BoardRow, ColumnWidths, Section
from deployctl.report.formatting import duration
from deployctl.report.style import BAD, BUSY, GOOD, PLAIN, REST, STRONG, Glyphs, bar, fit_name, styled

WORD = 11
ELAPSED = 6
MIN_NAME = 16
MAX_NAME = 60
MIN_BAR = 8
MAX_BAR = 50
MAX_NOTE = 30


@dataclass(frozen=True, slots=True, kw_only=True)
class Columns:
    """The width of each column, 0 where it is left out."""

    name: int
    bar: int
    count: int
    word: int
    strategy: int
    elapsed: int
    note: int


def columns_for(widest: ColumnWidths, width: int) -> Columns:
    """Columns for such groups in so wide a terminal: the deployment id gives way first, the name never."""
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
    """Draws rows, each once for as long as it looks the same."""

    def __init__(self, glyphs: Glyphs) -> None:
        self._glyphs = glyphs
        self._drawn: dict[str, tuple[BoardRow, str, Columns, Text]] = {}

    def row(self, glance: BoardRow, *, began: datetime, now: datetime, columns: Columns) -> Text:
        elapsed = duration(_elapsed_s(glance.group, began, now))
        known = self._drawn.get(glance.name)
        if known is not None and known[0] is glance and known[1] == elapsed and known[2] == columns:
            return known[3]
        text = _row(glance, elapsed, columns, self._glyphs)
        self._drawn[glance.name] = (glance, elapsed, columns, text)
        return text


def _row(glance: BoardRow, elapsed: str, columns: Columns, glyphs: Glyphs) -> Text:
    mark, style = _mark(glance, glyphs)
    at = glance.at
    row = styled(f"{mark} ", style)
    row.append(fit_name(glance.name, columns.name, glyphs), STRONG if glance.is_troubled else "")
    if columns.bar:
        row.append(" ").append(
            bar(
                done=at.done,
                bad=at.bad,
                moving=at.moving,
                total=at.total,
                columns=columns.bar,
                glyphs=glyphs,
            )
        )
    if columns.count:
        row.append(" " + f"{at.done}/{at.total}".rjust(columns.count))
    if columns.word:
        row.append(" ").append(_word(glance).ljust(columns.word), style)
    if columns.strategy:
        row.append(" " + glance.strategy.rjust(columns.strategy), REST)
    if columns.elapsed:
        row.append(" " + elapsed.rjust(columns.elapsed))
    # A holder that is too long for its column may run to the end of the line, where the board cuts it.
    return row.append(f" {glance.note}" if columns.note else "", REST)


def _word(glance: BoardRow) -> str:
    """The state in a word; a group that goes on in spite of failures says how many there are."""
    bad = glance.at.bad
    return f"{bad} failed" if bad and glance.group.outcome is None else glance.word


def _elapsed_s(group: GroupState, began: datetime, now: datetime) -> float:
    """How long the group is at it, or, once it is over, how long after the release's start that was."""
    if group.since is None:
        return 0.0
    if group.phase is Phase.FINISHED:
        return (group.since - began).total_seconds()
    return (now - group.since).total_seconds()


def _mark(glance: BoardRow, glyphs: Glyphs) -> tuple[str, str]:
    verdict = glance.group.outcome.verdict if glance.group.outcome else None
    if glance.place is Section.PARTLY:
        return glyphs.failed, BUSY
    if glance.place is Section.TROUBLED:
        return glyphs.failed, BAD
    if verdict is not None and verdict.is_verified:
        return glyphs.held, GOOD
    if verdict in (Verdict.NOT_STARTED, Verdict.SUPERSEDED):
        return glyphs.waiting, BUSY
    return {
        Section.QUEUED: (glyphs.queued, BUSY),
        Section.RUNNING: (glyphs.running, BUSY),
        Section.WAITING: (glyphs.waiting, REST),
    }.get(glance.place, (glyphs.running, PLAIN))
