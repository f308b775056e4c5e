"""Marks, bars and colours; every character has an ASCII twin, and every colour stands next to a word."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TextIO

from rich.cells import cell_len, set_cell_size
from rich.text import Text

from deployctl.model.verdict import Verdict

GOOD = "green"
BAD = "bold red"
BUSY = "yellow"
REST = "dim"
STRONG = "bold"
PLAIN = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Glyphs:
    """One column each. `done`, `bad`, `moving`, `left` fill a bar."""

    ok: str = "✓"
    failed: str = "✗"
    running: str = "▶"
    queued: str = "‖"
    waiting: str = "·"
    done: str = "█"
    bad: str = "▚"
    moving: str = "▒"
    left: str = "░"
    ellipsis: str = "…"
    arrow: str = "→"
    dot: str = "·"


UNICODE = Glyphs()
ASCII = Glyphs(
    ok="+",
    failed="x",
    running=">",
    queued="=",
    waiting=".",
    done="#",
    bad="x",
    moving=">",
    left=".",
    ellipsis="~",
    arrow=">",
    dot="-",
)


def glyphs_for(encoding: str | None) -> Glyphs:
    """Unicode if the stream's encoding is UTF-8 or unknown (text in memory), else ASCII."""
    name = (encoding or "utf-8").lower().replace("-", "").replace("_", "")
    return UNICODE if name.startswith("utf") else ASCII


def wants_color(stream: TextIO, environment: Mapping[str, str]) -> bool:
    """Whether to write colour: a terminal that can show it, and no NO_COLOR (https://no-color.org)."""
    return (
        stream.isatty() and not environment.get("NO_COLOR") and environment.get("TERM") not in (None, "dumb")
    )


def can_animate(stream: TextIO, environment: Mapping[str, str]) -> bool:
    """Whether to draw a live board: a terminal with cursor movement, and no CI log."""
    return stream.isatty() and not environment.get("CI") and environment.get("TERM") not in (None, "dumb")


_IN_DOUBT = (Verdict.RUNNING, Verdict.PARTIAL, Verdict.NOT_STARTED, Verdict.SUPERSEDED)


def verdict_style(verdict: Verdict | None) -> str:
    """Green for verified, yellow for unfinished or partial, red for the rest; None is unfinished."""
    if verdict is None or verdict in _IN_DOUBT:
        return BUSY
    return GOOD if verdict.is_verified else BAD


def styled(text: str, style: str) -> Text:
    """Text in this style; unlike with `Text(text, style)`, appended text does not take it over."""
    return Text().append(text, style)


def dotted(parts: Iterable[tuple[str, str]], glyphs: Glyphs) -> Text:
    """Each text in its style, with dots between them."""
    return Text(f" {glyphs.dot} ").join(styled(text, style) for text, style in parts)


def fit(text: Text, columns: int, glyphs: Glyphs) -> Text:
    """The text in at most `columns`; an ellipsis replaces the end of a longer one."""
    if text.cell_len <= columns:
        return text
    shown = text.copy()
    shown.truncate(max(columns - cell_len(glyphs.ellipsis), 0))
    shown.append(glyphs.ellipsis[:columns], REST)
    return shown


def fit_name(name: str, columns: int, glyphs: Glyphs) -> str:
    """A name in exactly `columns`, shortened in the middle: group names differ at both ends."""
    if cell_len(name) <= columns or columns < 3:
        return set_cell_size(name, columns)
    head = (columns - 1 + 1) // 2
    tail = columns - 1 - head
    return set_cell_size(set_cell_size(name, head) + glyphs.ellipsis + name[len(name) - tail :], columns)
