"""Snapshot: the fleet as it is seen now → one object of the lake."""

from __future__ import annotations

from deployctl.config.settings import Settings
from deployctl.flows.identity import new_snapshot_id
from deployctl.lake.parquet import encode
from deployctl.lake.schema import SNAPSHOTS
from deployctl.model.fleet import SnapshotRow
from deployctl.model.lake_maintenance import WrittenSnapshot
from deployctl.observe.snapshot import take_snapshot
from deployctl.ports import Ports


def snapshot(settings: Settings, ports: Ports) -> WrittenSnapshot:
    """See the fleet and write it to the lake: whole or not at all. Raises: all that the services may."""
    snapshot_id = new_snapshot_id(ports.clock.now())
    seen = take_snapshot(settings.application, ports, bucket=settings.bucket, snapshot_id=snapshot_id)
    key, body = SNAPSHOTS.key(seen.at, snapshot_id), encode(seen.rows, SnapshotRow)
    ports.lake.write(key, body)
    return WrittenSnapshot(snapshot=seen, key=key, size_bytes=len(body))
