"""The reconcile table, live: on a terminal it stays in its place and only what changed is written."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, replace
from types import TracebackType
from typing import Self, TextIO

from rich.cells import cell_len
from rich.console import Console
from rich.text import Text

from deployctl.errors import DeployctlError
from deployctl.model.reconciliation import ReconciledWorker, Reconciliation
from deployctl.ports import Clock
from deployctl.report.ansi import write_lines
from deployctl.report.formatting import count, sanitize
from deployctl.report.keyboard import KeyReader, NoKeys
from deployctl.report.live_board import terminal_screen
from deployctl.report.live_view import HELP, HELP_TYPING, View, press
from deployctl.report.reconcile_diff import Change, change_lines, changes
from deployctl.report.reconcile_groups import GroupReconciliation, by_group
from deployctl.report.reconcile_table import (
    EVERYBODY,
    categories,
    fleet_lines,
    headline,
    listing,
    snapshot_line,
    unresolved_lines,
)
from deployctl.report.style import (
    ASCII,
    BUSY,
    REST,
    STRONG,
    UNICODE,
    can_animate,
    glyphs_for,
    styled,
    wants_color,
)
from deployctl.report.terminal_painter import Painter
from deployctl.report.worker_filter import WorkerFilter, in_order

PIPE_COLUMNS = 120
TICK_S = 1.0
ASKING_S = 0.1
MOST_WORKERS = 20
_ARROWS = (UNICODE.arrow, ASCII.arrow)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Drawn:
    """What was made from one look, for one view and width; only the snapshot's age changes from tick to tick."""

    key: tuple[int, View, int]
    sentence: list[Text]
    counts: list[Text]
    body: list[Text]


