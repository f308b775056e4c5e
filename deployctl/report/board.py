"""The live board: a release's state as lines that fit one screen, the troubled groups on top."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import IntEnum

from rich.text import Text

from deployctl.execute.fold import GroupState, Phase, ReleaseState
from deployctl.report.header import header
from deployctl.report.look import BUSY, REST, Glyphs, fit, styled
from deployctl.report.progress import is_troubled, state_word, trouble
from deployctl.report.row import Columns, columns_for, group_row
from deployctl.report.words import clean

MIN_RUNNING_ROWS = 3
MAX_WARNINGS = 2
_INDENT = "    "


class _Place(IntEnum):
    """Where a group stands on the board, from the top."""

    TROUBLED = 0
    QUEUED = 1
    RUNNING = 2
    WAITING = 3
    OVER = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Screen:
    """What there is to draw on, in character cells."""

    columns: int
    rows: int


def board(state: ReleaseState, *, now: datetime, screen: Screen, glyphs: Glyphs) -> list[Text]:
    """The board in at most `screen.rows` lines, none wider than `screen.columns`.

    Troubled groups come first with their reason, then the queued and the running. Where not every group has
    room, those that wait or are over are counted in one line instead.
    """
    head = header(state, now=now, columns=screen.columns, glyphs=glyphs)
    notes = _warnings(state)
    room = screen.rows - len(head) - len(notes)
    body = _Body(state, now=now, columns=screen.columns, glyphs=glyphs)
    lines = [*head, *body.lines(room), *notes]
    return [fit(line, screen.columns, glyphs) for line in lines[: max(screen.rows, 0)]]


class _Body:
    """The groups' part of the board."""

    def __init__(self, state: ReleaseState, *, now: datetime, columns: int, glyphs: Glyphs) -> None:
        self._began = state.started_at
        self._now = now
        self._glyphs = glyphs
        self._width = columns
        self._places: dict[_Place, list[GroupState]] = {place: [] for place in _Place}
        for group in state.groups.values():
            self._places[_place(group)].append(group)
        self._columns: Columns = columns_for(state.groups.values(), columns)

    def lines(self, room: int) -> list[Text]:
        if room <= 0:
            return []
        troubled = self._places[_Place.TROUBLED]
        others = [g for place in list(_Place)[1:] for g in self._places[place]]
        for detail in (2, 1):
            blocks = [self._block(group, detail) for group in troubled]
            if sum(map(len, blocks)) + len(others) <= room:
                return [*_flat(blocks), *map(self._row, others)]
        return self._crowded(room)

    def _crowded(self, room: int) -> list[Text]:
        """Not every group has a line: the troubled, then those in motion, then a count of the rest."""
        troubled = self._places[_Place.TROUBLED]
        moving = [*self._places[_Place.QUEUED], *self._places[_Place.RUNNING]]
        still = [*self._places[_Place.WAITING], *self._places[_Place.OVER]]
        for_trouble = room - 1 - min(len(moving), MIN_RUNNING_ROWS)
        blocks = self._fitting_blocks(troubled, for_trouble)
        lines = _flat(blocks)
        shown = moving[: max(room - 1 - len(lines), 0)]
        lines += map(self._row, shown)
        hidden = [*troubled[len(blocks) :], *moving[len(shown) :], *still]
        return [*lines, self._rest(hidden)] if hidden else lines

    def _fitting_blocks(self, groups: Sequence[GroupState], room: int) -> list[list[Text]]:
        """As many of these as there is room for: with their reason if all fit so, else bare rows."""
        for detail in (2, 1):
            blocks = [self._block(group, detail) for group in groups]
            if sum(map(len, blocks)) <= room:
                return blocks
        return [[self._row(group)] for group in groups[: max(room, 0)]]

    def _row(self, group: GroupState) -> Text:
        return group_row(group, began=self._began, now=self._now, columns=self._columns, glyphs=self._glyphs)

    def _block(self, group: GroupState, detail: int) -> list[Text]:
        """A troubled group's row and its reason, in one line if it fits or may take no more."""
        found = trouble(group)
        one = Text(_INDENT).append(found.facts)
        if found.log is not None:
            one.append(f": {found.log}")
        if found.log is None or detail == 1 or one.cell_len <= self._width:
            return [self._row(group), one]
        log = Text(_INDENT).append("log: ", REST).append(found.log)
        return [self._row(group), Text(_INDENT).append(found.facts), log]

    def _rest(self, groups: Sequence[GroupState]) -> Text:
        counts = Counter(state_word(group) for group in groups)
        first, *more = [f"{n} {word}" for word, n in counts.most_common()]
        number, word = first.split(" ", 1)
        noun = "group" if number == "1" else "groups"
        return styled(f"{self._glyphs.ellipsis} {', '.join([f'{number} {noun} {word}', *more])}", REST)


def _flat(blocks: Sequence[list[Text]]) -> list[Text]:
    return [line for block in blocks for line in block]


def _place(group: GroupState) -> _Place:
    if is_troubled(group):
        return _Place.TROUBLED
    return {
        Phase.QUEUED: _Place.QUEUED,
        Phase.RUNNING: _Place.RUNNING,
        Phase.WAITING: _Place.WAITING,
        Phase.FINISHED: _Place.OVER,
    }[group.phase]


def _warnings(state: ReleaseState) -> list[Text]:
    """The latest warnings, each in one line."""
    return [
        styled("warning: ", BUSY).append(f"{clean(w.group)}: " if w.group else "").append(clean(w.message))
        for w in state.warnings[-MAX_WARNINGS:]
    ]
