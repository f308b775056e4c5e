"""Versioned JSON of repairs: the plan and its result. The rules of `json_output` apply."""

from __future__ import annotations

from collections import Counter
from typing import Any

from deployctl.execute.repair_outcome import RepairOutcome, RepairResult, WorkerRepairResult
from deployctl.model.release import ReleaseInProgress
from deployctl.plan.repair import GroupRepair, RepairAction, RepairPlan
from deployctl.report.formatting import iso
from deployctl.report.json_output import in_progress_json, release_json, worker_json

REPAIR_SCHEMA = "deployctl.repair/1"


def repair_plan_json(plan: RepairPlan, *, in_progress: ReleaseInProgress | None) -> dict[str, Any]:
    """The plan; null for what only the repair itself finds out."""
    return _document(plan, in_progress=in_progress, outcome=None)


def repair_json(outcome: RepairOutcome) -> dict[str, Any]:
    """The result; `rounds` have the shape of releases."""
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
        "in_progress": in_progress and in_progress_json(in_progress),
        "summary": _summary(plan, outcome),
        "groups": [_group(group, results) for group in plan.groups],
        "newly_drifted": [
            worker_json(r.worker) for r in results.values() if r.result is RepairResult.NEWLY_DRIFTED
        ],
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
    actions = Counter(w.action for g in plan.groups for w in g.workers)
    results = Counter(r.result for r in outcome.workers) if outcome is not None else None
    return {
        "drifted": sum(actions.values()),
        "by_action": {action.value: actions[action] for action in RepairAction},
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
                "instance_id": repair.instance_id,
                "category": repair.worker.category.value,
                "cause": repair.worker.cause.value if repair.worker.cause else None,
                "evidence": repair.worker.evidence,
                "action": repair.action.value,
                "why": repair.why,
                "ignores_stop_failures": repair.ignores_stop,
                "remedy": repair.worker.remedy,
                **_result(results.get(repair.instance_id)),
            }
            for repair in group.workers
        ],
    }


def _result(result: WorkerRepairResult | None) -> dict[str, Any]:
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
