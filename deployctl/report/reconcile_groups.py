"""What a reconcile found, group by group: what the table is made from."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from deployctl.model.cause import Category, Cause
from deployctl.model.reconciliation import ReconciledWorker
from deployctl.model.verdict import Verdict


def is_listed(worker: ReconciledWorker) -> bool:
    """Drift, and what was lost on the way."""
    return worker.category.is_drift or worker.category is Category.TERMINATED_MID_DEPLOY


_RANK = {category: rank for rank, category in enumerate(Category)}
#: Met because of what another worker of the group met: that one's cause is what to read first.
_CONSEQUENCES = frozenset({Cause.SKIPPED_STOPPED_EARLY, Cause.DEPLOYMENT_GIVEN_UP})


def place_in_group(worker: ReconciledWorker) -> tuple[int, bool, str]:
    """What a worker of a group is sorted by: its category, and the roots of a trouble before what follows from it."""
    return _RANK[worker.category], worker.cause in _CONSEQUENCES, worker.instance_id


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupReconciliation:
    """One group's workers. `listed` are those a person should see, in the order to show them."""

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
        """A worker of a group in which the release under way has begun and has no verdict yet."""
        unjudged = (w for w in self.workers if w.desired_verdict is Verdict.RUNNING)
        return next((w for w in unjudged if w.is_in_progress), None)

    @property
    def slot_holder(self) -> ReconciledWorker | None:
        """A worker of a managed group in which a deployment is at work that is not the desired release's."""
        managed = (w for w in self.workers if w.category is not Category.NOT_MANAGED)
        return next((w for w in managed if w.active_deployment_id is not None), None)

    @property
    def unverified_verdict(self) -> ReconciledWorker | None:
        """A worker of a group without drift in which the desired version has all the same not held."""
        verdicts = ((w, w.desired_verdict) for w in self.workers if w.category is Category.CURRENT)
        return None if self.drifted else next((w for w, v in verdicts if v and not v.is_acceptable), None)


def by_group(
    workers: Sequence[ReconciledWorker], listed: Iterable[ReconciledWorker] | None = None
) -> list[GroupReconciliation]:
    """The groups, those with the most drift first, then by name; their workers by instance.

    `listed` are those to be seen; None means all that are worth a line.
    """
    names: dict[str, list[ReconciledWorker]] = {}
    for worker in sorted(workers, key=lambda w: w.instance_id):
        names.setdefault(worker.group, []).append(worker)
    chosen: dict[str, list[ReconciledWorker]] = {}
    if listed is None:
        chosen = {name: sorted(filter(is_listed, found), key=place_in_group) for name, found in names.items()}
    else:
        for worker in listed:
            chosen.setdefault(worker.group, []).append(worker)
    groups = [
        GroupReconciliation(name=name, workers=tuple(found), listed=tuple(chosen.get(name, ())))
        for name, found in names.items()
    ]
    return sorted(groups, key=lambda g: (-g.drifted, g.name))
