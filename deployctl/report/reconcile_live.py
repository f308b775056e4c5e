"""The live reconcile table: it stays in place on a terminal, and only changed lines are rewritten."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from itertools import accumulate
from typing import Self, TextIO, TypeVar

from rich.cells import chop_cells
from rich.text import Text

from deployctl.errors import DeployctlError
from deployctl.model.cause import Category
from deployctl.model.reconciliation import ReconciledWorker, Reconciliation
from deployctl.ports import Clock
from deployctl.report.formatting import count, sanitize
from deployctl.report.keyboard import KeyReader, NoKeys
from deployctl.report.reconcile_table import (
    categories,
    fleet_lines,
    headline,
    listing,
    present_categories,
    snapshot_line,
    unresolved_lines,
)
from deployctl.report.style import (
    ASCII,
    BAD,
    BUSY,
    GOOD,
    REST,
    STRONG,
    UNICODE,
    Glyphs,
    can_animate,
    glyphs_for,
    styled,
    wants_color,
)
from deployctl.report.table import wrap
from deployctl.report.terminal import Painter, terminal_screen, write_lines
from deployctl.report.worker_filter import (
    ALL_WORKERS,
    GroupReconciliation,
    Sort,
    WorkerFilter,
    by_group,
    in_order,
)

MAX_NAMED = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One worker before and now; None for one that was absent."""

    before: ReconciledWorker | None
    now: ReconciledWorker | None

    @property
    def worker(self) -> ReconciledWorker:
        worker = self.now or self.before
        if worker is None:
            raise ValueError("a change without a worker")
        return worker

    @property
    def is_bad(self) -> bool:
        return self.now is not None and self.now.category.is_drift


def changes(before: Iterable[ReconciledWorker], now: Iterable[ReconciledWorker]) -> list[Change]:
    """New and gone workers, and changes of category, cause or desired version; drift first."""
    old = {(w.group, w.instance_id): w for w in before}
    new = {(w.group, w.instance_id): w for w in now}
    found = [
        Change(before=old.get(key), now=new.get(key))
        for key in sorted(old.keys() | new.keys())
        if _state(old.get(key)) != _state(new.get(key))
    ]
    return sorted(found, key=lambda c: not c.is_bad)


def _state(worker: ReconciledWorker | None) -> tuple[str, str | None, str | None] | None:
    return None if worker is None else (worker.category, worker.cause, worker.desired_version)


def change_lines(found: list[Change], *, glyphs: Glyphs) -> list[Text]:
    """How many workers changed to which category, then the first few by name."""
    if not found:
        return []
    became = Counter(c.now.category for c in found if c.now is not None)
    gone = sum(c.now is None for c in found)
    parts = [f"{became[c]:,} {c.value}" for c in Category if became[c]] + ([f"{gone:,} gone"] if gone else [])
    head = f"{count(len(found), 'worker')} changed since the last refresh: {', '.join(parts)}"
    return [Text(head), *(_line(change, glyphs) for change in found[:MAX_NAMED])]


def _line(change: Change, glyphs: Glyphs) -> Text:
    style = BAD if change.is_bad else GOOD if change.now is not None else REST
    name = f"  {sanitize(change.worker.instance_id)} {sanitize(change.worker.group)}  "
    return Text(name).append(styled(f"{_word(change.before)} {glyphs.arrow} {_word(change.now)}", style))


def _word(worker: ReconciledWorker | None) -> str:
    if worker is None:
        return "absent"
    cause = f" ({worker.cause.value})" if worker.cause and worker.category.is_drift else ""
    return f"{worker.category.value}{cause}"


HELP = "q quit  c category  g group  s sort  a all  ↑↓ scroll  r refresh"
HELP_TYPING = "type part of a group's name; Enter applies, Esc clears"
PAGE = 10
_SORTS = (Sort.GROUP, Sort.AGE, Sort.CATEGORY, Sort.CAUSE)
Choice = TypeVar("Choice")
_SCROLL = {"down": 1, "j": 1, "up": -1, "k": -1, "page-down": PAGE, " ": PAGE, "page-up": -PAGE}


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """`text` is a part of the group names to show, `offset` the first line shown."""

    category: Category | None = None
    text: str = ""
    is_typing: bool = False
    sort: Sort = Sort.GROUP
    offset: int = 0

    def shows(self, worker: ReconciledWorker) -> bool:
        if self.category is not None and worker.category is not self.category:
            return False
        return self.text.lower() in worker.group.lower()

    @property
    def is_all(self) -> bool:
        return self.category is None and not self.text


