"""Where words go: data to stdout, everything else to stderr."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, TextIO

if TYPE_CHECKING:
    from rich.text import Text

    from deployctl.report.style import Glyphs

PIPE_COLUMNS = 120
_TERMINAL_CONTROLS = {code: f"\\u{code:04x}" for code in range(0x7F, 0xA0)}


def print_json(value: Mapping[str, Any]) -> None:
    """One JSON document on stdout, in ASCII where its text cannot be written as it is (a lone surrogate, say)."""
    text = json.dumps(value, indent=2, ensure_ascii=False)
    try:
        text.encode(sys.stdout.encoding or "utf-8")
    except UnicodeEncodeError:
        text = json.dumps(value, indent=2)
    # A terminal obeys these too, and JSON leaves them as they are: a log tail must not move its cursor.
    sys.stdout.write(text.translate(_TERMINAL_CONTROLS) + "\n")
    sys.stdout.flush()


def print_lines(lines: Iterable[Text | str], *, stream: TextIO, environment: Mapping[str, str]) -> None:
    from deployctl.report.ansi import write_lines  # noqa: PLC0415
    from deployctl.report.style import wants_color  # noqa: PLC0415 - rich is loaded once there is something to draw

    if stream.isatty():
        lines = _wrapped(lines, columns_of(stream))
    write_lines(stream, lines, color=wants_color(stream, environment))


def _wrapped(lines: Iterable[Text | str], columns: int) -> Iterator[Text | str]:
    """Prose within the terminal's width; a command stays on one line, so that it can be copied."""
    from rich.console import Console  # noqa: PLC0415
    from rich.text import Text  # noqa: PLC0415

    console = Console(width=columns)
    for line in lines:
        text = Text(line) if isinstance(line, str) else line
        if text.cell_len <= columns or text.plain.lstrip().startswith(("→", ">")):
            yield text
        else:
            yield from text.wrap(console, columns)


def glyphs(stream: TextIO) -> Glyphs:
    from deployctl.report.style import glyphs_for  # noqa: PLC0415

    return glyphs_for(stream.encoding)


def columns_of(stream: TextIO) -> int:
    """The terminal's width, and a page's where there is none."""
    return shutil.get_terminal_size((80, 24)).columns if stream.isatty() else PIPE_COLUMNS
