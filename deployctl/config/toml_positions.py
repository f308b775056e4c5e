"""The position of each key in a TOML text; tomllib keeps no positions.

The text must be TOML that tomllib has parsed: this module follows the grammar and validates nothing.
"""

import re
import tomllib
from bisect import bisect_right
from dataclasses import dataclass
from typing import Final

KeyPath = tuple[str | int, ...]

_BLANK: Final = re.compile(r"(?:[ \t\n]+|#[^\n]*)*")
_SPACE: Final = re.compile(r"[ \t]*")
_KEY: Final = re.compile(r""" "(?:\\.|[^"\\])*" | '[^']*' | [A-Za-z0-9_-]+ """, re.VERBOSE)
_DOT: Final = re.compile(r"[ \t]*\.[ \t]*")
_STRING: Final = re.compile(
    r' """(?:\\.|[^\\])*?"""\"{0,2} | ' + r" '''.*?''''{0,2} " + r' | "(?:\\.|[^"\\])*" ' + r" | '[^']*' ",
    re.VERBOSE | re.DOTALL,
)
_SCALAR: Final = re.compile(r"[^,\]}#\n]+")


@dataclass(frozen=True, slots=True)
class Position:
    """Line and column count from 1; a column is a character, not a byte."""

    line: int
    column: int


def positions(text: str) -> dict[KeyPath, Position]:
    """The position where each key, table and list item first occurs, by its path in the document."""
    return _Scan(text.replace("\r\n", "\n")).document()


class _Scan:
    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0
        self._found: dict[KeyPath, int] = {}
        self._table_counts: dict[KeyPath, int] = {}

    def document(self) -> dict[KeyPath, Position]:
        table: KeyPath = ()
        while self._skip_blank():
            if self._text[self._at] == "[":
                table = self._header()
            else:
                self._pair(table)
        starts = [0, *(m.end() for m in re.finditer("\n", self._text))]
        lines = {path: bisect_right(starts, at) for path, at in self._found.items()}
        return {p: Position(line, self._found[p] - starts[line - 1] + 1) for p, line in lines.items()}

    def _header(self) -> KeyPath:
        is_array = self._text.startswith("[[", self._at)
        brackets = 2 if is_array else 1
        self._at += brackets
        self._skip(_SPACE)
        *parents, (name, at) = self._dotted_key()
        path: KeyPath = ()
        for parent, parent_at in parents:
            path = self._last_table(self._note((*path, parent), parent_at))
        path = self._note((*path, name), at)
        if is_array:
            self._table_counts[path] = self._table_counts.get(path, 0) + 1
            path = self._note(self._last_table(path), at)
        self._skip(_SPACE)
        self._at += brackets
        return path

    def _last_table(self, path: KeyPath) -> KeyPath:
        count = self._table_counts.get(path)
        return path if count is None else (*path, count - 1)

    def _pair(self, table: KeyPath) -> None:
        path = table
        for name, at in self._dotted_key():
            path = self._note((*path, name), at)
        self._skip(_SPACE)
        self._at += len("=")
        self._skip(_SPACE)
        self._value(path)

    def _dotted_key(self) -> list[tuple[str, int]]:
        parts = [self._key()]
        while self._skip(_DOT):
            parts.append(self._key())
        return parts

    def _key(self) -> tuple[str, int]:
        at = self._at
        raw = self._skip(_KEY)
        name = next(iter(tomllib.loads(f"{raw} = 0"))) if raw[0] in "\"'" else raw
        return name, at

    def _value(self, path: KeyPath) -> None:
        match self._text[self._at]:
            case "[":
                self._items(path)
            case "{":
                self._inline_table(path)
            case '"' | "'":
                self._skip(_STRING)
            case _:
                self._skip(_SCALAR)

    def _items(self, path: KeyPath) -> None:
        self._at += 1
        index = 0
        while self._next_of("]"):
            self._value(self._note((*path, index), self._at))
            index += 1
        self._at += 1

    def _inline_table(self, path: KeyPath) -> None:
        self._at += 1
        while self._next_of("}"):
            self._pair(path)
        self._at += 1

    def _next_of(self, end: str) -> bool:
        """Step to the next item; False at the closing bracket."""
        self._skip_blank()
        if self._text[self._at] == ",":
            self._at += 1
            self._skip_blank()
        return self._text[self._at] != end

    def _note(self, path: KeyPath, at: int) -> KeyPath:
        self._found.setdefault(path, at)
        return path

    def _skip(self, pattern: re.Pattern[str]) -> str:
        match = pattern.match(self._text, self._at)
        if match is None:
            return ""
        self._at = match.end()
        return match[0]

    def _skip_blank(self) -> bool:
        """Step over white space, newlines and comments; False at the end of the text."""
        self._skip(_BLANK)
        return self._at < len(self._text)