def press(view: View, key: str, present: Sequence[Category]) -> View:
    """The view after this key. `present` are the categories that have workers."""
    if view.is_typing:
        return _typed(view, key)
    if key in _SCROLL:
        return replace(view, offset=max(view.offset + _SCROLL[key], 0))
    match key:
        case "c":
            return replace(view, category=_next(view.category, [None, *present]), offset=0)
        case "g" | "/":
            return replace(view, is_typing=True, offset=0)
        case "s":
            return replace(view, sort=_next(view.sort, _SORTS), offset=0)
        case "a" | "escape":
            return View(sort=view.sort)
        case "home":
            return replace(view, offset=0)
        case _:
            return view


def _typed(view: View, key: str) -> View:
    match key:
        case "enter":
            return replace(view, is_typing=False)
        case "escape":
            return replace(view, is_typing=False, text="")
        case "backspace":
            return replace(view, text=view.text[:-1])
        case _ if len(key) == 1:
            return replace(view, text=view.text + key)
        case _:
            return view


def _next(now: Choice, order: Sequence[Choice]) -> Choice:
    """The choice after this one; after the last, and after an unknown one, the first."""
    return order[(order.index(now) + 1) % len(order)] if now in order else order[0]


PIPE_COLUMNS = 120
TICK_S = 1.0
POLLING_TICK_S = 0.1
MOST_WORKERS = 20
_ARROWS = (UNICODE.arrow, ASCII.arrow)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Drawn:
    """The lines for one reconciliation, view and width; only the snapshot's age changes between ticks."""

    key: tuple[int, View, int]
    headline: list[Text]
    counts: list[Text]
    body: list[Text]


