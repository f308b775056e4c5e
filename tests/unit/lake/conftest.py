"""A lake in memory, and workers made up one difference at a time: `plant(row(tag_version="v1"))`."""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import pytest

from deployctl.lake.engine import DuckEngine
from deployctl.lake.parquet import encode
from deployctl.lake.queries import reconcile
from deployctl.lake.schema import SNAPSHOTS
from deployctl.model.fleet import SnapshotRow

NOON = datetime(2026, 11, 22, 12, 0, 0, tzinfo=UTC)
RELEASED = NOON - timedelta(minutes=40)
SNAPSHOT_ID = "20261122T120000Z-7f"


@dataclass
class MemoryLake:
    objects: dict[str, bytes] = field(default_factory=dict)
    reads: list[str] = field(default_factory=list)

    def write(self, key, body):
        self.objects[key] = body

    def read(self, key):
        self.reads.append(key)
        return self.objects[key]

    def keys(self, prefix):
        return sorted(key for key in self.objects if key.startswith(prefix))


CURRENT = {
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
    "desired_verdict": "held",
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
    "touched_deployment_id": None,
    "touched_version": None,
    "touched_sequence": None,
    "touched_status": None,
    "touched_at": None,
    "joined_at": None,
    "joined_cause": None,
    "desired_given_up": None,
    "rollout_stopped_by_release": False,
    "under_way_release": None,
    "slot_deployment_id": None,
    "slot_creator": None,
}


def make_row(**changes):
    """A current worker, but for these changes."""
    return SnapshotRow(**{**CURRENT, **changes})


@pytest.fixture
def lake():
    return MemoryLake()


@pytest.fixture
def row():
    return make_row


@pytest.fixture
def judge(lake):
    """Write these rows as one snapshot and reconcile it: the workers as judged."""

    def judged(*rows):
        lake.write(SNAPSHOTS.key(NOON, SNAPSHOT_ID), encode(rows, SnapshotRow))
        return reconcile(
            DuckEngine(lake), application="shop", snapshot_id=SNAPSHOT_ID, snapshot_at=NOON
        ).workers

    return judged
