"""One snapshot of the lake: its application, its time, and the result of `reconcile.sql` over it."""

from dataclasses import dataclass
from datetime import UTC, datetime

from deployctl.lake.duckdb_engine import DuckEngine
from deployctl.lake.parquet import encode, read
from deployctl.lake.queries import reconcile
from deployctl.lake.schema import SNAPSHOTS
from deployctl.model.fleet import Snapshot, SnapshotRow
from deployctl.model.names import ApplicationName
from deployctl.model.reconciliation import Reconciliation

_IDENTITY = ("application", "snapshot_id", "snapshot_at")


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredSnapshot:
    """One snapshot as the lake stores it."""

    key: str
    body: bytes
    application: ApplicationName
    snapshot_id: str
    at: datetime


def read_snapshot(key: str, body: bytes) -> StoredSnapshot | None:
    """None for a snapshot without workers: only rows name the application. Raises: LakeObjectDamaged."""
    rows, _ = read(body, columns=_IDENTITY, equal={}, key=key)
    if not rows.num_rows:
        return None
    first = rows.slice(0, 1).to_pylist()[0]
    return StoredSnapshot(
        key=key,
        body=body,
        application=ApplicationName(first["application"]),
        snapshot_id=first["snapshot_id"],
        at=first["snapshot_at"].replace(tzinfo=UTC),
    )


def reconcile_snapshot(snapshot: StoredSnapshot) -> Reconciliation:
    """Run `reconcile.sql` over one stored snapshot in this process. Raises: LakeObjectDamaged."""
    return reconcile(
        DuckEngine(_OneObject(snapshot.key, snapshot.body)),
        application=snapshot.application,
        snapshot_id=snapshot.snapshot_id,
        snapshot_at=snapshot.at,
    )


def reconcile_rows(snapshot: Snapshot) -> Reconciliation:
    """Run `reconcile.sql` over rows in memory; nothing is written."""
    return reconcile_snapshot(
        StoredSnapshot(
            key=SNAPSHOTS.key(snapshot.at, snapshot.snapshot_id),
            body=encode(snapshot.rows, SnapshotRow),
            application=snapshot.application,
            snapshot_id=snapshot.snapshot_id,
            at=snapshot.at,
        )
    )


@dataclass(frozen=True, slots=True)
class _OneObject:
    """A lake (ports.LakeReader) of one object."""

    key: str
    body: bytes

    def read(self, key: str) -> bytes:
        return {self.key: self.body}[key]

    def keys(self, prefix: str) -> list[str]:
        return [self.key] if self.key.startswith(prefix) else []
