"""Writes finished lines to a stream; the terminal itself wraps a line that is too long."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TextIO

from rich.console import Console
from rich.text import Text


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
    text = "".join(f"{ansi(line) if isinstance(line, Text) else line}\n" for line in lines)
    stream.write(encodable(text, stream))
    stream.flush()


def encodable(text: str, stream: TextIO) -> str:
    encoding = stream.encoding or "utf-8"
    return text.encode(encoding, "replace").decode(encoding)
