"""Versioned JSON for pipelines. A schema may gain fields; existing fields and the key order never change."""

from __future__ import annotations

from typing import Any

from deployctl.model.artifact import Artifact
from deployctl.model.query_rows import DurationStats
from deployctl.model.reconciliation import ReconciledWorker, Reconciliation
from deployctl.model.release import (
    GroupOutcome,
    GroupPlan,
    ReleaseInProgress,
    ReleaseOutcome,
    ReleasePlan,
    StopRequest,
    WorkerOutcome,
)
from deployctl.model.strategy import Policy
from deployctl.plan.eta import ReleaseEta, WaveEta
from deployctl.plan.forecast import Forecast
from deployctl.ports import Holder
from deployctl.report.formatting import iso
from deployctl.report.reconcile_groups import by_group
from deployctl.report.worker_filter import ALL_WORKERS, WorkerFilter

RELEASE_SCHEMA = "deployctl.release/1"
RECONCILE_SCHEMA = "deployctl.reconcile/1"
PLAN_SCHEMA = "deployctl.plan/1"


def release_json(outcome: ReleaseOutcome) -> dict[str, Any]:
    """A release's result: groups in the plan's order, calls by name; `rollback` has the same shape."""
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
        "stop_requested": outcome.stop and stop_json(outcome.stop),
    }


def stop_json(request: StopRequest) -> dict[str, Any]:
    return {"kind": request.kind.value, "actor": request.actor, "at": iso(request.at)}


def in_progress_json(begun: ReleaseInProgress) -> dict[str, Any]:
    return {
        "release_id": begun.release,
        "version": begun.version,
        "kind": begun.kind.value,
        "actor": begun.actor,
        "began_at": iso(begun.began_at),
    }


def holder_json(holder: Holder) -> dict[str, Any]:
    """The process that holds the lock."""
    return {
        "actor": holder.actor,
        "host": holder.host,
        "pid": holder.pid,
        "release_id": holder.release,
        "version": holder.version,
        "acquired_at": iso(holder.acquired_at),
    }


def _group(group: GroupOutcome) -> dict[str, Any]:
    return {
        "group": group.group,
        "asgs": list(group.asgs),
        "version": group.version,
        "strategy": str(group.strategy),
        "deployment_id": group.deployment_id,
        "verdict": group.verdict.value,
        "workers": [worker_outcome_json(w) for w in group.workers],
        "reason": group.reason,
    }


def worker_outcome_json(worker: WorkerOutcome) -> dict[str, Any]:
    return {"instance_id": worker.instance_id, "verdict": worker.verdict.value, "cause": worker.cause}


def reconcile_json(found: Reconciliation, selection: WorkerFilter = ALL_WORKERS) -> dict[str, Any]:
    """The selected workers, current ones too. The summary counts all workers, `selected` the selected ones.

    `unverified` has the verdict of each group without drift whose desired version is not verified.
    `other_deployments` has each group's active deployment that does not belong to the desired release.
    """
    by_category = {category.value: number for category, number in found.by_category.items()}
    selected = [worker for worker in found.workers if selection.matches(worker)]
    groups = by_group(found.workers)
    unverified = {g.name: w.desired_verdict for g in groups if (w := g.unverified) is not None}
    others = {g.name: w.active_deployment_id for g in groups if (w := g.other_deployment) is not None}
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
            "selected": len(selected),
            "unverified": unverified,
            "in_progress": next(
                (w.in_progress_release for w in found.workers if w.in_progress_release), None
            ),
            "other_deployments": others,
        },
        "workers": [worker_json(worker) for worker in selection.of(selected)],
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
    """The plan that a release would run; null for what only the release itself finds out."""
    return {
        "schema": PLAN_SCHEMA,
        "release_id": plan.release_id,
        "application": plan.application,
        "version": plan.version,
        "planned_at": iso(plan.planned_at),
        "resumes": plan.resumes,
        "artifact": artifact_json(plan.artifacts[0]) if len(plan.artifacts) == 1 else None,
        "artifacts": [artifact_json(artifact) for artifact in plan.artifacts],
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
    """Null if no group to deploy to has a history; `unknown` are the groups without one."""
    if outlook is None or not outlook.eta.is_known:
        return None
    eta = outlook.eta
    waves = [{**_percentiles(w), "bake_s": w.bake_s, "slowest": w.slowest} for w in eta.waves]
    return {**_percentiles(eta), "waves": waves, "unknown": list(eta.unknown)}


def _percentiles(times: ReleaseEta | WaveEta | DurationStats) -> dict[str, float]:
    return {"p50_s": round(times.p50_s, 3), "p95_s": round(times.p95_s, 3)}


def artifact_json(artifact: Artifact) -> dict[str, Any]:
    manifest = artifact.manifest
    return {
        "version": manifest.version,
        "bucket": artifact.bucket,
        "key": artifact.key,
        "digest": manifest.digest,
        "sequence": manifest.sequence,
        "size_bytes": manifest.size_bytes,
        "commit": manifest.commit,
        "ref": manifest.ref,
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
        "known_verdict": group.known_verdict and group.known_verdict.value,
        "adopts": adopts,
        "took": took and {**_percentiles(took), "releases": took.releases},
        "busy": holder
        and {"deployment_id": holder.deployment_id, "owner": holder.whose, "since": iso(holder.since)},
    }
