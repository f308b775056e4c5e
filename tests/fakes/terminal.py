"""A terminal that shows what is written to it."""

from __future__ import annotations

import io
import re

from deployctl.report.terminal import Screen

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
