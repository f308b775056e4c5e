"""The reconcile table, live: on a terminal it stays in its place and only what changed is written."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import ExitStack
from types import TracebackType
from typing import Self, TextIO

from rich.console import Console
from rich.text import Text

from deployctl.errors import DeployctlError
from deployctl.model.cause import Reconciliation
from deployctl.ports import Clock
from deployctl.report.fleet import fleet_lines
from deployctl.report.live import terminal_screen
from deployctl.report.look import BUSY, REST, can_animate, glyphs_for, wants_color
from deployctl.report.painter import Painter
from deployctl.report.printer import write_lines
from deployctl.report.words import clean

PIPE_COLUMNS = 120
TICK_S = 1.0


class WatchedTable:
    """Shows one reconciliation after another. Without a terminal each is printed below the last."""

    def __init__(self, stream: TextIO, *, clock: Clock, environment: Mapping[str, str]) -> None:
        self._stream = stream
        self._clock = clock
        self._glyphs = glyphs_for(stream.encoding)
        self._screen = terminal_screen(stream)
        self._color = wants_color(stream, environment)
        self._painter = (
            Painter(stream, screen=self._screen, color=self._color)
            if can_animate(stream, environment)
            else None
        )
        self._stack = ExitStack()
        self._trouble: DeployctlError | None = None

    def __enter__(self) -> Self:
        if self._painter is not None:
            self._stack.enter_context(self._painter)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    def trouble(self, error: DeployctlError | None) -> None:
        """Say above the table why the last look got no answer; None once one did."""
        self._trouble = error

    def show(self, found: Reconciliation, *, for_s: float) -> None:
        """Show it for so long; the snapshot's age goes on."""
        until_s = self._clock.monotonic_s() + for_s
        if self._painter is None:
            write_lines(self._stream, [*self._lines(found, PIPE_COLUMNS), ""], color=self._color)
        while (left_s := until_s - self._clock.monotonic_s()) > 0:
            if self._painter is not None:
                self._painter.paint(self._lines(found, self._screen().columns))
            self._clock.sleep(min(TICK_S, left_s))

    def _lines(self, found: Reconciliation, columns: int) -> list[Text]:
        lines = fleet_lines(found, now=self._clock.now(), columns=columns, glyphs=self._glyphs)
        if self._trouble is not None:
            lines.insert(0, Text(f"no new look: {clean(self._trouble.message)}; trying on", BUSY))
        whole = [part for line in lines for part in _folded(line, columns)]
        return [*whole, Text(), Text("Ctrl-C to leave", REST)]


def _folded(line: Text, columns: int) -> list[Text]:
    """A remedy may be longer than the terminal is wide; it must not be cut."""
    if line.cell_len <= columns:
        return [line]
    return list(line.wrap(Console(width=columns), columns, overflow="fold"))
