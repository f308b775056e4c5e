"""Versioned JSON for pipelines. Fields may be added to a schema, never changed; key order is fixed."""

from __future__ import annotations

from typing import Any

from deployctl.model.artifact import Artifact
from deployctl.model.cause import ReconciledWorker, Reconciliation
from deployctl.model.release import GroupOutcome, GroupPlan, ReleaseOutcome, ReleasePlan
from deployctl.report.selection import Selection
from deployctl.report.words import iso

RELEASE_SCHEMA = "deployctl.release/1"
RECONCILE_SCHEMA = "deployctl.reconcile/1"
PLAN_SCHEMA = "deployctl.plan/1"
EVERYBODY = Selection()


def release_json(outcome: ReleaseOutcome) -> dict[str, Any]:
    """How a release came out: groups in the plan's order, calls by name."""
    return {
        "schema": RELEASE_SCHEMA,
        "release_id": outcome.release_id,
        "application": outcome.application,
        "version": outcome.version,
        "verdict": outcome.verdict.value,
        "elapsed_s": round(outcome.elapsed_s, 3),
        "calls": dict(sorted(outcome.calls.items())),
        "groups": [_group(group) for group in outcome.groups],
    }


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


def reconcile_json(found: Reconciliation, selection: Selection = EVERYBODY) -> dict[str, Any]:
    """Every worker that is meant, current ones too. The summary counts all, `selected` those that are meant."""
    by_category = {category.value: number for category, number in found.by_category.items()}
    meant = [worker for worker in found.workers if selection.means(worker)]
    return {
        "schema": RECONCILE_SCHEMA,
        "application": found.application,
        "snapshot_id": found.snapshot_id,
        "snapshot_at": iso(found.snapshot_at),
        "engine": found.engine,
        "bytes_scanned": found.bytes_scanned,
        "summary": {"workers": len(found.workers), "by_category": by_category, "selected": len(meant)},
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


def plan_json(plan: ReleasePlan) -> dict[str, Any]:
    """What a release would do: the very plan that would be run."""
    return {
        "schema": PLAN_SCHEMA,
        "release_id": plan.release_id,
        "application": plan.application,
        "version": plan.version,
        "planned_at": iso(plan.planned_at),
        "resumes": plan.resumes,
        "artifact": _artifact(plan.artifacts[0]) if len(plan.artifacts) == 1 else None,
        "artifacts": [_artifact(artifact) for artifact in plan.artifacts],
        "waves": [[_group_plan(group) for group in wave] for wave in plan.waves],
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


def _group_plan(group: GroupPlan) -> dict[str, Any]:
    return {
        "group": group.group,
        "asgs": list(group.asgs),
        "step": group.step.value,
        "version": group.version,
        "strategy": str(group.strategy),
        "configuration": group.config.name,
        "min_healthy_percent": group.config.min_healthy_percent,
        "workers": [{"instance_id": w.instance_id, "version": w.version} for w in group.workers],
        "previous_held": group.previous_held,
    }
