"""Snapshot: the fleet now, written to the lake as one object."""

from deployctl.config.settings import Settings
from deployctl.flows.identity import new_snapshot_id
from deployctl.lake.parquet import encode
from deployctl.lake.schema import GROUP_FINDINGS, SNAPSHOTS
from deployctl.model.fleet import SnapshotRow
from deployctl.model.group_finding import GroupFinding
from deployctl.model.lake_maintenance import WrittenSnapshot
from deployctl.observe.snapshot import take_snapshot
from deployctl.ports import Ports


def snapshot(settings: Settings, ports: Ports) -> WrittenSnapshot:
    """Read the fleet and write it to the lake in one atomic write. Raises: what the services may."""
    snapshot_id = new_snapshot_id(ports.clock.now())
    taken = take_snapshot(settings.application, ports, bucket=settings.bucket, snapshot_id=snapshot_id)
    key, body = SNAPSHOTS.key(taken.at, snapshot_id), encode(taken.rows, SnapshotRow)
    if taken.findings:
        # First: a reader of the snapshot looks for its findings.
        ports.lake.write(GROUP_FINDINGS.key(taken.at, snapshot_id), encode(taken.findings, GroupFinding))
    ports.lake.write(key, body)
    return WrittenSnapshot(snapshot=taken, key=key, size_bytes=len(body))
