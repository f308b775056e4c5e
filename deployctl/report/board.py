"""The live board: a release's state as lines that fit one screen, failing groups first."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Self, TextIO

from rich.text import Text

from deployctl.execute.release_state import GroupState, Phase, ReleaseState
from deployctl.model.verdict import Verdict
from deployctl.ports import Clock
from deployctl.report.board_header import header
from deployctl.report.board_model import (
    BoardRow,
    Overview,
    OverviewBuilder,
    Section,
    queued_behind,
)
from deployctl.report.formatting import duration, sanitize
from deployctl.report.group_progress import failure_note
from deployctl.report.style import (
    BAD,
    BUSY,
    GOOD,
    PLAIN,
    REST,
    STRONG,
    Glyphs,
    fit,
    fit_name,
    glyphs_for,
    styled,
)
from deployctl.report.terminal import Painter, Screen

MIN_RUNNING_ROWS = 3
MAX_WARNINGS = 2
_INDENT = "    "
_TROUBLED = (Section.TROUBLED, Section.PARTIAL)


class Board:
    """Draws one release again and again, and reuses whatever has not changed since the last frame."""

    def __init__(self, glyphs: Glyphs) -> None:
        self._glyphs = glyphs
        self._overviews = OverviewBuilder()
        self._rows = Rows(glyphs)

    def lines(self, state: ReleaseState, *, now: datetime, screen: Screen) -> list[Text]:
        """The board in at most `screen.rows` lines, none wider than `screen.columns`.

        Failing groups come first with their reason, then the queued and the running. If not every group fits,
        one line counts the waiting and finished groups.
        """
        overview = self._overviews.of(state)
        columns = columns_for(overview.widest, screen.columns)

        def draw(row: BoardRow) -> Text:
            return self._rows.draw(row, began=state.started_at, now=now, columns=columns)

        head = header(overview, now=now, columns=screen.columns, glyphs=self._glyphs)
        notes = [
            styled("warning: ", BUSY)
            .append(f"{sanitize(w.group)}: " if w.group else "")
            .append(sanitize(w.message))
            for w in state.warnings[-MAX_WARNINGS:]
        ]
        body = _Body(overview, draw=draw, width=screen.columns, glyphs=self._glyphs)
        lines = [*head, *body.lines(screen.rows - len(head) - len(notes)), *notes]
        return [fit(line, screen.columns, self._glyphs) for line in lines[: max(screen.rows, 0)]]


class _Body:
    """The groups' part of the board."""

    def __init__(
        self, overview: Overview, *, draw: Callable[[BoardRow], Text], width: int, glyphs: Glyphs
    ) -> None:
        self._overview = overview
        self._draw = draw
        self._width = width
        self._glyphs = glyphs

    def lines(self, room: int) -> list[Text]:
        if room <= 0:
            return []
        detailed = self._overview.of(*_TROUBLED, Section.QUEUED)
        others = self._overview.of(Section.RUNNING, Section.WAITING, Section.FINISHED)
        blocks = self._blocks_with_reasons(detailed, room - len(others))
        return self._crowded(room) if blocks is None else [*_flat(blocks), *map(self._draw, others)]

    def _crowded(self, room: int) -> list[Text]:
        """With too little room: failing groups, then queued and running ones, then a count of the rest."""
        troubled = self._overview.of(*_TROUBLED)
        moving = self._overview.of(Section.QUEUED, Section.RUNNING)
        still = self._overview.of(Section.WAITING, Section.FINISHED)
        blocks = self._fitting_blocks(troubled, room - 1 - min(len(moving), MIN_RUNNING_ROWS))
        lines = _flat(blocks)
        moved = self._moving_blocks(moving, room - 1 - len(lines))
        hidden = [*troubled[len(blocks) :], *moving[len(moved) :], *still]
        lines += _flat(moved)
        return [*lines, self._rest(hidden)] if hidden else lines

    def _moving_blocks(self, rows: Sequence[BoardRow], room: int) -> list[list[Text]]:
        """As many queued and running groups as fit; if few are queued, with the deployment that blocks them."""
        queued = sum(row.section is Section.QUEUED for row in rows)
        blocks: list[list[Text]] = []
        for row in rows:
            detailed = row.section is Section.QUEUED and queued <= MIN_RUNNING_ROWS
            block = self._queued(row) if detailed else [self._draw(row)]
            if len(block) > room:
                break
            blocks.append(block)
            room -= len(block)
        return blocks

    def _fitting_blocks(self, rows: Sequence[BoardRow], room: int) -> list[list[Text]]:
        """As many groups as fit: each with its reason if all of those fit, else bare rows."""
        blocks = self._blocks_with_reasons(rows, room)
        return [[self._draw(row)] for row in rows[: max(room, 0)]] if blocks is None else blocks

    def _blocks_with_reasons(self, rows: Sequence[BoardRow], room: int) -> list[list[Text]] | None:
        """Each group with its reason, in one line or two; None if they do not fit."""
        if len(rows) <= room:
            for detail in (2, 1):
                blocks = [self._block(row, detail) for row in rows]
                if sum(map(len, blocks)) <= room:
                    return blocks
        return None

    def _block(self, row: BoardRow, detail: int) -> list[Text]:
        """A row and its reason, on one line if it fits or if `detail` is 1."""
        if row.section is Section.QUEUED:
            return self._queued(row)
        found = failure_note(row.group)
        one = Text(_INDENT).append(found.facts)
        if found.detail is not None:
            one.append(f": {found.detail}")
        if found.detail is None or detail == 1 or one.cell_len <= self._width:
            return [self._draw(row), one]
        log = Text(_INDENT).append("log: ", REST).append(found.detail)
        return [self._draw(row), Text(_INDENT).append(found.facts), log]

    def _queued(self, row: BoardRow) -> list[Text]:
        """A queued group, with the active deployment on its own line if the row has no room for it."""
        line = self._draw(row)
        if row.group.holder is None or (line.plain.endswith(row.note) and line.cell_len <= self._width):
            return [line]
        return [line, styled(f"{_INDENT}waits behind {queued_behind(row.group)}", REST)]

    def _rest(self, rows: Sequence[BoardRow]) -> Text:
        counts = Counter(row.word for row in rows)
        first, *more = [f"{n} {word}" for word, n in counts.most_common()]
        number, word = first.split(" ", 1)
        noun = "group" if number == "1" else "groups"
        return styled(f"{self._glyphs.ellipsis} {', '.join([f'{number} {noun} {word}', *more])}", REST)


