"""Lays out text: columns as wide as their cells, and paragraphs wrapped to a width."""

from collections.abc import Sequence
from dataclasses import KW_ONLY, dataclass

from rich.cells import cell_len
from rich.console import Console
from rich.table import Table
from rich.text import Text

from deployctl.report.style import REST, Glyphs, fit, fit_name, styled

GAP = 2
# Only measures text; it never writes.
_MEASURE = Console(width=1_000, color_system=None)


def wrap(text: Text, columns: int) -> list[Text]:
    """The text in as many lines as needed, broken between words, or within a word that is too long."""
    lines = text.wrap(_MEASURE, max(columns, 1), overflow="fold")
    for line in lines:
        line.rstrip()
    return list(lines)


def fold(line: Text, columns: int) -> list[Text]:
    """A long line as several, each with the first one's indentation."""
    if line.cell_len <= columns:
        return [line]
    bare = line.plain.lstrip(" │|")
    depth = min(len(line.plain) - len(bare), columns // 2)
    return [line[:depth].append(part) for part in wrap(line[depth:], columns - depth)]


def indent(lines: Sequence[Text], by: str) -> list[Text]:
    return [Text(by).append(line) for line in lines]


def wrap_beside(head: Text, words: Text, columns: int, *, least: int, below: str) -> list[Text]:
    """The words right of the head; under it, indented by `below`, where fewer than `least` columns remain."""
    room = columns - head.cell_len
    if room < least:
        head.rstrip()
        return [*wrap(head, columns), *indent(wrap(words, columns - len(below)), below)]
    first, *more = wrap(words, room) or [Text()]
    blank = " " * head.cell_len
    return [head.append(first), *indent(more, blank)]


def align(cells: Sequence[Text], widths: Sequence[int]) -> Text:
    """The cells as one line, each padded to its column's width and a gap."""
    line = Text()
    for cell, width in zip(cells, widths, strict=True):
        line.append(cell).append(" " * (width - cell.cell_len + GAP))
    return line


def plain_table() -> Table:
    """A table without lines, whose cells wrap so that no name is cut off."""
    return Table(box=None, padding=(0, GAP, 0, 0), pad_edge=False, header_style=REST)


def table_lines(table: Table, columns: int) -> list[Text]:
    rendered = Console(width=columns, color_system=None).render_lines(table, pad=False)
    return [Text.assemble(*((s.text, s.style or "") for s in line)) for line in rendered]


@dataclass(frozen=True, slots=True)
class Column:
    """`gives_way`: 0 for never dropped, else the highest is dropped first. `longest` shortens cells in the middle."""

    head: str
    _: KW_ONLY
    gives_way: int = 0
    right: bool = False
    longest: int | None = None


def numbers(*heads: str) -> tuple[Column, ...]:
    """Columns aligned on the right."""
    return tuple(Column(head, right=True) for head in heads)


def lay_out_columns(
    columns: Sequence[Column], rows: Sequence[Sequence[Text | str]], *, width: int, glyphs: Glyphs
) -> list[Text]:
    """A line of heads, then one line per row, none wider than `width`; empty columns are left out."""
    cells = [[cell if isinstance(cell, Text) else Text(cell) for cell in row] for row in rows]
    heads = [styled(column.head, REST) for column in columns]
    widths = [_width(column, [row[n] for row in cells]) for n, column in enumerate(columns)]
    shown = _shown(columns, widths, width)
    return [
        fit(_line([(columns[n], row[n], widths[n]) for n in shown], glyphs), width, glyphs)
        for row in (heads, *cells)
    ]


def _width(column: Column, cells: Sequence[Text]) -> int:
    longest = max((cell.cell_len for cell in cells), default=0)
    if not longest:
        return 0
    return max(min(longest, column.longest or longest), cell_len(column.head))


def _shown(columns: Sequence[Column], widths: Sequence[int], width: int) -> list[int]:
    """The columns that fit."""
    shown = [n for n, wide in enumerate(widths) if wide]
    for n in sorted(shown, key=lambda n: -columns[n].gives_way):
        if sum(widths[n] + GAP for n in shown) - GAP <= width or not columns[n].gives_way:
            break
        shown.remove(n)
    return shown


def _line(cells: Sequence[tuple[Column, Text, int]], glyphs: Glyphs) -> Text:
    line = Text()
    for column, cell, wide in cells:
        fitting = cell if cell.cell_len <= wide else Text(fit_name(cell.plain, wide, glyphs))
        blank = " " * (wide - fitting.cell_len)
        line.append(blank if column.right else "").append(fitting)
        line.append("" if column.right else blank).append(" " * GAP)
    line.rstrip()
    return line
