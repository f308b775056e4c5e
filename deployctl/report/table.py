"""Rows in columns, as wide as what stands in them; whole columns give way where the terminal is too narrow."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rich.cells import cell_len
from rich.text import Text

from deployctl.report.style import REST, Glyphs, fit, fit_name, styled

GAP = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """`gives_way`: 0 never, else the higher the earlier. One that is `longest` wide at most is cut in its middle."""

    head: str
    gives_way: int = 0
    right: bool = False
    longest: int | None = None


def lay_out_columns(
    columns: Sequence[Column], rows: Sequence[Sequence[Text | str]], *, width: int, glyphs: Glyphs
) -> list[Text]:
    """A line of heads, then one line a row, none wider than `width`; a column without any text is left out."""
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
    """The columns that there is room for."""
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
