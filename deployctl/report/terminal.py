"""Writes lines to a stream; on a terminal, redraws only the lines that changed.

A layout engine takes a tenth of a second for 300 lines; writing only the changed lines takes less than a
millisecond, which leaves the processor to the release.
"""

import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Self, TextIO

from rich.console import Console
from rich.text import Text

from deployctl.report.runner_commands import RunnerCommand
from deployctl.report.style import Glyphs, fit, glyphs_for

FALLBACK = os.terminal_size((80, 24))
HIDE_CURSOR = "\x1b[?25l"
SHOW_CURSOR = "\x1b[?25h"
WRAP_OFF = "\x1b[?7l"
WRAP_ON = "\x1b[?7h"
ERASE_REST_OF_LINE = "\x1b[K"
ERASE_BELOW = "\x1b[J"
ERASE_SCREEN = "\x1b[2J\x1b[H"


@dataclass(frozen=True, slots=True, kw_only=True)
class Screen:
    """The size of the terminal, in character cells."""

    columns: int
    rows: int


def terminal_screen(stream: TextIO) -> Callable[[], Screen]:
    """A function that reads the size of the stream's terminal: terminals are resized."""

    def ask() -> Screen:
        try:
            size = os.get_terminal_size(stream.fileno())
        except (OSError, ValueError):
            size = FALLBACK
        # A terminal without a known size reports 0 by 0.
        return Screen(columns=size.columns or FALLBACK.columns, rows=size.lines or FALLBACK.lines)

    return ask


class Ansi:
    """Turns a styled line into escape sequences, in the sixteen colours that every theme defines."""

    def __init__(self, *, color: bool) -> None:
        self._console = Console(force_terminal=True, color_system="standard", width=1_000) if color else None

    def __call__(self, line: Text) -> str:
        if self._console is None:
            return line.plain
        # Rich drops the base style of a text without spans.
        styled = line if line.spans else Text.assemble((line.plain, line.style))
        segments = styled.render(self._console)
        return "".join(s.style.render(s.text) if s.style else s.text for s in segments)


def write_lines(stream: TextIO, lines: Iterable[Text | str], *, color: bool) -> None:
    """Write each line with a line break; characters missing from the stream's encoding become `?`."""
    ansi = Ansi(color=color)
    for is_command, several in groupby(lines, _is_command):
        text = "".join(f"{ansi(line) if isinstance(line, Text) else line}\n" for line in several)
        text = encodable(text, stream)
        stream.write(RunnerCommand(text) if is_command else text)
    stream.flush()


def _is_command(line: Text | str) -> bool:
    return isinstance(line, RunnerCommand)


def encodable(text: str, stream: TextIO) -> str:
    encoding = stream.encoding or "utf-8"
    return text.encode(encoding, "replace").decode(encoding)


class Painter:
    """Keeps a block of lines on the screen. The cursor rests at the start of the line below the block.

    The context hides the cursor and switches wrapping off, and always restores both; the last frame stays.
    A failing stream ends the drawing and raises nothing: a release must not depend on its display.
    """

    def __init__(self, stream: TextIO, *, screen: Callable[[], Screen], color: bool) -> None:
        self._stream = stream
        self._screen = screen
        self._glyphs: Glyphs = glyphs_for(stream.encoding)
        self._ansi = Ansi(color=color)
        self._drawn: list[Text] = []
        self._drawn_on: Screen | None = None
        self._is_lost = False

    def __enter__(self) -> Self:
        self._write(HIDE_CURSOR + WRAP_OFF)
        return self

    def __exit__(self, *exception: object) -> None:
        self._write("\r" + ERASE_BELOW + WRAP_ON + SHOW_CURSOR)

    def paint(self, lines: Sequence[Text]) -> None:
        """Replace the last lines by these, as many as fit above the cursor's line."""
        screen = self._screen()
        wanted = [fit(line, screen.columns, self._glyphs) for line in lines[: max(screen.rows - 1, 0)]]
        start = ""
        if self._drawn_on not in (None, screen):
            # Each terminal reflows in its own way; only an empty screen is predictable.
            start, self._drawn = ERASE_SCREEN, []
        self._write(start + self._changes(wanted))
        self._drawn, self._drawn_on = wanted, screen

    def _changes(self, wanted: Sequence[Text]) -> str:
        """The output that turns the drawn block into the wanted one, with the cursor below it before and after."""
        before, row = self._drawn, len(self._drawn)
        out: list[str] = []
        for number, line in enumerate(wanted):
            if number < len(before) and (line is before[number] or line == before[number]):
                continue
            # Erase first: after a line as wide as the terminal, the cursor stands on the line's last character.
            # A line break scrolls at the bottom of the screen; moving the cursor does not.
            out.append(f"{_move(row, number)}\r{ERASE_REST_OF_LINE}{self._ansi(line)}\r\n")
            row = number + 1
        out.append(_move(row, len(wanted)))
        if len(wanted) < len(before):
            out.append("\r" + ERASE_BELOW)
        return "".join(out)

    def _write(self, text: str) -> None:
        if self._is_lost or not text:
            return
        try:
            self._stream.write(encodable(text, self._stream))
            self._stream.flush()
        except OSError:
            self._is_lost = True


def _move(row: int, to: int) -> str:
    """Move the cursor up or down, within the block."""
    if to < row:
        return f"\x1b[{row - to}A"
    return f"\x1b[{to - row}B" if to > row else ""
