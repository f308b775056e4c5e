"""Versioned JSON of repairs: what would be done, and what came of it. The same rules as in `envelope`."""

from __future__ import annotations

from collections import Counter
from typing import Any

from deployctl.execute.repair_outcome import RepairOutcome, RepairResult, WorkerRepairResult
from deployctl.model.release import ReleaseInProgress
from deployctl.plan.repair import GroupRepair, RepairAction, RepairPlan
from deployctl.report.formatting import iso
from deployctl.report.json_output import release_json

REPAIR_SCHEMA = "deployctl.repair/1"


def repair_plan_json(plan: RepairPlan, *, in_progress: ReleaseInProgress | None) -> dict[str, Any]:
    """What would be done. What only shows afterwards is null."""
    return _document(plan, in_progress=in_progress, outcome=None)


def repair_json(outcome: RepairOutcome) -> dict[str, Any]:
    """What came of it; `rounds` are as of releases."""
    return _document(outcome.plan, in_progress=None, outcome=outcome)


def _document(
    plan: RepairPlan, *, in_progress: ReleaseInProgress | None, outcome: RepairOutcome | None
) -> dict[str, Any]:
    results = {r.worker.instance_id: r for r in outcome.workers} if outcome is not None else {}
    return {
        "schema": REPAIR_SCHEMA,
        "application": plan.application,
        "snapshot_id": plan.snapshot_id,
        "snapshot_at": iso(plan.snapshot_at),
        "done": outcome is not None,
        "in_progress": in_progress
        and {"release_id": in_progress.release, "kind": in_progress.kind.value, "actor": in_progress.actor},
        "summary": _summary(plan, outcome),
        "groups": [_group(group, results) for group in plan.groups],
        "came_up": [_came_up(r) for r in results.values() if r.result is RepairResult.NEWLY_DRIFTED],
        "rounds": [release_json(each) for each in outcome.rounds] if outcome is not None else None,
        "after": outcome
        and {
            "snapshot_id": outcome.after.snapshot_id,
            "snapshot_at": iso(outcome.after.snapshot_at),
            "drifted": outcome.after.drifted,
        },
        "elapsed_s": outcome and outcome.elapsed_s,
    }


def _summary(plan: RepairPlan, outcome: RepairOutcome | None) -> dict[str, Any]:
    mends = Counter(w.action for g in plan.groups for w in g.workers)
    results = Counter(r.result for r in outcome.workers) if outcome is not None else None
    return {
        "drifted": sum(mends.values()),
        "by_mend": {mend.value: mends[mend] for mend in RepairAction},
        "by_result": None if results is None else {r.value: results[r] for r in RepairResult},
    }


def _group(group: GroupRepair, results: dict[str, WorkerRepairResult]) -> dict[str, Any]:
    return {
        "group": group.group,
        "version": group.version,
        "strategy": str(group.strategy),
        "down_at_once": group.down_at_once if group.with_action(RepairAction.REDEPLOY) else None,
        "replaced_at_once": group.replaced_at_once if group.with_action(RepairAction.REPLACE) else None,
        "workers": [
            {
                "instance_id": mend.instance_id,
                "category": mend.worker.category.value,
                "cause": mend.worker.cause.value if mend.worker.cause else None,
                "evidence": mend.worker.evidence,
                "mend": mend.action.value,
                "why": mend.why,
                "ignores_stop_failures": mend.ignores_stop,
                "remedy": mend.worker.remedy,
                **_came_of(results.get(mend.instance_id)),
            }
            for mend in group.workers
        ],
    }


def _came_of(result: WorkerRepairResult | None) -> dict[str, Any]:
    if result is None:
        return {"result": None, "reason": None, "category_after": None, "cause_after": None}
    gone = result.is_gone
    cause = result.worker.cause
    return {
        "result": result.result.value,
        "reason": result.reason,
        "category_after": None if gone else result.worker.category.value,
        "cause_after": None if gone or cause is None else cause.value,
    }


def _came_up(result: WorkerRepairResult) -> dict[str, Any]:
    worker = result.worker
    return {
        "instance_id": worker.instance_id,
        "group": worker.group,
        "category": worker.category.value,
        "cause": worker.cause.value if worker.cause else None,
        "evidence": worker.evidence,
        "remedy": worker.remedy,
    }
