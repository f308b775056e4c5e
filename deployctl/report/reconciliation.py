"""What a reconcile found, group by group: what the table is made from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from deployctl.model.cause import Category, ReconciledWorker


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupFound:
    """One group's workers. `listed` are those a person should see: drift, and what was lost on the way."""

    name: str
    workers: tuple[ReconciledWorker, ...]

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
    def unsettled(self) -> ReconciledWorker | None:
        """A worker of a group without drift in which the desired version has all the same not held."""
        verdicts = ((w, w.desired_verdict) for w in self.workers if w.category is Category.CURRENT)
        return None if self.drifted else next((w for w, v in verdicts if v and not v.stands), None)

    @property
    def listed(self) -> list[ReconciledWorker]:
        return [
            worker
            for worker in self.workers
            if worker.category.is_drift or worker.category is Category.TERMINATED_MID_DEPLOY
        ]


def by_group(workers: Sequence[ReconciledWorker]) -> list[GroupFound]:
    """The groups, those with the most drift first, then by name; their workers by instance."""
    names: dict[str, list[ReconciledWorker]] = {}
    for worker in sorted(workers, key=lambda w: w.instance_id):
        names.setdefault(worker.group, []).append(worker)
    groups = [GroupFound(name=name, workers=tuple(found)) for name, found in names.items()]
    return sorted(groups, key=lambda g: (-g.drifted, g.name))
