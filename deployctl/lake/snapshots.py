"""Single snapshots of the lake: whose they are, when they were taken, and what `reconcile.sql` makes of them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from deployctl.lake.duckdb_engine import DuckEngine
from deployctl.lake.parquet import read
from deployctl.lake.queries import reconcile
from deployctl.model.names import ApplicationName
from deployctl.model.reconciliation import Reconciliation

_ITS_OWN = ("application", "snapshot_id", "snapshot_at")


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredSnapshot:
    """One snapshot as it lies in the lake."""

    key: str
    body: bytes
    application: ApplicationName
    snapshot_id: str
    at: datetime


def read_snapshot(key: str, body: bytes) -> StoredSnapshot | None:
    """None of a snapshot without workers: it does not say whose it is. Raises: LakeObjectDamaged."""
    rows, _ = read(body, columns=_ITS_OWN, equal={}, key=key)
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


def reconcile_snapshot(look: StoredSnapshot) -> Reconciliation:
    """Have `reconcile.sql` judge one snapshot, in this process. Raises: LakeObjectDamaged."""
    return reconcile(
        DuckEngine(_OneObject(look.key, look.body)),
        application=look.application,
        snapshot_id=look.snapshot_id,
        snapshot_at=look.at,
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
