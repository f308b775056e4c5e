"""What stands on the terminal is what was painted, after any changes and resizes; checked on an emulator."""

import io
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.text import Text

from deployctl.report.board import Screen
from deployctl.report.painter import Painter

_TOKEN = re.compile(r"\x1b\[(\??)(\d*)([A-Za-z])|([\r\n])|([^\x1b\r\n])")


class Terminal(io.StringIO):
    """A terminal of a few commands: text, CR, LF that scrolls, moves up and down, erasing, private modes.

    Anything else fails the test, and so does text beyond the last column.
    """

    encoding = "utf-8"

    def __init__(self, columns, rows):
        super().__init__()
        self.columns, self.rows = columns, rows
        self.cells = [""] * rows
        self.scrolled = []
        self.row = self.column = 0
        self.modes = {"25": True, "7": True}

    def size(self):
        return Screen(columns=self.columns, rows=self.rows)

    def resize(self, columns, rows):
        """As a terminal that reflows nothing and keeps the lines by the cursor."""
        lost = max(self.row - rows + 1, 0)
        kept = [line[:columns] for line in self.cells[lost:]][:rows]
        self.cells = kept + [""] * (rows - len(kept))
        self.row -= lost
        self.columns, self.rows = columns, rows

    def write(self, text):
        at = 0
        while at < len(text):
            token = _TOKEN.match(text, at)
            assert token is not None, f"unknown to the emulator: {text[at : at + 10]!r}"
            self._do(token)
            at = token.end()
        return len(text)

    def _do(self, token):
        private, number, command, motion, character = token.groups()
        if private:
            self.modes[number] = command == "h"
        elif character:
            assert self.column < self.columns, "wrote beyond the last column"
            line = self.cells[self.row].ljust(self.column)
            self.cells[self.row] = line[: self.column] + character + line[self.column + 1 :]
            self.column += 1
        elif motion == "\r":
            self.column = 0
        elif motion == "\n":
            self._line_feed()
        else:
            self._command(command, int(number or 1), number)

    def _line_feed(self):
        if self.row == self.rows - 1:
            self.scrolled.append(self.cells.pop(0))
            self.cells.append("")
        else:
            self.row += 1

    def _command(self, command, count, number):
        match command:
            case "A":
                assert self.row >= count, "moved above the screen"
                self.row -= count
            case "B":
                assert self.row + count < self.rows, "moved below the screen"
                self.row += count
            case "K":
                # After the last column was written, the cursor still stands on it.
                self.cells[self.row] = self.cells[self.row][: min(self.column, self.columns - 1)]
            case "J" if number == "2":
                self.cells = [""] * self.rows
            case "J":
                assert self.column == 0
                self.cells[self.row :] = [""] * (self.rows - self.row)
            case "H":
                self.row = self.column = 0
            case "m":
                pass
            case _:
                raise AssertionError(f"unknown to the emulator: {command}")

    def shown(self):
        return [line.rstrip() for line in self.cells]


def texts(*lines):
    return [Text(line) for line in lines]


def test_only_changed_lines_are_written():
    written = []

    class Watched(Terminal):
        def write(self, text):
            written.append(text)
            return super().write(text)

    terminal = Watched(20, 10)
    with Painter(terminal, screen=terminal.size, color=False) as painter:
        painter.paint(texts("head", "one", "two", "three"))
        written.clear()
        painter.paint(texts("head", "one", "TWO", "three"))
        assert "".join(written) == "\x1b[2A\r\x1b[KTWO\r\n\x1b[1B"
        written.clear()
        painter.paint(texts("head", "one", "TWO", "three"))
        assert written == []


def test_what_stood_above_stays_and_the_last_frame_too():
    terminal = Terminal(20, 6)
    terminal.write("$ deployctl release\r\n")
    with Painter(terminal, screen=terminal.size, color=False) as painter:
        painter.paint(texts("a", "b"))
        painter.paint(texts("a", "b", "c", "d", "e"))
        painter.paint(texts("a", "b", "c"))
    assert terminal.scrolled == ["$ deployctl release"]
    assert terminal.shown() == ["a", "b", "c", "", "", ""]


@pytest.mark.parametrize("error", [None, RuntimeError, KeyboardInterrupt])
def test_the_cursor_and_wrapping_come_back_however_it_ends(error):
    terminal = Terminal(20, 6)
    try:
        with Painter(terminal, screen=terminal.size, color=False) as painter:
            painter.paint(texts("a"))
            assert terminal.modes == {"25": False, "7": False}
            if error is not None:
                raise error
    except (RuntimeError, KeyboardInterrupt):
        pass
    assert terminal.modes == {"25": True, "7": True}
    assert (terminal.row, terminal.column) == (1, 0)


LINES = st.lists(st.text(alphabet="abcXYZ .", max_size=40), max_size=14)
SIZES = st.tuples(st.integers(1, 50), st.integers(1, 16))


@given(st.lists(st.tuples(LINES, st.none() | SIZES), min_size=1, max_size=12))
def test_the_screen_shows_the_lines_wanted_after_any_updates_and_resizes(frames):
    terminal = Terminal(30, 10)
    with Painter(terminal, screen=terminal.size, color=False) as painter:
        for lines, resize in frames:
            if resize is not None:
                terminal.resize(*resize)
            painter.paint(texts(*lines))
            room = lines[: terminal.rows - 1]
            wanted = [
                line if len(line) <= terminal.columns else line[: terminal.columns - 1] + "…" for line in room
            ]
            shown = terminal.shown()
            block = shown[terminal.row - len(wanted) : terminal.row]
            assert block == [line.rstrip() for line in wanted]
            assert not any(shown[terminal.row :])


def test_colour_is_written_only_where_it_is_wanted():
    for color in (True, False):
        out = io.StringIO()
        with Painter(out, screen=lambda: Screen(columns=20, rows=5), color=color) as painter:
            painter.paint([Text("held", "green")])
        assert ("\x1b[32mheld" in out.getvalue()) is color


def test_a_terminal_that_goes_away_does_not_end_what_is_watched():
    class Gone(io.StringIO):
        def write(self, text):
            raise OSError(5, "Input/output error")

    with Painter(Gone(), screen=lambda: Screen(columns=20, rows=5), color=False) as painter:
        painter.paint(texts("a"))
        painter.paint(texts("b"))


def test_characters_that_the_terminal_lacks_become_question_marks():
    raw = io.BytesIO()
    latin = io.TextIOWrapper(raw, encoding="ascii")
    with Painter(latin, screen=lambda: Screen(columns=20, rows=5), color=False) as painter:
        painter.paint(texts("日 name"))
    assert b"? name" in raw.getvalue()
