"""Versioned JSON for pipelines. Fields may be added to a schema, never changed; key order is fixed."""

from __future__ import annotations

from typing import Any

from deployctl.model.artifact import Artifact
from deployctl.model.reconciliation import ReconciledWorker, Reconciliation
from deployctl.model.release import GroupOutcome, GroupPlan, ReleaseOutcome, ReleasePlan, StopRequest
from deployctl.model.strategy import Policy
from deployctl.plan.forecast import Forecast
from deployctl.report.formatting import iso
from deployctl.report.reconcile_groups import by_group
from deployctl.report.worker_filter import WorkerFilter

RELEASE_SCHEMA = "deployctl.release/1"
RECONCILE_SCHEMA = "deployctl.reconcile/1"
PLAN_SCHEMA = "deployctl.plan/1"
EVERYBODY = WorkerFilter()


def release_json(outcome: ReleaseOutcome) -> dict[str, Any]:
    """How a release came out: groups in the plan's order, calls by name; `rollback` is one more of the same."""
    return {
        "schema": RELEASE_SCHEMA,
        "release_id": outcome.release_id,
        "application": outcome.application,
        "version": outcome.version,
        "verdict": outcome.verdict.value,
        "elapsed_s": round(outcome.elapsed_s, 3),
        "calls": dict(sorted(outcome.calls.items())),
        "groups": [_group(group) for group in outcome.groups],
        "kind": outcome.kind.value,
        "rollback": outcome.rollback and release_json(outcome.rollback),
        "throttled": dict(sorted(outcome.throttled.items())),
        "stop_asked": outcome.stop and stop_json(outcome.stop),
    }


def stop_json(request: StopRequest) -> dict[str, Any]:
    return {"kind": request.kind.value, "actor": request.actor, "at": iso(request.at)}


def _group(group: GroupOutcome) -> dict[str, Any]:
    return {
        "group": group.group,
        "asgs": list(group.asgs),
        "version": group.version,
        "strategy": str(group.strategy),
        "deployment_id": group.deployment_id,
        "verdict": group.verdict.value,
        "workers": [
            {"instance_id": w.instance_id, "verdict": w.verdict.value, "cause": w.cause}
            for w in group.workers
        ],
        "reason": group.reason,
    }


def reconcile_json(found: Reconciliation, selection: WorkerFilter = EVERYBODY) -> dict[str, Any]:
    """Every worker that is meant, current ones too. The summary counts all, `selected` those that are meant.

    `not_held` has the verdict of each group without drift in which the desired version did not hold.
    `other_deployments` has, of each group, the deployment at work there that is not the desired release's.
    """
    by_category = {category.value: number for category, number in found.by_category.items()}
    meant = [worker for worker in found.workers if selection.matches(worker)]
    groups = by_group(found.workers)
    not_held = {g.name: w.desired_verdict for g in groups if (w := g.unverified_verdict) is not None}
    others = {g.name: w.active_deployment_id for g in groups if (w := g.slot_holder) is not None}
    return {
        "schema": RECONCILE_SCHEMA,
        "application": found.application,
        "snapshot_id": found.snapshot_id,
        "snapshot_at": iso(found.snapshot_at),
        "engine": found.engine,
        "bytes_scanned": found.bytes_scanned,
        "summary": {
            "workers": len(found.workers),
            "by_category": by_category,
            "selected": len(meant),
            "not_held": not_held,
            "in_progress": next(
                (w.in_progress_release for w in found.workers if w.in_progress_release), None
            ),
            "other_deployments": others,
        },
        "workers": [worker_json(worker) for worker in selection.of(meant)],
    }


def worker_json(worker: ReconciledWorker) -> dict[str, Any]:
    """One worker as reconciled; `remedy` is a shell line."""
    return {
        "instance_id": worker.instance_id,
        "group": worker.group,
        "category": worker.category.value,
        "desired_version": worker.desired_version,
        "deployed_version": worker.deployed_version,
        "cause": worker.cause.value if worker.cause else None,
        "evidence": worker.evidence,
        "remedy": worker.remedy,
        "minutes_behind": worker.minutes_behind,
    }


def plan_json(plan: ReleasePlan, outlook: Forecast | None = None) -> dict[str, Any]:
    """What a release would do: the very plan that would be run. What is not known beforehand is null."""
    return {
        "schema": PLAN_SCHEMA,
        "release_id": plan.release_id,
        "application": plan.application,
        "version": plan.version,
        "planned_at": iso(plan.planned_at),
        "resumes": plan.resumes,
        "artifact": _artifact(plan.artifacts[0]) if len(plan.artifacts) == 1 else None,
        "artifacts": [_artifact(artifact) for artifact in plan.artifacts],
        "waves": [[_group_plan(group, outlook) for group in wave] for wave in plan.waves],
        "kind": plan.kind.value,
        "policy": _policy(plan.policy),
        "eta": _eta(outlook),
        "calls": dict(outlook.calls) if outlook is not None else None,
    }


def _policy(policy: Policy) -> dict[str, Any]:
    total = policy.max_failed_total
    return {
        "on_failure": policy.on_failure.value,
        "max_failed_total": None if total is None else str(total),
        "bake_s": policy.bake_s,
        "alarms": list(policy.alarms),
        "suspend_scaling": policy.suspend_scaling,
    }


def _eta(outlook: Forecast | None) -> dict[str, Any] | None:
    """Null where no group that is deployed to has a history; `unknown` are those of them that have none."""
    if outlook is None or not outlook.eta.is_known:
        return None
    eta = outlook.eta
    return {
        "p50_s": round(eta.p50_s, 3),
        "p95_s": round(eta.p95_s, 3),
        "waves": [
            {
                "p50_s": round(wave.p50_s, 3),
                "p95_s": round(wave.p95_s, 3),
                "bake_s": wave.bake_s,
                "slowest": wave.slowest,
            }
            for wave in eta.waves
        ],
        "unknown": list(eta.unknown),
    }


def _artifact(artifact: Artifact) -> dict[str, Any]:
    manifest = artifact.manifest
    return {
        "version": manifest.version,
        "bucket": artifact.bucket,
        "key": artifact.key,
        "digest": manifest.digest,
        "sequence": manifest.sequence,
        "size_bytes": manifest.size_bytes,
        "commit": manifest.commit,
    }


def _group_plan(group: GroupPlan, outlook: Forecast | None) -> dict[str, Any]:
    took = outlook.durations.get(group.group) if outlook is not None else None
    holder = outlook.busy.get(group.group) if outlook is not None else None
    adopts = outlook.adopted.get(group.group) if outlook is not None else None
    return {
        "group": group.group,
        "asgs": list(group.asgs),
        "step": group.step.value,
        "version": group.version,
        "strategy": str(group.strategy),
        "configuration": group.config.name,
        "min_healthy_percent": group.config.min_healthy_percent,
        "workers": [{"instance_id": w.instance_id, "version": w.version} for w in group.workers],
        "previous_verified": group.previous_verified,
        "desired_now": group.desired_before,
        "max_failed": str(group.max_failed),
        "recorded": group.known_verdict and group.known_verdict.value,
        "adopts": adopts,
        "took": None
        if took is None
        else {"p50_s": round(took.p50_s, 3), "p95_s": round(took.p95_s, 3), "releases": took.releases},
        "busy": None
        if holder is None
        else {
            "deployment_id": holder.deployment_id,
            "whose": holder.whose,
            "since": iso(holder.since),
        },
    }