class LiveReconcileTable:
    """Shows one reconciliation after another. Without a terminal each is printed below the last."""

    def __init__(
        self,
        stream: TextIO,
        *,
        clock: Clock,
        environment: Mapping[str, str],
        keys: KeyReader | None = None,
        selection: WorkerFilter = EVERYBODY,
    ) -> None:
        self._stream = stream
        self._clock = clock
        self._keys: KeyReader = keys or NoKeys(clock)
        self._selection = selection
        self._glyphs = glyphs_for(stream.encoding)
        self._screen = terminal_screen(stream)
        self._color = wants_color(stream, environment)
        self._painter = (
            Painter(stream, screen=self._screen, color=self._color)
            if can_animate(stream, environment)
            else None
        )
        self._stack = ExitStack()
        self._trouble: DeployctlError | None = None
        self._found: Reconciliation | None = None
        self._changed: list[Change] = []
        self._looks = 0
        self._same_since = 0
        self._view = View(sort=selection.sort)
        self._drawn: _Drawn | None = None
        self.is_left = False

    def __enter__(self) -> Self:
        self._stack.enter_context(self._keys)
        if self._painter is not None:
            self._stack.enter_context(self._painter)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    def poll_failed(self, error: DeployctlError | None) -> None:
        """Say above the table why the last look got no answer; None once one did."""
        self._trouble = error

    def update(self, found: Reconciliation) -> None:
        """Show this look from now on, and what is different from the one before."""
        if self._found is not None:
            self._looks += 1
            fresh = changes(self._found.workers, found.workers)
            if fresh:
                self._changed, self._same_since = fresh, self._looks
        self._found = found
        if self._painter is None:
            self._print(found)

    def wait(self, for_s: float, *, until: Callable[[], bool] | None = None) -> None:
        """Show it for so long, or `until` then, or until somebody asks for another look or leaves (`is_left`)."""
        end_s = self._clock.monotonic_s() + for_s
        tick_s = TICK_S if until is None else ASKING_S
        self._paint()
        while not (until is not None and until()) and (left_s := end_s - self._clock.monotonic_s()) > 0:
            key = self._keys.read(min(tick_s, left_s))
            if key is not None and not self._press(key):
                return
            self._paint()

    def _press(self, key: str) -> bool:
        """Whether to go on showing the same look."""
        is_typing = self._view.is_typing
        if key == "hang-up" or (key == "q" and not is_typing):
            self.is_left = True
            return False
        present = self._found.by_category if self._found is not None else {}
        troubled_first = sorted((c for c, number in present.items() if number), key=lambda c: not c.is_drift)
        self._view = press(self._view, key, troubled_first)
        return is_typing or key != "r"

    def _print(self, found: Reconciliation) -> None:
        columns = self._screen().columns if self._stream.isatty() else PIPE_COLUMNS
        lines = fleet_lines(
            found,
            now=self._clock.now(),
            columns=columns,
            glyphs=self._glyphs,
            selection=self._selection,
        )
        changed = self._change_lines() if self._looks else []
        whole = [
            part for line in [*self._trouble_lines(), *lines, *changed] for part in _folded(line, columns)
        ]
        write_lines(self._stream, [*whole, Text(), Text("Ctrl-C to leave", REST), ""], color=self._color)

    def _paint(self) -> None:
        if self._painter is None or self._found is None:
            return
        screen = self._screen()
        drawn = self._draw(self._found, screen.columns)
        head = [
            *self._trouble_lines(),
            *drawn.sentence,
            *_folded(self._age(self._found), screen.columns),
            *drawn.counts,
            *(part for line in self._change_lines() for part in _folded(line, screen.columns)),
            *self._view_lines(),
        ]
        room = max(screen.rows - 1 - len(head) - 1, 0)
        body, place = self._scrolled(drawn.body, room)
        self._painter.paint([*head, *body, *[Text()] * (room - len(body)), self._footer(place)])

    def _draw(self, found: Reconciliation, columns: int) -> _Drawn:
        """Made once a look, view and width: with 10,000 workers it takes far longer than to paint it."""
        key = (id(found), replace(self._view, offset=0, is_typing=False), columns)
        if self._drawn is None or self._drawn.key != key:
            groups = by_group(found.workers, self._listed(found))
            lines = listing(
                groups,
                replace(self._selection, sort=self._view.sort),
                columns=columns,
                glyphs=self._glyphs,
                most=MOST_WORKERS,
            )
            quiet = [g for g in groups if not g.listed] if self._view.is_all else []
            standing = unresolved_lines(found, groups, self._glyphs) if self._view.is_all else []
            self._drawn = _Drawn(
                key=key,
                sentence=_folded(headline(found, groups, self._glyphs), columns),
                counts=_folded(categories(found, self._glyphs), columns),
                body=[
                    part
                    for line in [*lines, *self._nobody(lines), *_apart(standing), *self._quiet(quiet)]
                    for part in _folded(line, columns)
                ],
            )
        return self._drawn

    def _listed(self, found: Reconciliation) -> list[ReconciledWorker]:
        view = self._view
        if view.category is None:
            worth = [w for w in self._selection.listed(found.workers) if view.shows(w)]
            return in_order(worth, view.sort)
        return in_order([w for w in found.workers if self._selection.matches(w) and view.shows(w)], view.sort)

    def _nobody(self, lines: list[Text]) -> list[Text]:
        """An empty screen would leave open whether that is the answer."""
        is_narrowed = not (self._view.is_all and self._selection.is_all)
        return [Text(), styled("no worker matches", STRONG)] if is_narrowed and not lines else []

    def _quiet(self, groups: list[GroupReconciliation]) -> list[Text]:
        """Each group with nothing to list, by its name and how many workers it has."""
        if not groups:
            return []
        names = f" {self._glyphs.dot} ".join(f"{sanitize(g.name)} {g.living}" for g in groups)
        return [Text(), styled(f"{count(len(groups), 'group')} as desired: {names}", REST)]

    def _scrolled(self, body: list[Text], room: int) -> tuple[list[Text], str]:
        """What of the body there is room for, and where that is in it, in words."""
        last = max(len(body) - room, 0)
        if self._view.offset > last:
            self._view = replace(self._view, offset=last)
        first = self._view.offset
        shown = body[first : first + room]
        return shown, f"{first + 1}-{first + len(shown)} of {len(body)}  " if last else ""

    def _age(self, found: Reconciliation) -> Text:
        return snapshot_line(found, self._clock.now(), self._glyphs)

    def _change_lines(self) -> list[Text]:
        """The last change, and how many looks ago that was."""
        if not self._looks:
            return []
        same = self._looks - self._same_since
        if not self._changed:
            return [styled(f"nothing has changed in {count(same, 'look')}", REST)]
        lines = change_lines(self._changed, glyphs=self._glyphs)
        return [*lines, styled(f"nothing since, in {count(same, 'look')}", REST)] if same else lines

    def _trouble_lines(self) -> list[Text]:
        if self._trouble is None:
            return []
        return [Text(f"no new look: {sanitize(self._trouble.message)}; trying on", BUSY)]

    def _view_lines(self) -> list[Text]:
        view = self._view
        parts = [f"category {view.category.value}"] if view.category is not None else []
        if view.text or view.is_typing:
            parts.append(f"groups with {view.text}{'_' if view.is_typing else ''}")
        if view.sort is not self._selection.sort:
            parts.append(f"sorted by {view.sort.value}")
        if str(self._selection):
            parts.append(str(self._selection))
        return [styled(f"shown: {', '.join(parts)}", STRONG)] if parts else []

    def _footer(self, place: str) -> Text:
        if isinstance(self._keys, NoKeys):
            return styled("Ctrl-C to leave", REST)
        words = HELP_TYPING if self._view.is_typing else HELP
        ascii_words = words.replace("↑↓", "up/down") if self._glyphs.arrow == ">" else words
        return styled(f"{place}{ascii_words}", REST)


def _apart(lines: list[Text]) -> list[Text]:
    return [Text(), *lines] if lines else []


def _folded(line: Text, columns: int) -> list[Text]:
    """A remedy may be longer than the terminal is wide; it must not be cut.

    Its spaces count where they are: broken between words, one of them would be lost to whoever copies it.
    """
    if line.cell_len <= columns:
        return [line]
    if line.plain.lstrip().startswith(_ARROWS):
        return _broken(line, columns)
    return list(line.wrap(Console(width=columns), columns, overflow="fold"))


def _broken(line: Text, columns: int) -> list[Text]:
    """At the width, be that within a word: put together again it is what it was."""
    parts = []
    while line.cell_len > columns:
        at = next(n for n in range(len(line.plain), 0, -1) if cell_len(line.plain[:n]) <= columns)
        part, line = line.divide([at])
        parts.append(part)
    return [*parts, line]
