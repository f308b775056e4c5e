"""Selects, sorts and limits the workers of a reconciliation."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from deployctl.model.cause import Category
from deployctl.model.reconciliation import ReconciledWorker
from deployctl.report.formatting import duration
from deployctl.report.reconcile_groups import is_listed, place_in_group

DRIFT = frozenset(c for c in Category if c.is_drift)


class Sort(StrEnum):
    """The order of workers: most drift in the group first, longest behind first, or by name."""

    GROUP = "group"
    AGE = "age"
    CATEGORY = "category"
    CAUSE = "cause"
    INSTANCE = "instance"


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerFilter:
    """No `categories` means all. `stale_for_s` selects only drift, and only of that age or older.

    `sort` and `limit` apply to the list; a selected worker of a category in `fail_on` fails the command.
    """

    categories: frozenset[Category] = frozenset()
    stale_for_s: int | None = None
    sort: Sort = Sort.GROUP
    limit: int | None = None
    fail_on: frozenset[Category] = DRIFT

    @property
    def is_all(self) -> bool:
        return not self.categories and self.stale_for_s is None

    def matches(self, worker: ReconciledWorker) -> bool:
        if self.categories and worker.category not in self.categories:
            return False
        if self.stale_for_s is None:
            return True
        return worker.category.is_drift and (worker.minutes_behind or 0) * 60 >= self.stale_for_s

    def of(self, workers: Iterable[ReconciledWorker]) -> list[ReconciledWorker]:
        """The selected workers, sorted and limited."""
        return in_order([w for w in workers if self.matches(w)], self.sort)[: self.limit]

    def listed(self, workers: Iterable[ReconciledWorker]) -> list[ReconciledWorker]:
        """The selected workers to show people: without `categories`, healthy workers are only counted."""
        return self.of(w for w in workers if self.categories or is_listed(w))

    def fails(self, workers: Iterable[ReconciledWorker]) -> bool:
        return any(w.category in self.fail_on for w in workers if self.matches(w))

    def __str__(self) -> str:
        """The selection in words; empty if it selects every worker."""
        parts = [", ".join(c.value for c in Category if c in self.categories)] if self.categories else []
        if self.stale_for_s is not None:
            parts.append(f"behind for {duration(self.stale_for_s)} or longer")
        return ", ".join(parts)


ALL_WORKERS = WorkerFilter()
_RANK = {category: rank for rank, category in enumerate(Category)}
_KEYS: dict[Sort, Callable[[ReconciledWorker], tuple[object, ...]]] = {
    Sort.GROUP: lambda w: (w.group, *place_in_group(w)),
    Sort.AGE: lambda w: (-(w.minutes_behind or 0), w.group, w.instance_id),
    Sort.CATEGORY: lambda w: (not w.category.is_drift, _RANK[w.category], w.group, w.instance_id),
    Sort.CAUSE: lambda w: (w.cause is None, w.cause or "", w.group, w.instance_id),
    Sort.INSTANCE: lambda w: (w.instance_id,),
}


def in_order(workers: Sequence[ReconciledWorker], sort: Sort) -> list[ReconciledWorker]:
    return sorted(workers, key=_KEYS[sort])
