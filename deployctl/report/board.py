"""The live board: a release's state as lines that fit one screen, the troubled groups on top."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from rich.text import Text

from deployctl.execute.release_state import ReleaseState
from deployctl.report.board_header import header
from deployctl.report.board_model import BoardRow, Overview, OverviewBuilder, Section, queued_behind
from deployctl.report.board_row import Rows, columns_for
from deployctl.report.formatting import sanitize
from deployctl.report.group_progress import failure_note
from deployctl.report.style import BUSY, REST, Glyphs, fit, styled

MIN_RUNNING_ROWS = 3
MAX_WARNINGS = 2
_INDENT = "    "
_TROUBLED = (Section.TROUBLED, Section.PARTLY)


@dataclass(frozen=True, slots=True, kw_only=True)
class Screen:
    """What there is to draw on, in character cells."""

    columns: int
    rows: int


class Board:
    """Draws one release again and again; what has not changed since the last time is not worked out anew."""

    def __init__(self, glyphs: Glyphs) -> None:
        self._glyphs = glyphs
        self._overviews = OverviewBuilder()
        self._rows = Rows(glyphs)

    def lines(self, state: ReleaseState, *, now: datetime, screen: Screen) -> list[Text]:
        """The board in at most `screen.rows` lines, none wider than `screen.columns`.

        Troubled groups come first with their reason, then the queued and the running. Where not every group has
        room, those that wait or are over are counted in one line instead.
        """
        seen = self._overviews.of(state)
        columns = columns_for(seen.widest, screen.columns)

        def row(glance: BoardRow) -> Text:
            return self._rows.row(glance, began=state.started_at, now=now, columns=columns)

        head = header(seen, now=now, columns=screen.columns, glyphs=self._glyphs)
        notes = _warnings(state)
        body = _Body(seen, row=row, width=screen.columns, glyphs=self._glyphs)
        lines = [*head, *body.lines(screen.rows - len(head) - len(notes)), *notes]
        return [fit(line, screen.columns, self._glyphs) for line in lines[: max(screen.rows, 0)]]


def render_board(state: ReleaseState, *, now: datetime, screen: Screen, glyphs: Glyphs) -> list[Text]:
    """One board by itself."""
    return Board(glyphs).lines(state, now=now, screen=screen)


class _Body:
    """The groups' part of the board."""

    def __init__(
        self, seen: Overview, *, row: Callable[[BoardRow], Text], width: int, glyphs: Glyphs
    ) -> None:
        self._seen = seen
        self._row = row
        self._width = width
        self._glyphs = glyphs

    def lines(self, room: int) -> list[Text]:
        if room <= 0:
            return []
        told = self._seen.of(*_TROUBLED, Section.QUEUED)
        others = self._seen.of(Section.RUNNING, Section.WAITING, Section.OVER)
        if len(told) + len(others) <= room:
            for detail in (2, 1):
                blocks = [self._block(glance, detail) for glance in told]
                if sum(map(len, blocks)) + len(others) <= room:
                    return [*_flat(blocks), *map(self._row, others)]
        return self._crowded(room)

    def _crowded(self, room: int) -> list[Text]:
        """Not every group has a line: the troubled, then those in motion, then a count of the rest."""
        troubled = self._seen.of(*_TROUBLED)
        moving = self._seen.of(Section.QUEUED, Section.RUNNING)
        still = self._seen.of(Section.WAITING, Section.OVER)
        blocks = self._fitting_blocks(troubled, room - 1 - min(len(moving), MIN_RUNNING_ROWS))
        lines = _flat(blocks)
        moved = self._moving_blocks(moving, room - 1 - len(lines))
        hidden = [*troubled[len(blocks) :], *moving[len(moved) :], *still]
        lines += _flat(moved)
        return [*lines, self._rest(hidden)] if hidden else lines

    def _moving_blocks(self, glances: Sequence[BoardRow], room: int) -> list[list[Text]]:
        """As many of those in motion as there is room for; a few queued ones with whose deployment is in the way."""
        queued = sum(glance.place is Section.QUEUED for glance in glances)
        blocks: list[list[Text]] = []
        for glance in glances:
            detailed = glance.place is Section.QUEUED and queued <= MIN_RUNNING_ROWS
            block = self._queued(glance) if detailed else [self._row(glance)]
            if len(block) > room:
                break
            blocks.append(block)
            room -= len(block)
        return blocks

    def _fitting_blocks(self, glances: Sequence[BoardRow], room: int) -> list[list[Text]]:
        """As many of these as there is room for: with their reason if all fit so, else bare rows."""
        if len(glances) * 2 <= room:
            for detail in (2, 1):
                blocks = [self._block(glance, detail) for glance in glances]
                if sum(map(len, blocks)) <= room:
                    return blocks
        return [[self._row(glance)] for glance in glances[: max(room, 0)]]

    def _block(self, glance: BoardRow, detail: int) -> list[Text]:
        """A row and its reason, in one line if it fits or may take no more."""
        if glance.place is Section.QUEUED:
            return self._queued(glance)
        found = failure_note(glance.group)
        one = Text(_INDENT).append(found.facts)
        if found.log is not None:
            one.append(f": {found.log}")
        if found.log is None or detail == 1 or one.cell_len <= self._width:
            return [self._row(glance), one]
        log = Text(_INDENT).append("log: ", REST).append(found.log)
        return [self._row(glance), Text(_INDENT).append(found.facts), log]

    def _queued(self, glance: BoardRow) -> list[Text]:
        """Whose deployment has the slot, on a line of its own where the row cannot hold it."""
        row = self._row(glance)
        if glance.group.holder is None or (row.plain.endswith(glance.note) and row.cell_len <= self._width):
            return [row]
        return [row, styled(f"{_INDENT}waits behind {queued_behind(glance.group)}", REST)]

    def _rest(self, glances: Sequence[BoardRow]) -> Text:
        counts = Counter(glance.word for glance in glances)
        first, *more = [f"{n} {word}" for word, n in counts.most_common()]
        number, word = first.split(" ", 1)
        noun = "group" if number == "1" else "groups"
        return styled(f"{self._glyphs.ellipsis} {', '.join([f'{number} {noun} {word}', *more])}", REST)


def _flat(blocks: Sequence[list[Text]]) -> list[Text]:
    return [line for block in blocks for line in block]


def _warnings(state: ReleaseState) -> list[Text]:
    """The latest warnings, each in one line."""
    return [
        styled("warning: ", BUSY)
        .append(f"{sanitize(w.group)}: " if w.group else "")
        .append(sanitize(w.message))
        for w in state.warnings[-MAX_WARNINGS:]
    ]
