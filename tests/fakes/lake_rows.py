"""Rows of the lake, made up one difference at a time, and a lake that is filled with them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from deployctl.lake.parquet import encode
from deployctl.lake.schema import SNAPSHOTS
from deployctl.model.fleet import SnapshotRow
from deployctl.model.group_finding import GroupCause, GroupFinding
from deployctl.model.lake import DeploymentTargetRow, ReleaseRow, SpanRow
from deployctl.ports import Lake

NOON = datetime(2026, 11, 22, 12, 0, 0, tzinfo=UTC)
RELEASED = NOON - timedelta(minutes=40)
SNAPSHOT_ID = "20261122T120000Z-7f"

CURRENT: dict[str, Any] = {
    "snapshot_id": SNAPSHOT_ID,
    "snapshot_at": NOON,
    "application": "shop",
    "group_name": "video",
    "asg": "video-asg",
    "instance_id": "i-0aa",
    "instance_state": "running",
    "lifecycle_state": "InService",
    "health": "Healthy",
    "is_spot": True,
    "is_protected": False,
    "launched_at": NOON - timedelta(days=2),
    "state_reason_code": None,
    "state_reason": None,
    "activity_cause": None,
    "launch_hook_ok": True,
    "tag_version": "v2",
    "tag_sequence": 2,
    "tag_group": "video",
    "tag_release": "r-2",
    "tag_deployed_at": NOON - timedelta(minutes=31),
    "desired_version": "v2",
    "desired_sequence": 2,
    "desired_release": "r-2",
    "desired_since": RELEASED,
    "desired_verdict": "verified",
    "previous_version": "v1",
    "rollout_running": False,
    "rollout_deployment_id": "d-2",
    "rollout_began_at": RELEASED + timedelta(seconds=2),
    "rollout_ended_at": NOON - timedelta(minutes=30),
    "rollout_status": "Succeeded",
    "rollout_error_code": None,
    "rollout_error_message": None,
    "target_deployment_id": "d-2",
    "target_deployment_status": "Succeeded",
    "target_creator": "user",
    "target_version": "v2",
    "target_of_desired": True,
    "target_status": "Succeeded",
    "target_updated_at": NOON - timedelta(minutes=31),
    "target_event": "ValidateService",
    "target_event_status": "Succeeded",
    "target_error_code": "Success",
    "target_script": "hooks/validate.sh",
    "target_message": "Succeeded",
    "target_log_tail": None,
    "target_began_at": NOON - timedelta(minutes=32),
    "last_executed_deployment_id": None,
    "last_executed_version": None,
    "last_executed_sequence": None,
    "last_executed_status": None,
    "last_executed_at": None,
    "rejoined_at": None,
    "rejoined_cause": None,
    "desired_abandoned_reason": None,
    "rollout_stopped_by_release": False,
    "in_progress_release": None,
    "active_deployment_id": None,
    "active_deployment_creator": None,
    "in_progress_kind": None,
    "active_deployment_version": None,
    "termination_reason": None,
    "target_summary": None,
    "tag_proof": "process v2",
}


def finding_row(**changes: Any) -> GroupFinding:
    """The launch loop of one group, but for these changes."""
    facts = {
        "snapshot_id": SNAPSHOT_ID,
        "snapshot_at": NOON,
        "application": "shop",
        "group_name": "video",
        "cause": GroupCause.LAUNCH_LOOP.value,
        "evidence": "3 launches in a row failed with v2",
        "remedy": "deployctl rollback --to v1 --group video",
    }
    return GroupFinding(**{**facts, **changes})


def snapshot_row(**changes: Any) -> SnapshotRow:
    """A current worker, but for these changes."""
    return SnapshotRow(**{**dict.fromkeys(SnapshotRow.__dataclass_fields__), **CURRENT, **changes})


def store_snapshot(lake: Lake, at: datetime, rows: Sequence[SnapshotRow]) -> str:
    """Write these workers as one snapshot of this moment; its id."""
    snapshot_id = f"s-{at:%Y%m%dT%H%M%S}-{len(rows):06x}"
    own = [SnapshotRow(**{**_fields(row), "snapshot_id": snapshot_id, "snapshot_at": at}) for row in rows]
    lake.write(SNAPSHOTS.key(at, snapshot_id), encode(own, SnapshotRow))
    return snapshot_id


def _fields(row: SnapshotRow) -> dict[str, Any]:
    return {name: getattr(row, name) for name in SnapshotRow.__dataclass_fields__}


def release_row(**changes: Any) -> ReleaseRow:
    """A release of v2 to six workers of `video`, all of which hold, but for these changes."""
    facts: dict[str, Any] = {
        "release_id": "r-2",
        "application": "shop",
        "version": "v2",
        "sequence": 2,
        "actor": "ci",
        "group_name": "video",
        "deployment_id": "d-2",
        "strategy": "half",
        "verdict": "verified",
        "reason": None,
        "started_at": NOON,
        "finished_at": NOON + timedelta(minutes=6),
        "previous_version": "v1",
        "workers": 6,
        "workers_verified": 6,
        "workers_excused": 0,
        "workers_failed": 0,
    }
    return ReleaseRow(**{**facts, **changes})


def target_row(**changes: Any) -> DeploymentTargetRow:
    """A target of that release that succeeded in five minutes, but for these changes."""
    facts: dict[str, Any] = {
        "release_id": "r-2",
        "application": "shop",
        "group_name": "video",
        "deployment_id": "d-2",
        "instance_id": "i-0aa",
        "version": "v2",
        "status": "Succeeded",
        "verdict": "verified",
        "event": None,
        "error_code": None,
        "script": None,
        "message": None,
        "log_tail": None,
        "started_at": NOON,
        "ended_at": NOON + timedelta(minutes=5),
    }
    return DeploymentTargetRow(**{**facts, **changes})


def span_row(began_at: datetime, ended_at: datetime, **changes: Any) -> SpanRow:
    """A worker that was current for so long, but for these changes."""
    facts: dict[str, Any] = {
        "application": "shop",
        "group_name": "video",
        "asg": "video-asg",
        "instance_id": "i-0aa",
        "desired_version": "v2",
        "deployed_version": "v2",
        "category": "current",
        "cause": None,
        "began_at": began_at,
        "ended_at": ended_at,
        "minutes": round((ended_at - began_at).total_seconds() / 60),
    }
    return SpanRow(**{**facts, **changes})
