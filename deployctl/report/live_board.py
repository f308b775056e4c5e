"""Draws the board on a terminal while a release runs, at most four frames a second."""

from __future__ import annotations

from collections.abc import Callable
from typing import Self, TextIO

from deployctl.execute.release_state import ReleaseState
from deployctl.ports import Clock
from deployctl.report.board import Board
from deployctl.report.style import glyphs_for
from deployctl.report.terminal import Painter, Screen

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
