"""Versioned JSON for pipelines. A schema may gain fields; existing fields and the key order never change."""

from dataclasses import fields, is_dataclass
from datetime import date, datetime
from typing import Any

from deployctl.model.artifact import Artifact
from deployctl.model.group_finding import GroupFinding
from deployctl.model.query_rows import DurationStats
from deployctl.model.reconciliation import ReconciledWorker, Reconciliation
from deployctl.model.release import (
    GroupPlan,
    ReleaseInProgress,
    ReleaseOutcome,
    ReleasePlan,
    StopRequest,
)
from deployctl.model.strategy import Budget, Strategy
from deployctl.plan.forecast import Forecast, ReleaseEta, WaveEta
from deployctl.ports import Holder
from deployctl.report.formatting import iso
from deployctl.report.worker_filter import ALL_WORKERS, WorkerFilter, by_group

RELEASE_SCHEMA = "deployctl.release/1"
RECONCILE_SCHEMA = "deployctl.reconcile/1"
PLAN_SCHEMA = "deployctl.plan/1"
_GROUP_FIELDS = ("group", "asgs", "version", "strategy", "deployment_id", "verdict", "workers", "reason")
_POLICY_FIELDS = ("on_failure", "max_failed_total", "bake_s", "alarms", "suspend_scaling")
_WORKER_FIELDS = (
    "instance_id",
    "group",
    "category",
    "desired_version",
    "deployed_version",
    "cause",
    "evidence",
    "remedy",
    "minutes_behind",
)


def json_fields(source: object, *names: str) -> dict[str, Any]:
    """These attributes, in this order; without a source all are null. A nested dataclass has all of its fields."""
    return {name: None if source is None else json_value(getattr(source, name)) for name in names}


def json_value(value: Any) -> Any:
    match value:
        case datetime():
            return iso(value)
        case date():
            return value.isoformat()
        case Strategy() | Budget():
            return str(value)
        case tuple():
            return [json_value(each) for each in value]
        case _ if is_dataclass(value):
            return json_fields(value, *(field.name for field in fields(value)))
        case _:
            return value


def finding_json(finding: GroupFinding) -> dict[str, Any]:
    return {"group": finding.group_name, **json_fields(finding, "cause", "evidence", "remedy")}


def release_json(outcome: ReleaseOutcome) -> dict[str, Any]:
    """A release's result: groups in the plan's order, calls by name; `rollback` has the same shape."""
    return {
        "schema": RELEASE_SCHEMA,
        **json_fields(outcome, "release_id", "application", "version", "verdict"),
        "elapsed_s": round(outcome.elapsed_s, 3),
        "calls": dict(sorted(outcome.calls.items())),
        "groups": [json_fields(group, *_GROUP_FIELDS) for group in outcome.groups],
        "kind": outcome.kind,
        "rollback": outcome.rollback and release_json(outcome.rollback),
        "throttled": dict(sorted(outcome.throttled.items())),
        "stop_requested": outcome.stop and stop_json(outcome.stop),
    }


def stop_json(request: StopRequest) -> dict[str, Any]:
    return json_fields(request, "kind", "actor", "at")


def in_progress_json(begun: ReleaseInProgress) -> dict[str, Any]:
    return {"release_id": begun.release, **json_fields(begun, "version", "kind", "actor", "began_at")}


def holder_json(holder: Holder) -> dict[str, Any]:
    """The process that holds the lock."""
    owner = json_fields(holder, "actor", "host", "pid")
    return {**owner, "release_id": holder.release, **json_fields(holder, "version", "acquired_at")}


def reconcile_json(found: Reconciliation, selection: WorkerFilter = ALL_WORKERS) -> dict[str, Any]:
    """The selected workers, current ones too. The summary counts all workers, `selected` the selected ones.

    `unverified` has the verdict of each group without drift whose desired version is not verified.
    `findings` are those of groups as a whole; `desired_versions` has the number of groups that should run each.
    `other_deployments` has each group's active deployment that does not belong to the desired release.
    """
    selected = [worker for worker in found.workers if selection.matches(worker)]
    groups = by_group(found.workers)
    unverified = {g.name: w.desired_verdict for g in groups if (w := g.unverified) is not None}
    others = {g.name: w.active_deployment_id for g in groups if (w := g.other_deployment) is not None}
    return {
        "schema": RECONCILE_SCHEMA,
        **json_fields(found, "application", "snapshot_id", "snapshot_at", "engine", "bytes_scanned"),
        "summary": {
            "workers": len(found.workers),
            "by_category": found.by_category,
            "selected": len(selected),
            "unverified": unverified,
            "in_progress": next(
                (w.in_progress_release for w in found.workers if w.in_progress_release), None
            ),
            "other_deployments": others,
            "current_by_files": found.current_by_files,
            "desired_versions": {version: len(groups) for version, groups in found.desired_versions.items()},
        },
        "findings": [finding_json(finding) for finding in found.findings],
        "workers": [worker_json(worker) for worker in selection.of(selected)],
    }


def worker_json(worker: ReconciledWorker) -> dict[str, Any]:
    """One worker as reconciled; `remedy` is a shell line."""
    return json_fields(worker, *_WORKER_FIELDS)


def plan_json(plan: ReleasePlan, outlook: Forecast | None = None) -> dict[str, Any]:
    """The plan that a release would run; null for what only the release itself finds out."""
    return {
        "schema": PLAN_SCHEMA,
        **json_fields(plan, "release_id", "application", "version", "planned_at", "resumes"),
        "artifact": artifact_json(plan.artifacts[0]) if len(plan.artifacts) == 1 else None,
        "artifacts": [artifact_json(artifact) for artifact in plan.artifacts],
        "waves": [[_group_plan(group, outlook) for group in wave] for wave in plan.waves],
        "kind": plan.kind,
        "policy": json_fields(plan.policy, *_POLICY_FIELDS),
        "eta": _eta(outlook),
        "calls": dict(outlook.calls) if outlook is not None else None,
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
        **json_fields(artifact, "bucket", "key"),
        **json_fields(manifest, "digest", "sequence", "size_bytes", "commit", "ref", "lint_errors"),
    }


def _group_plan(group: GroupPlan, outlook: Forecast | None) -> dict[str, Any]:
    took = outlook.durations.get(group.group) if outlook is not None else None
    holder = outlook.busy.get(group.group) if outlook is not None else None
    adopts = outlook.adopted.get(group.group) if outlook is not None else None
    return {
        **json_fields(group, "group", "asgs", "step", "version", "strategy"),
        "configuration": group.config.name,
        "min_healthy_percent": group.config.min_healthy_percent,
        **json_fields(group, "workers", "previous_verified"),
        "desired_now": group.desired_before,
        **json_fields(group, "max_failed", "known_verdict"),
        "adopts": adopts,
        "took": took and {**_percentiles(took), "releases": took.releases},
        "busy": holder
        and {"deployment_id": holder.deployment_id, "owner": holder.whose, "since": iso(holder.since)},
    }
