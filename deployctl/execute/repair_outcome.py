"""What came of a repair, worker by worker: by the look at the fleet that was taken after it."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property

from deployctl.model.cause import Category
from deployctl.model.reconciliation import ReconciledWorker, Reconciliation
from deployctl.model.release import ReleaseOutcome, WorkerOutcome
from deployctl.model.verdict import WorkerVerdict
from deployctl.plan.repair import RepairAction, RepairPlan, WorkerRepair


class RepairResult(StrEnum):
    """`replaced`: another is in its place. `gone` and `current`: so by now, and not by this repair.

    `came-up`: it was as desired when the plan was made, and is not any more.
    """

    MENDED = "mended"
    REPLACED = "replaced"
    GONE = "gone"
    CURRENT = "current"
    NOT_MENDED = "not-mended"
    SKIPPED = "left"
    NEWLY_DRIFTED = "came-up"


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerRepairResult:
    """`worker` is as it was seen last. `reason` says in one line why it is not mended, or what became of it.

    `needs_replacing`: `--replace` may help. `is_gone`: it is no longer there, mended or not.
    """

    worker: ReconciledWorker
    action: RepairAction
    result: RepairResult
    reason: str | None = None
    needs_replacing: bool = False
    is_gone: bool = False

    @property
    def is_failure(self) -> bool:
        return self.result in (RepairResult.NOT_MENDED, RepairResult.SKIPPED, RepairResult.NEWLY_DRIFTED)


@dataclass(frozen=True, kw_only=True)
class RepairOutcome:
    """What was agreed to, how each round came out, and what a fresh look found after them.

    `categories`, where any are named, are the only ones that were to be mended.
    """

    plan: RepairPlan
    before: Reconciliation
    rounds: tuple[ReleaseOutcome, ...]
    after: Reconciliation
    elapsed_s: float
    categories: tuple[Category, ...] = ()

    @property
    def is_running(self) -> bool:
        """The watching ended before the deployments did."""
        return any(r.is_running for r in self.rounds)

    @property
    def remaining(self) -> int:
        """How many of those that were asked for are not as desired, whatever their category is by now.

        Who was terminated with no other in its place is one of them.
        """
        asked = {w.instance_id for w in selected_drift(self.before, self.categories)}
        now = {w.instance_id for w in selected_drift(self.after, self.categories)}
        now |= {w.instance_id for w in self.after.workers if w.category.is_drift and w.instance_id in asked}
        return len(now) + self.lost

    @property
    def lost(self) -> int:
        """How many were terminated with no other in their place."""
        return sum(r.is_gone and r.result is RepairResult.NOT_MENDED for r in self.workers)

    @cached_property
    def workers(self) -> tuple[WorkerRepairResult, ...]:
        """Every worker of the plan, and who is behind since, in order of group and instance."""
        now = {w.instance_id: w for w in self.after.workers}
        planned = {m.instance_id: m for g in self.plan.groups for m in g.workers}
        said = {w.instance_id: w for r in self.rounds for g in r.groups for w in g.workers}
        results = [_result(m, now.get(i), said.get(i)) for i, m in planned.items()]
        results += [
            WorkerRepairResult(
                worker=w, action=RepairAction.SKIP, result=RepairResult.NEWLY_DRIFTED, reason=_why(w, None)
            )
            for i, w in now.items()
            if w.category.is_drift and i not in planned
        ]
        return tuple(sorted(results, key=lambda r: (r.worker.group, r.worker.instance_id)))


def selected_drift(found: Reconciliation, categories: Collection[Category]) -> list[ReconciledWorker]:
    """The workers that have drifted; of these categories alone, where any are named."""
    return [w for w in found.workers if w.category.is_drift and (not categories or w.category in categories)]


def _result(
    mend: WorkerRepair, now: ReconciledWorker | None, said: WorkerOutcome | None
) -> WorkerRepairResult:
    seen = now or mend.worker
    held = said is not None and said.verdict is WorkerVerdict.VERIFIED
    cause = said.cause if said is not None and not held else None
    if now is None or now.category is Category.TERMINATED_MID_DEPLOY:
        result = _terminated_result(mend, said)
        return WorkerRepairResult(worker=seen, action=mend.action, result=result, reason=cause, is_gone=True)
    if now.category is Category.CURRENT:
        return WorkerRepairResult(
            worker=seen, action=mend.action, result=RepairResult.MENDED if held else RepairResult.CURRENT
        )
    if mend.action is RepairAction.SKIP:
        return WorkerRepairResult(
            worker=seen,
            action=mend.action,
            result=RepairResult.SKIPPED,
            reason=mend.why,
            needs_replacing=mend.needs_replacing,
        )
    return WorkerRepairResult(
        worker=seen, action=mend.action, result=RepairResult.NOT_MENDED, reason=_why(now, cause)
    )


def _terminated_result(mend: WorkerRepair, said: WorkerOutcome | None) -> RepairResult:
    """Whoever was terminated without another in its place is not mended: the group is short of one."""
    if mend.action is not RepairAction.REPLACE or said is None:
        return RepairResult.GONE
    return RepairResult.REPLACED if said.verdict is WorkerVerdict.EXCUSED else RepairResult.NOT_MENDED


def _why(worker: ReconciledWorker, said: str | None) -> str:
    """The repair's own word of it, else what decides its cause."""
    if said is not None:
        return said
    if worker.category is Category.DEPLOYING:
        return "it is still being deployed to"
    return worker.evidence or (worker.cause.value if worker.cause else worker.category.value)