def _flat(blocks: Sequence[list[Text]]) -> list[Text]:
    return [line for block in blocks for line in block]


WORD = 11
ELAPSED = 6
MIN_NAME = 16
MAX_NAME = 60
MIN_BAR = 8
MAX_BAR = 50
MAX_NOTE = 30


def columns_for(widest: Mapping[str, int], width: int) -> Mapping[str, int]:
    """The width of each column, 0 for one that does not fit: the note is dropped first, the name never."""
    wishes = {
        "count": widest["count"],
        "word": WORD,
        "bar": MIN_BAR,
        "elapsed": ELAPSED,
        "strategy": widest["strategy"],
        "note": min(widest["note"], MAX_NOTE),
    }
    name_least = min(widest["name"], MIN_NAME)
    left = width - 2 - name_least
    widths = dict.fromkeys(wishes, 0)
    for column, wish in wishes.items():
        if not wish:
            continue
        if wish + 1 > left:
            break
        widths[column] = wish
        left -= wish + 1
    name = min(name_least + max(left, 0), widest["name"], MAX_NAME)
    left -= name - name_least
    if widths["bar"]:
        widths["bar"] = min(MIN_BAR + max(left, 0), MAX_BAR)
    return {"name": name, **widths}


class Rows:
    """Draws rows, and reuses each drawn row while it looks the same."""

    def __init__(self, glyphs: Glyphs) -> None:
        self._glyphs = glyphs
        self._drawn: dict[str, tuple[BoardRow, str, Mapping[str, int], Text]] = {}

    def draw(self, row: BoardRow, *, began: datetime, now: datetime, columns: Mapping[str, int]) -> Text:
        elapsed = duration(_elapsed_s(row.group, began, now))
        known = self._drawn.get(row.name)
        if known is not None and known[0] is row and known[1] == elapsed and known[2] == columns:
            return known[3]
        text = _draw(row, elapsed, columns, self._glyphs)
        self._drawn[row.name] = (row, elapsed, columns, text)
        return text


