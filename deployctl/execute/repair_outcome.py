"""A repair's result for each worker, by the snapshot taken after it."""

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
    """`replaced`: by another instance. `gone` and `current`: in the meantime, not by this repair.

    `newly-drifted`: was as desired when the repair was planned.
    """

    FIXED = "fixed"
    REPLACED = "replaced"
    GONE = "gone"
    CURRENT = "current"
    NOT_FIXED = "not-fixed"
    SKIPPED = "skipped"
    NEWLY_DRIFTED = "newly-drifted"


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerRepairResult:
    """`worker` is from the newest snapshot that has it. `reason` explains the result in one line.

    `needs_replacing`: `--replace` may help. `is_gone`: the instance terminated, fixed or not.
    """

    worker: ReconciledWorker
    action: RepairAction
    result: RepairResult
    reason: str | None = None
    needs_replacing: bool = False
    is_gone: bool = False

    @property
    def is_failure(self) -> bool:
        return self.result in (RepairResult.NOT_FIXED, RepairResult.SKIPPED, RepairResult.NEWLY_DRIFTED)


@dataclass(frozen=True, kw_only=True)
class RepairOutcome:
    """The approved plan, the outcome of each round, and the reconciliation after them.

    `categories`, if any, are the only ones to fix.
    """

    plan: RepairPlan
    before: Reconciliation
    rounds: tuple[ReleaseOutcome, ...]
    after: Reconciliation
    elapsed_s: float
    categories: tuple[Category, ...] = ()

    @property
    def is_running(self) -> bool:
        """The repair timed out before its deployments ended."""
        return any(r.is_running for r in self.rounds)

    @property
    def remaining(self) -> int:
        """How many of the selected workers still drift, in whatever category.

        Includes workers that were terminated without a replacement.
        """
        asked = {w.instance_id for w in selected_drift(self.before, self.categories)}
        now = {w.instance_id for w in selected_drift(self.after, self.categories)}
        now |= {w.instance_id for w in self.after.workers if w.category.is_drift and w.instance_id in asked}
        return len(now) + self.lost

    @property
    def lost(self) -> int:
        """How many were terminated without a replacement."""
        return sum(r.is_gone and r.result is RepairResult.NOT_FIXED for r in self.workers)

    @cached_property
    def workers(self) -> tuple[WorkerRepairResult, ...]:
        """Every worker of the plan, and those that drifted since, in order of group and instance."""
        now = {w.instance_id: w for w in self.after.workers}
        planned = {m.instance_id: m for g in self.plan.groups for m in g.workers}
        outcomes = {w.instance_id: w for r in self.rounds for g in r.groups for w in g.workers}
        results = [_result(m, now.get(i), outcomes.get(i)) for i, m in planned.items()]
        results += [
            WorkerRepairResult(
                worker=w, action=RepairAction.SKIP, result=RepairResult.NEWLY_DRIFTED, reason=_why(w, None)
            )
            for i, w in now.items()
            if w.category.is_drift and i not in planned
        ]
        return tuple(sorted(results, key=lambda r: (r.worker.group, r.worker.instance_id)))


def selected_drift(found: Reconciliation, categories: Collection[Category]) -> list[ReconciledWorker]:
    """The drifted workers; only of these categories, if any."""
    return [w for w in found.workers if w.category.is_drift and (not categories or w.category in categories)]


def _result(
    repair: WorkerRepair, now: ReconciledWorker | None, outcome: WorkerOutcome | None
) -> WorkerRepairResult:
    verified = outcome is not None and outcome.verdict is WorkerVerdict.VERIFIED
    cause = outcome.cause if outcome is not None and not verified else None
    is_gone = needs_replacing = False
    reason: str | None = None
    if now is None or now.category is Category.TERMINATED_MID_DEPLOY:
        result, reason, is_gone = _terminated_result(repair, outcome), cause, True
    elif now.category is Category.CURRENT:
        result = RepairResult.FIXED if verified else RepairResult.CURRENT
    elif repair.action is RepairAction.SKIP:
        result, reason, needs_replacing = RepairResult.SKIPPED, repair.why, repair.needs_replacing
    else:
        result, reason = RepairResult.NOT_FIXED, _why(now, cause)
    return WorkerRepairResult(
        worker=now or repair.worker,
        action=repair.action,
        result=result,
        reason=reason,
        needs_replacing=needs_replacing,
        is_gone=is_gone,
    )


def _terminated_result(repair: WorkerRepair, outcome: WorkerOutcome | None) -> RepairResult:
    """A worker that was terminated without a replacement is not fixed: the group lacks one."""
    if repair.action is not RepairAction.REPLACE or outcome is None:
        return RepairResult.GONE
    return RepairResult.REPLACED if outcome.verdict is WorkerVerdict.EXCUSED else RepairResult.NOT_FIXED


def _why(worker: ReconciledWorker, outcome: str | None) -> str:
    """The repair's own reason, else the evidence for the worker's cause."""
    if outcome is not None:
        return outcome
    if worker.category is Category.DEPLOYING:
        return "a deployment to it is still running"
    return worker.evidence or (worker.cause.value if worker.cause else worker.category.value)
