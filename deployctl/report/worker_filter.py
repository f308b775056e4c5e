"""Selects, sorts, limits and groups the workers of a reconciliation."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from deployctl.model.cause import Category, Cause
from deployctl.model.reconciliation import ReconciledWorker, Reconciliation
from deployctl.model.verdict import Verdict
from deployctl.report.formatting import duration, group_by


def is_listed(worker: ReconciledWorker) -> bool:
    """Drifted, or terminated during a deployment."""
    return worker.category.is_drift or worker.category is Category.TERMINATED_MID_DEPLOY


_RANK = {category: rank for rank, category in enumerate(Category)}
#: Consequences of another worker's failure, which is the cause to read first.
_CONSEQUENCES = frozenset({Cause.SKIPPED_STOPPED_EARLY, Cause.DEPLOYMENT_GIVEN_UP})


def place_in_group(worker: ReconciledWorker) -> tuple[int, bool, str]:
    """The sort key within a group: by category, causes before their consequences."""
    return _RANK[worker.category], worker.cause in _CONSEQUENCES, worker.instance_id


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupReconciliation:
    """One group's workers. `listed` are those to show, in order."""

    name: str
    workers: tuple[ReconciledWorker, ...]
    listed: tuple[ReconciledWorker, ...]

    @property
    def drifted(self) -> int:
        return sum(worker.category.is_drift for worker in self.workers)

    @property
    def living(self) -> int:
        return sum(worker.category is not Category.TERMINATED_MID_DEPLOY for worker in self.workers)

    @property
    def is_managed(self) -> bool:
        return any(worker.category is not Category.NOT_MANAGED for worker in self.workers)

    @property
    def in_progress(self) -> ReconciledWorker | None:
        """Any worker, if the release in progress has started in this group and has no verdict yet."""
        running = (w for w in self.workers if w.desired_verdict is Verdict.RUNNING)
        return next((w for w in running if w.is_in_progress), None)

    @property
    def other_deployment(self) -> ReconciledWorker | None:
        """Any worker, if a managed group's active deployment does not belong to the desired release."""
        managed = (w for w in self.workers if w.category is not Category.NOT_MANAGED)
        return next((w for w in managed if w.active_deployment_id is not None), None)

    @property
    def unverified(self) -> ReconciledWorker | None:
        """Any current worker, if the group has no drift and its desired version is still not verified."""
        verdicts = ((w, w.desired_verdict) for w in self.workers if w.category is Category.CURRENT)
        return None if self.drifted else next((w for w, v in verdicts if v and not v.is_acceptable), None)


def by_group(
    workers: Sequence[ReconciledWorker], listed: Iterable[ReconciledWorker] | None = None
) -> list[GroupReconciliation]:
    """The groups, the most drift first, then by name; their workers by instance.

    `listed` are the workers to show; None means every drifted or lost one.
    """
    if listed is None:
        listed = sorted(filter(is_listed, workers), key=place_in_group)
    names = group_by(sorted(workers, key=lambda w: w.instance_id), lambda w: w.group)
    chosen = group_by(listed, lambda w: w.group)
    groups = [
        GroupReconciliation(name=name, workers=tuple(found), listed=tuple(chosen.get(name, ())))
        for name, found in names.items()
    ]
    return sorted(groups, key=lambda g: (-g.drifted, g.name))


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

    def fails(self, found: Reconciliation) -> bool:
        """Whatever the selection of workers, a finding of a group counts: it may have no worker that shows it."""
        return bool(found.findings) or any(
            w.category in self.fail_on for w in found.workers if self.matches(w)
        )

    def __str__(self) -> str:
        """The selection in words; empty if it selects every worker."""
        parts = [", ".join(c.value for c in Category if c in self.categories)] if self.categories else []
        if self.stale_for_s is not None:
            parts.append(f"behind for {duration(self.stale_for_s)} or longer")
        return ", ".join(parts)


ALL_WORKERS = WorkerFilter()
_KEYS: dict[Sort, Callable[[ReconciledWorker], tuple[object, ...]]] = {
    Sort.GROUP: lambda w: (w.group, *place_in_group(w)),
    Sort.AGE: lambda w: (-(w.minutes_behind or 0), w.group, w.instance_id),
    Sort.CATEGORY: lambda w: (not w.category.is_drift, _RANK[w.category], w.group, w.instance_id),
    Sort.CAUSE: lambda w: (w.cause is None, w.cause or "", w.group, w.instance_id),
    Sort.INSTANCE: lambda w: (w.instance_id,),
}


def in_order(workers: Sequence[ReconciledWorker], sort: Sort) -> list[ReconciledWorker]:
    return sorted(workers, key=_KEYS[sort])
