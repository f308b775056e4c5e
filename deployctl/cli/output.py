"""Where output goes: data to stdout, everything else to stderr; and a question before a removal."""

import json
import shutil
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, TextIO

import typer
from rich.text import Text

from deployctl.cli.context import CliContext
from deployctl.errors import UsageError
from deployctl.report.runner_commands import defuse_json
from deployctl.report.style import Glyphs, glyphs_for, wants_color
from deployctl.report.table import fold, indent, wrap
from deployctl.report.terminal import write_lines

PIPE_COLUMNS = 120
_REMARK = "   # "


def print_json(value: Mapping[str, Any]) -> None:
    """One JSON document on stdout; in ASCII if stdout's encoding cannot hold its text (such as a lone surrogate)."""
    text = json.dumps(value, indent=2, ensure_ascii=False)
    try:
        text.encode(sys.stdout.encoding or "utf-8")
    except UnicodeEncodeError:
        text = json.dumps(value, indent=2)
    # JSON leaves these characters as they are, and a terminal obeys them: they move its cursor or turn its lines.
    controls = {ord(c): json.dumps(c)[1:-1] for c in set(text) if not (c.isprintable() or c == "\n")}
    controls[0x7F] = "\\u007f"
    sys.stdout.write(defuse_json(text.translate(controls)) + "\n")
    sys.stdout.flush()


def print_result(
    options: CliContext,
    as_json: Callable[[], Mapping[str, Any]],
    as_lines: Callable[..., Iterable[Text | str]],
    *,
    pipe_columns: int | None = PIPE_COLUMNS,
) -> None:
    """One JSON document, or `as_lines(columns=, glyphs=)`, on stdout.

    `pipe_columns`: the width without a terminal; None for lines of any length.
    """
    if options.json:
        print_json(as_json())
    else:
        columns = columns_of(sys.stdout) if sys.stdout.isatty() else pipe_columns
        show(as_lines(columns=columns, glyphs=glyphs(sys.stdout)), options)


def show(lines: Iterable[Text | str], options: CliContext) -> None:
    """A result: on stdout."""
    print_lines(lines, stream=sys.stdout, environment=options.environment)


def note(lines: Iterable[Text | str], options: CliContext) -> None:
    """Anything beside the result: on stderr."""
    print_lines(lines, stream=sys.stderr, environment=options.environment)


def print_lines(lines: Iterable[Text | str], *, stream: TextIO, environment: Mapping[str, str]) -> None:
    if stream.isatty():
        lines = _wrapped(lines, columns_of(stream))
    write_lines(stream, lines, color=wants_color(stream, environment))


def _wrapped(lines: Iterable[Text | str], columns: int) -> Iterator[Text | str]:
    """Prose within the terminal's width; a command stays on one line, for copying, with a long remark below."""
    for line in lines:
        text = Text(line) if isinstance(line, str) else line
        if text.cell_len <= columns:
            yield text
        elif text.plain.lstrip().startswith(("→", ">")):
            yield from _command(text, columns)
        else:
            yield from fold(text, columns)


def _command(line: Text, columns: int) -> list[Text]:
    """The command, and each line of its remark as a shell comment. Another command in the remark stays whole."""
    at = line.plain.find(_REMARK)
    if at < 0:
        return [line]
    prose, aws, other = line.plain[at + len(_REMARK) :].partition(": aws ")
    mark = " " * (len(line.plain) - len(line.plain.lstrip())) + "  # "
    remark = wrap(Text(prose + aws[:1]), columns - len(mark))
    if aws:
        remark.append(Text(aws[2:] + other))
    return [line[:at], *indent(remark, mark)]


def glyphs(stream: TextIO) -> Glyphs:
    return glyphs_for(stream.encoding)


def columns_of(stream: TextIO) -> int:
    """The terminal's width; PIPE_COLUMNS without a terminal."""
    return shutil.get_terminal_size((80, 24)).columns if stream.isatty() else PIPE_COLUMNS


def require_confirmation(options: CliContext, *, noun: str, command: str) -> None:
    """Raises: UsageError if the removal needs an answer and no terminal can give it."""
    if not (options.yes or options.may_ask):
        raise UsageError(
            "the removal needs confirmation and no terminal is attached",
            noun=noun,
            remedy=f"{command} --yes   # or --dry-run, to see what it would remove",
        )


def confirm_removal(options: CliContext, show: Callable[[], None]) -> bool:
    if options.yes:
        return True
    show()
    if typer.confirm("Remove them permanently?", default=False, err=True):
        return True
    typer.echo("nothing was removed", err=True)
    return False
