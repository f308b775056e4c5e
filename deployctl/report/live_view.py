"""Which part of the live table is visible, and what each key changes. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from deployctl.model.cause import Category
from deployctl.model.reconciliation import ReconciledWorker
from deployctl.report.worker_filter import Sort

HELP = "q quit  c category  g group  s sort  a all  ↑↓ scroll  r refresh"
HELP_TYPING = "type part of a group's name; Enter applies, Esc clears"
PAGE = 10
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
            return replace(view, category=_next(view.category, present), offset=0)
        case "g" | "/":
            return replace(view, is_typing=True, offset=0)
        case "s":
            return replace(view, sort=_next_sort(view.sort), offset=0)
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


def _next(now: Category | None, present: Sequence[Category]) -> Category | None:
    """All categories, then each present one, then all again."""
    order: list[Category | None] = [None, *present]
    return order[(order.index(now) + 1) % len(order)] if now in order else None


def _next_sort(now: Sort) -> Sort:
    order = [Sort.GROUP, Sort.AGE, Sort.CATEGORY, Sort.CAUSE]
    return order[(order.index(now) + 1) % len(order)] if now in order else Sort.GROUP
