"""Rows of the lake, made up one difference at a time, and written where deployctl would write them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import fields
from datetime import UTC, datetime, timedelta
from typing import Any

from deployctl.lake.parquet import encode
from deployctl.lake.schema import DEPLOYMENT_TARGETS, RELEASES, SNAPSHOTS, SPANS
from deployctl.model.fleet import SnapshotRow
from deployctl.model.lake import DeploymentTargetRow, ReleaseRow, SpanRow
from deployctl.ports import Lake

#: The moment that most of the snapshots, and since when v2 is desired.
NOON = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
DESIRED_SINCE = NOON - timedelta(minutes=40)
APPLICATION = "shop"


def seen(instance_id: str, group: str = "video", **changes: Any) -> SnapshotRow:
    """A worker that runs v2 as desired since the release that brought it."""
    facts: dict[str, Any] = {
        "application": APPLICATION,
        "group_name": group,
        "asg": f"asg-{group}",
        "instance_id": instance_id,
        "instance_state": "running",
        "lifecycle_state": "InService",
        "is_spot": True,
        "is_protected": False,
        "launched_at": NOON - timedelta(days=2),
        "tag_version": "v2",
        "tag_sequence": 2,
        "tag_group": group,
        "desired_version": "v2",
        "desired_sequence": 2,
        "desired_release": "r-2",
        "desired_since": DESIRED_SINCE,
        "desired_verdict": "verified",
        "previous_version": "v1",
        "rollout_running": False,
        "rollout_deployment_id": "d-2",
        "rollout_began_at": DESIRED_SINCE,
        "rollout_ended_at": NOON - timedelta(minutes=30),
        "rollout_status": "Succeeded",
        "target_of_desired": False,
        "snapshot_id": "",
        "snapshot_at": NOON,
    }
    return SnapshotRow(**{**dict.fromkeys(f.name for f in fields(SnapshotRow)), **facts, **changes})


def left_behind(instance_id: str, group: str = "video", **changes: Any) -> SnapshotRow:
    """A worker that never was a target of the release, and runs v1 still."""
    return seen(instance_id, group, **{"tag_version": "v1", "tag_sequence": 1, **changes})


def failed(instance_id: str, group: str = "video", **changes: Any) -> SnapshotRow:
    """A worker whose last hook failed in the release, so the version was not verified in its group."""
    facts = {
        "tag_version": "v1",
        "tag_sequence": 1,
        "desired_verdict": "failed",
        "target_of_desired": True,
        "target_deployment_id": "d-2",
        "target_deployment_status": "Failed",
        "target_version": "v2",
        "target_status": "Failed",
        "target_updated_at": NOON - timedelta(minutes=31),
        "target_event": "ValidateService",
        "target_event_status": "Failed",
        "target_error_code": "ScriptFailed",
        "target_script": "hooks/validate_service.sh",
        "target_message": "Script at specified location: hooks/validate_service.sh failed with exit code 3",
        "target_log_tail": "checking\ncannot reach the database\n",
    }
    return seen(instance_id, group, **{**facts, **changes})


def snapshot_id(at: datetime) -> str:
    return f"s-{at:%Y%m%dT%H%M%S}-3f9a1c"


def store_snapshot(lake: Lake, rows: Iterable[SnapshotRow], at: datetime = NOON) -> str:
    """Write these rows as what was seen at this moment; the snapshot's id."""
    found = snapshot_id(at)
    taken = [_as_of(row, found, at) for row in rows]
    lake.write(SNAPSHOTS.key(at, found), encode(taken, SnapshotRow))
    return found


def _as_of(row: SnapshotRow, taken: str, at: datetime) -> SnapshotRow:
    facts = {f.name: getattr(row, f.name) for f in fields(SnapshotRow)}
    return SnapshotRow(**{**facts, "snapshot_id": taken, "snapshot_at": at})


def span(instance_id: str, began_at: datetime, ended_at: datetime, /, **changes: Any) -> SpanRow:
    """A worker of `video` that ran v1 as desired for so long."""
    facts: dict[str, Any] = {
        "application": APPLICATION,
        "group_name": "video",
        "asg": "asg-video",
        "instance_id": instance_id,
        "desired_version": "v1",
        "deployed_version": "v1",
        "category": "current",
        "cause": None,
        "began_at": began_at,
        "ended_at": ended_at,
        "minutes": round((ended_at - began_at).total_seconds() / 60),
    }
    return SpanRow(**{**facts, **changes})


def store_spans(lake: Lake, spans: Iterable[SpanRow]) -> None:
    """Write each day's spans as its one object; all are of one application."""
    days: dict[str, list[SpanRow]] = {}
    for each in spans:
        days.setdefault(SPANS.key(each.began_at, each.application), []).append(each)
    for key, rows in days.items():
        lake.write(key, encode(rows, SpanRow))


def released(release_id: str, finished_at: datetime, **changes: Any) -> ReleaseRow:
    """A release of v2 that held in `video` after five minutes."""
    facts: dict[str, Any] = {
        "release_id": release_id,
        "application": APPLICATION,
        "version": "v2",
        "sequence": 2,
        "actor": "ci",
        "group_name": "video",
        "deployment_id": f"d-{release_id}",
        "strategy": "half",
        "verdict": "verified",
        "reason": None,
        "started_at": finished_at - timedelta(minutes=5),
        "finished_at": finished_at,
        "previous_version": "v1",
        "workers": 2,
        "workers_verified": 2,
        "workers_excused": 0,
        "workers_failed": 0,
    }
    return ReleaseRow(**{**facts, **changes})


def target(
    release_id: str, instance_id: str, ended_at: datetime, took_s: float, /, **changes: Any
) -> DeploymentTargetRow:
    """A worker of `video` that the release brought to v2."""
    facts: dict[str, Any] = {
        "release_id": release_id,
        "application": APPLICATION,
        "group_name": "video",
        "deployment_id": f"d-{release_id}",
        "instance_id": instance_id,
        "version": "v2",
        "status": "Succeeded",
        "verdict": "verified",
        "event": "ValidateService",
        "error_code": None,
        "script": None,
        "message": None,
        "log_tail": None,
        "started_at": ended_at - timedelta(seconds=took_s),
        "ended_at": ended_at,
    }
    return DeploymentTargetRow(**{**facts, **changes})


def store_release(
    lake: Lake, at: datetime, groups: Iterable[ReleaseRow], targets: Iterable[DeploymentTargetRow] = ()
) -> None:
    """Write what one run of a release recorded, at this moment."""
    groups, targets = list(groups), list(targets)
    name = f"{groups[0].release_id}-{at:%H%M%S}"
    lake.write(RELEASES.key(at, name), encode(groups, ReleaseRow))
    if targets:
        lake.write(DEPLOYMENT_TARGETS.key(at, name), encode(targets, DeploymentTargetRow))
