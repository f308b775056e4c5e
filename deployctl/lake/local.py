"""The lake's queries over rows at hand: one object in memory, read by DuckDB in this process."""

from __future__ import annotations

from dataclasses import dataclass, field

from deployctl.lake.duckdb_engine import DuckEngine
from deployctl.lake.parquet import encode
from deployctl.lake.queries import reconcile
from deployctl.lake.schema import SNAPSHOTS
from deployctl.model.fleet import Snapshot, SnapshotRow
from deployctl.model.reconciliation import Reconciliation


@dataclass(frozen=True, slots=True)
class MemoryLake:
    """The Lake port, for as long as it is held."""

    objects: dict[str, bytes] = field(default_factory=dict)

    def write(self, key: str, body: bytes) -> None:
        self.objects[key] = body

    def read(self, key: str) -> bytes:
        return self.objects[key]

    def remove(self, key: str) -> None:
        self.objects.pop(key, None)

    def keys(self, prefix: str) -> list[str]:
        return sorted(key for key in self.objects if key.startswith(prefix))


def reconcile_rows(snapshot: Snapshot) -> Reconciliation:
    """Every worker of the snapshot as `reconcile.sql` judges it; nothing is written anywhere."""
    lake = MemoryLake()
    lake.write(SNAPSHOTS.key(snapshot.at, snapshot.snapshot_id), encode(snapshot.rows, SnapshotRow))
    return reconcile(
        DuckEngine(lake),
        application=snapshot.application,
        snapshot_id=snapshot.snapshot_id,
        snapshot_at=snapshot.at,
    )
