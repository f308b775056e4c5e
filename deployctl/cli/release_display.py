"""Shows a release while it runs: one thread applies its events to a state, and draws that."""

import queue
import threading
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Self, TextIO

from deployctl.execute.release_state import ReleaseState, apply_event, initial_state
from deployctl.model.event import Event, ReleaseFinished, ReleaseStarted, StatusMessage
from deployctl.model.release import ReleaseOutcome
from deployctl.ports import Clock
from deployctl.report.board import FRAME_S, LiveBoard
from deployctl.report.github_summary import append_summary, every_outcome
from deployctl.report.plain_log import CiLog, annotation, preparing_line
from deployctl.report.style import can_animate, wants_color
from deployctl.report.terminal import terminal_screen, write_lines


class ReleaseDisplay:
    """A live board on a terminal, one line an event elsewhere, nothing with --quiet. Draws on `stream` (stderr)."""

    def __init__(
        self, stream: TextIO, *, clock: Clock, environment: Mapping[str, str], quiet: bool = False
    ) -> None:
        self._stream = stream
        self._clock = clock
        self._quiet = quiet
        self._environment = environment
        self._events: queue.SimpleQueue[Event | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="display", daemon=True)
        self._state: ReleaseState | None = None
        self._early: list[Event] = []
        self._on_github = environment.get("GITHUB_ACTIONS") == "true"
        self._log = CiLog(github=self._on_github)
        self._outcomes: list[ReleaseOutcome] = []

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
        if not self._quiet:
            write_lines(self._stream, self._log.close(), color=False)
        self._append_summary()

    def _append_summary(self) -> None:
        """Append to the step summary under GitHub Actions; a failure to write is only a warning."""
        path = self._environment.get("GITHUB_STEP_SUMMARY")
        if not (self._on_github and path and self._outcomes):
            return
        try:
            append_summary(Path(path), self._outcomes)
        except OSError as error:
            why = f"cannot write the step summary: {error.strerror or error}"
            write_lines(self._stream, [annotation("warning", why, title="deployctl")], color=False)

    def _run(self) -> None:
        with ExitStack() as stack:
            board = self._board()
            if board is not None:
                stack.enter_context(board)
            while True:
                try:
                    event = self._events.get(timeout=self._until_next_frame_s(board))
                except queue.Empty:
                    event = None
                else:
                    if event is None:
                        return
                    self._take(event, board)
                if board is not None and self._state is not None:
                    board.show(self._state)

    def _until_next_frame_s(self, board: LiveBoard | None) -> float | None:
        """Until the board may draw again: an event that came too soon after the last frame waits for the next."""
        if board is None:
            return None
        return FRAME_S if self._state is None else min(board.wait_s, FRAME_S)

    def _board(self) -> LiveBoard | None:
        if self._quiet or not can_animate(self._stream, self._environment):
            return None
        color = wants_color(self._stream, self._environment)
        return LiveBoard(self._stream, clock=self._clock, screen=terminal_screen(self._stream), color=color)

    def _take(self, event: Event, board: LiveBoard | None) -> None:
        before = self._state
        if isinstance(event, StatusMessage):
            if not self._quiet:
                write_lines(self._stream, [preparing_line(event)], color=False)
            return
        if before is None and not isinstance(event, ReleaseStarted):
            self._early.append(event)
            return
        if isinstance(event, ReleaseStarted):
            after = initial_state(event)
        elif before is not None:
            after = apply_event(before, event)
        self._state = after
        if isinstance(event, ReleaseFinished):
            self._outcomes = every_outcome(event.outcome)
        if board is None and not self._quiet:
            write_lines(self._stream, self._log.lines(before, event, after), color=False)
        if isinstance(event, ReleaseStarted):
            early, self._early = self._early, []
            for earlier in early:
                self._take(earlier, board)
