"""Shows a release while it runs: one thread takes its events, folds them, and draws."""

from __future__ import annotations

import queue
import threading
from collections.abc import Mapping
from contextlib import ExitStack
from types import TracebackType
from typing import Self, TextIO

from deployctl.execute.fold import ReleaseState, begin, fold
from deployctl.model.event import Event, Preparing, ReleaseStarted
from deployctl.ports import Clock
from deployctl.report.lines import lines, preparing_line
from deployctl.report.live import FRAME_S, LiveBoard, terminal_screen
from deployctl.report.look import can_animate, wants_color
from deployctl.report.printer import write_lines


class Watch:
    """A live board on a terminal, one line an event elsewhere, nothing when quiet. Draws on `stream` (stderr)."""

    def __init__(
        self, stream: TextIO, *, clock: Clock, environment: Mapping[str, str], quiet: bool = False
    ) -> None:
        self._stream = stream
        self._clock = clock
        self._quiet = quiet
        self._environment = environment
        self._events: queue.SimpleQueue[Event | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="watch", daemon=True)
        self._state: ReleaseState | None = None
        self._early: list[Event] = []

    def emit(self, event: Event) -> None:
        """Take an event, from any thread."""
        self._events.put(event)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._events.put(None)
        self._thread.join()

    def _run(self) -> None:
        with ExitStack() as stack:
            board = self._board()
            if board is not None:
                stack.enter_context(board)
            while True:
                try:
                    event = self._events.get(timeout=FRAME_S if board else None)
                except queue.Empty:
                    event = None
                else:
                    if event is None:
                        return
                    self._take(event, board)
                if board is not None and self._state is not None:
                    board.show(self._state)

    def _board(self) -> LiveBoard | None:
        if self._quiet or not can_animate(self._stream, self._environment):
            return None
        color = wants_color(self._stream, self._environment)
        return LiveBoard(self._stream, clock=self._clock, screen=terminal_screen(self._stream), color=color)

    def _take(self, event: Event, board: LiveBoard | None) -> None:
        before = self._state
        if isinstance(event, Preparing):
            if not self._quiet:
                write_lines(self._stream, [preparing_line(event)], color=False)
            return
        if before is None and not isinstance(event, ReleaseStarted):
            self._early.append(event)
            return
        if isinstance(event, ReleaseStarted):
            after = begin(event)
        elif before is not None:
            after = fold(before, event)
        self._state = after
        if board is None and not self._quiet:
            github = self._environment.get("GITHUB_ACTIONS") == "true"
            write_lines(self._stream, lines(before, event, after, github=github), color=False)
        if isinstance(event, ReleaseStarted):
            early, self._early = self._early, []
            for warned in early:
                self._take(warned, board)