class LiveReconcileTable:
    """Shows one reconciliation after another; without a terminal, prints each below the last."""

    def __init__(
        self,
        stream: TextIO,
        *,
        clock: Clock,
        environment: Mapping[str, str],
        keys: KeyReader | None = None,
        selection: WorkerFilter = ALL_WORKERS,
    ) -> None:
        self._stream = stream
        self._clock = clock
        self._keys: KeyReader = keys or NoKeys(clock)
        self._selection = selection
        self._glyphs = glyphs_for(stream.encoding)
        self._screen = terminal_screen(stream)
        self._color = wants_color(stream, environment)
        self._painter: Painter | None = None
        if can_animate(stream, environment):
            self._painter = Painter(stream, screen=self._screen, color=self._color)
        self._stack = ExitStack()
        self._error: DeployctlError | None = None
        self._found: Reconciliation | None = None
        self._changed: list[Change] = []
        self._refreshes = 0
        self._changed_at = 0
        self._view = View(sort=selection.sort)
        self._drawn: _Drawn | None = None
        self.has_quit = False

    def __enter__(self) -> Self:
        self._stack.enter_context(self._keys)
        if self._painter is not None:
            self._stack.enter_context(self._painter)
        return self

    def __exit__(self, *exception: object) -> None:
        self._stack.close()

    def poll_failed(self, error: DeployctlError | None) -> None:
        """Show above the table why the last refresh failed; None after a success."""
        self._error = error

    def update(self, found: Reconciliation) -> None:
        """Show this reconciliation from now on, and what changed since the last one."""
        if self._found is not None:
            self._refreshes += 1
            fresh = changes(self._found.workers, found.workers)
            if fresh:
                self._changed, self._changed_at = fresh, self._refreshes
        self._found = found
        if self._painter is None:
            self._print(found)

    def wait(self, for_s: float, *, until: Callable[[], bool] | None = None) -> None:
        """Show it for `for_s` seconds, until `until` is true, or until the user refreshes or quits."""
        end_s = self._clock.monotonic_s() + for_s
        tick_s = TICK_S if until is None else POLLING_TICK_S
        self._paint()
        while not (until is not None and until()) and (left_s := end_s - self._clock.monotonic_s()) > 0:
            key = self._keys.read(min(tick_s, left_s))
            if key is not None and not self._press(key):
                return
            self._paint()

    def _press(self, key: str) -> bool:
        """Whether to continue to show the same reconciliation."""
        is_typing = self._view.is_typing
        if key == "hang-up" or (key == "q" and not is_typing):
            self.has_quit = True
            return False
        present = present_categories(self._found) if self._found is not None else []
        self._view = press(self._view, key, [category for category, _ in present])
        return is_typing or key != "r"

    def _print(self, found: Reconciliation) -> None:
        columns = self._screen().columns if self._stream.isatty() else PIPE_COLUMNS
        now, glyphs = self._clock.now(), self._glyphs
        lines = fleet_lines(found, now=now, columns=columns, glyphs=glyphs, selection=self._selection)
        folded = _fold([*self._error_lines(), *lines, *self._change_lines()], columns)
        write_lines(self._stream, [*folded, Text(), Text("Ctrl-C to quit", REST), ""], color=self._color)

    def _paint(self) -> None:
        if self._painter is None or self._found is None:
            return
        screen = self._screen()
        drawn = self._draw(self._found, screen.columns)
        head = [
            *self._error_lines(),
            *drawn.headline,
            *_fold([snapshot_line(self._found, self._clock.now(), self._glyphs)], screen.columns),
            *drawn.counts,
            *_fold(self._change_lines(), screen.columns),
            *self._view_lines(),
        ]
        room = max(screen.rows - 1 - len(head) - 1, 0)
        body, position = self._scrolled(drawn.body, room)
        self._painter.paint([*head, *body, *[Text()] * (room - len(body)), self._footer(position)])

    def _draw(self, found: Reconciliation, columns: int) -> _Drawn:
        """The lines, built once per reconciliation, view and width: with 10,000 workers that is slow."""
        key = (id(found), replace(self._view, offset=0, is_typing=False), columns)
        if self._drawn is None or self._drawn.key != key:
            groups = by_group(found.workers, self._listed(found))
            selection = replace(self._selection, sort=self._view.sort)
            lines = listing(groups, selection, columns=columns, glyphs=self._glyphs, most=MOST_WORKERS)
            if not lines and not (self._view.is_all and self._selection.is_all):
                lines = [Text(), styled("no worker matches", STRONG)]
            if self._view.is_all:
                unresolved = unresolved_lines(found, groups, self._glyphs)
                lines += [Text(), *unresolved] if unresolved else []
                lines += self._unlisted([g for g in groups if not g.listed])
            self._drawn = _Drawn(
                key=key,
                headline=_fold([headline(found, groups, self._glyphs)], columns),
                counts=_fold([categories(found, self._glyphs)], columns),
                body=_fold(lines, columns),
            )
        return self._drawn

    def _listed(self, found: Reconciliation) -> list[ReconciledWorker]:
        view = self._view
        if view.category is None:
            return in_order([w for w in self._selection.listed(found.workers) if view.shows(w)], view.sort)
        return in_order([w for w in found.workers if self._selection.matches(w) and view.shows(w)], view.sort)

    def _unlisted(self, groups: list[GroupReconciliation]) -> list[Text]:
        """Each group without listed workers: its name and its number of workers."""
        if not groups:
            return []
        names = f" {self._glyphs.dot} ".join(f"{sanitize(g.name)} {g.living}" for g in groups)
        return [Text(), styled(f"{count(len(groups), 'group')} as desired: {names}", REST)]

    def _scrolled(self, body: list[Text], room: int) -> tuple[list[Text], str]:
        """The lines of the body that fit, and their position in words."""
        last = max(len(body) - room, 0)
        if self._view.offset > last:
            self._view = replace(self._view, offset=last)
        first = self._view.offset
        shown = body[first : first + room]
        return shown, f"{first + 1}-{first + len(shown)} of {len(body)}  " if last else ""

    def _change_lines(self) -> list[Text]:
        """The last changes, and for how many refreshes nothing has changed since."""
        same = self._refreshes - self._changed_at
        lines = change_lines(self._changed, glyphs=self._glyphs)
        refreshes = "refresh" if same == 1 else "refreshes"
        return [*lines, styled(f"unchanged for {same:,} {refreshes}", REST)] if same else lines

    def _error_lines(self) -> list[Text]:
        if self._error is None:
            return []
        return [Text(f"refresh failed: {sanitize(self._error.message)}; retrying", BUSY)]

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
            return styled("Ctrl-C to quit", REST)
        words = HELP_TYPING if self._view.is_typing else HELP
        ascii_words = words.replace("↑↓", "up/down") if self._glyphs.arrow == ">" else words
        return styled(f"{place}{ascii_words}", REST)


def _fold(lines: list[Text], columns: int) -> list[Text]:
    """Each line in as many as needed. A command is split at the width: a copy of it must keep every space."""
    folded: list[Text] = []
    for line in lines:
        if line.cell_len <= columns:
            folded.append(line)
        elif line.plain.lstrip().startswith(_ARROWS):
            folded += _split(line, columns)
        else:
            folded += wrap(line, columns)
    return folded


def _split(line: Text, columns: int) -> list[Text]:
    """Parts of at most `columns`, even within a word; joined, they are the line."""
    ends = accumulate(len(part) for part in chop_cells(line.plain, columns))
    return list(line.divide([end for end in ends if end < len(line.plain)]))