def _draw(row: BoardRow, elapsed: str, columns: Mapping[str, int], glyphs: Glyphs) -> Text:
    mark, style = _mark(row, glyphs)
    progress = row.progress
    line = styled(f"{mark} ", style)
    line.append(fit_name(row.name, columns["name"], glyphs), STRONG if row.is_troubled else "")
    if columns["bar"]:
        line.append(" ").append(progress.bar(columns["bar"], glyphs))
    if columns["count"]:
        line.append(" " + f"{progress.done}/{progress.total}".rjust(columns["count"]))
    if columns["word"]:
        failed = progress.bad and row.group.outcome is None
        line.append(" ").append(
            (f"{progress.bad} failed" if failed else row.word).ljust(columns["word"]), style
        )
    if columns["strategy"]:
        line.append(" " + row.strategy.rjust(columns["strategy"]), REST)
    if columns["elapsed"]:
        line.append(" " + elapsed.rjust(columns["elapsed"]))
    # A note wider than its column may run to the end of the line, where the board cuts it off.
    return line.append(f" {row.note}" if columns["note"] else "", REST)


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


FRAME_S = 0.25
SLOWEST_FRAME_S = 1.0
SHARE = 0.02


class LiveBoard:
    """Call `show` as often as you like, from one thread; it draws a new state or a new second on its clocks.

    It draws at most four times a second, and less often (but at least once a second) where drawing would take
    more than 2% of a core. Leaving the context draws the last state.
    """

    def __init__(self, stream: TextIO, *, clock: Clock, screen: Callable[[], Screen], color: bool) -> None:
        self._clock = clock
        self._screen = screen
        self._board = Board(glyphs_for(stream.encoding))
        self._painter = Painter(stream, screen=screen, color=color)
        self._state: ReleaseState | None = None
        self._painted: tuple[ReleaseState, int, Screen] | None = None
        self._next_at_s = float("-inf")

    def __enter__(self) -> Self:
        self._painter.__enter__()
        return self

    def __exit__(self, *exception: object) -> None:
        try:
            self._paint()
        finally:
            self._painter.__exit__(*exception)

    def show(self, state: ReleaseState) -> None:
        """Draw this state, unless the last frame is too recent."""
        self._state = state
        began_s = self._clock.monotonic_s()
        if began_s < self._next_at_s:
            return
        self._paint()
        took_s = self._clock.monotonic_s() - began_s
        self._next_at_s = began_s + min(max(took_s / SHARE, FRAME_S), SLOWEST_FRAME_S)

    @property
    def wait_s(self) -> float:
        """Seconds until the next frame may be drawn."""
        return max(self._next_at_s - self._clock.monotonic_s(), 0.0)

    def _paint(self) -> None:
        if self._state is None:
            return
        now, screen = self._clock.now(), self._screen()
        frame = (self._state, int(now.timestamp()), screen)
        # By identity: comparing two states of 10,000 workers would cost more than drawing one.
        if self._painted and frame[0] is self._painted[0] and frame[1:] == self._painted[1:]:
            return
        # The cursor has the line below the block.
        inside = Screen(columns=screen.columns, rows=max(screen.rows - 1, 0))
        self._painter.paint(self._board.lines(self._state, now=now, screen=inside))
        self._painted = frame
