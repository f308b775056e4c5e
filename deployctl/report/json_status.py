"""Versioned JSON of status, history and logs. The rules of `json_output` apply."""

from __future__ import annotations

from typing import Any

from deployctl.model.deployment import Counts, LifecycleEvent, Target
from deployctl.model.release_record import GroupLogs, History, ReleaseLogs, ReleaseRecord, ReleaseSummary
from deployctl.observe.status import ApplicationStatus, GroupStatus
from deployctl.report.formatting import iso
from deployctl.report.history import duration_s, kind_of, state_of, versions
from deployctl.report.json_output import holder_json, in_progress_json, stop_json, worker_outcome_json
from deployctl.report.status import next_commands, verdict_counts

STATUS_SCHEMA = "deployctl.status/1"
HISTORY_SCHEMA = "deployctl.history/1"
LOGS_SCHEMA = "deployctl.logs/1"


def status_json(status: ApplicationStatus) -> dict[str, Any]:
    """An application's status: groups by name, `counts` for a running or unfinished deployment."""
    begun, lease = status.in_progress, status.lease
    return {
        "schema": STATUS_SCHEMA,
        "application": status.application,
        "at": iso(status.at),
        "in_progress": begun and {**in_progress_json(begun), "undoes": begun.undoes, **_progress(status)},
        "lock": lease and {**holder_json(lease.holder), "expires_in_s": round(lease.expires_in_s, 1)},
        "summary": {"groups": len(status.groups), "by_verdict": verdict_counts(status)},
        "groups": [_group_status(group) for group in status.groups],
        "next": [command for command, _ in next_commands(status)],
    }


def _progress(status: ApplicationStatus) -> dict[str, Any]:
    record = status.record
    return {
        "wave": status.wave or None,
        "waves": len(record.intent.waves) if record and record.intent else None,
        "baking_until": iso(record.baking.until) if record and record.baking else None,
        "stop_requested": record.stop and stop_json(record.stop) if record else None,
    }


def _group_status(group: GroupStatus) -> dict[str, Any]:
    desired, deployment = group.desired, group.deployment
    return {
        "group": group.group,
        "version": desired and desired.version,
        "verdict": desired and desired.verdict.value,
        "release_id": desired and desired.release,
        "since": desired and iso(desired.since),
        "previous_verified": desired and desired.previous_verified,
        "deployment_id": desired and desired.deployment_id,
        "waits_for_wave": group.waits_for_wave,
        "status": deployment and deployment.status.value,
        "counts": deployment and _counts(deployment.counts),
    }


def _counts(counts: Counts) -> dict[str, int]:
    return {
        "pending": counts.pending,
        "in_progress": counts.in_progress,
        "succeeded": counts.succeeded,
        "failed": counts.failed,
        "skipped": counts.skipped,
        "ready": counts.ready,
        "total": counts.total,
    }


def history_json(found: History) -> dict[str, Any]:
    """The newest releases, the newest first; `number` counts all releases."""
    return {
        "schema": HISTORY_SCHEMA,
        "application": found.application,
        "at": iso(found.at),
        "number": found.number,
        "releases": [_past(past, found) for past in found.releases],
    }


def _past(past: ReleaseSummary, found: History) -> dict[str, Any]:
    record = past.record
    if record is None:
        return {"release_id": past.release_id, "state": state_of(past), "unreadable": past.unreadable}
    took_s = duration_s(past, found.at)
    before, to = versions(record)
    return {
        "release_id": past.release_id,
        "state": state_of(past),
        **_release(record),
        "from": before,
        "to": to,
        "groups": len(record.groups),
        "elapsed_s": None if took_s is None else round(took_s, 3),
    }


def _release(record: ReleaseRecord) -> dict[str, Any]:
    intent = record.intent
    return {
        "kind": kind_of(record).value,
        "version": record.version,
        "actor": intent and intent.actor,
        "undoes": intent and intent.undoes,
        "verdict": record.verdict and record.verdict.value,
        "began_at": iso(record.began_at),
        "finished_at": record.finished_at and iso(record.finished_at),
    }


def logs_json(found: ReleaseLogs) -> dict[str, Any]:
    """Every failed or skipped target of these groups, with CodeDeploy's lifecycle events."""
    return {
        "schema": LOGS_SCHEMA,
        "release_id": found.record.release_id,
        **_release(found.record),
        "groups": [_group_logs(group) for group in found.groups],
        "other_groups": found.others,
    }


def _group_logs(group: GroupLogs) -> dict[str, Any]:
    outcome, deployment = group.outcome, group.deployment
    return {
        "group": group.group,
        "version": group.version,
        "verdict": outcome and outcome.verdict.value,
        "reason": outcome and outcome.reason,
        "deployment_id": group.deployment_id,
        "status": deployment and deployment.status.value,
        "error_code": deployment and deployment.error_code,
        "error_message": deployment and deployment.error_message,
        "unread": group.unread,
        "targets": [_target(target) for target in group.targets],
        "not_targeted": [worker_outcome_json(w) for w in group.elsewhere],
    }


def _target(target: Target) -> dict[str, Any]:
    return {
        "instance_id": target.instance_id,
        "deployment_id": target.deployment_id,
        "status": target.status.value,
        "updated_at": target.updated_at and iso(target.updated_at),
        "events": [_event(event) for event in target.events],
    }


def _event(event: LifecycleEvent) -> dict[str, Any]:
    return {
        "name": event.name,
        "status": event.status,
        "started_at": event.started_at and iso(event.started_at),
        "ended_at": event.ended_at and iso(event.ended_at),
        "error_code": event.error_code,
        "script": event.script,
        "message": event.message,
        "log_tail": event.log_tail,
    }
