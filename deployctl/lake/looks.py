"""Single snapshots of the lake: whose they are, when they were taken, and what `reconcile.sql` makes of them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime

import pyarrow as pa

from deployctl.lake.engine import DuckEngine
from deployctl.lake.parquet import read
from deployctl.lake.queries import reconcile
from deployctl.lake.schema import SNAPSHOTS, arrow_schema
from deployctl.model.cause import Reconciliation
from deployctl.model.names import ApplicationName

#: What differs between two snapshots of a fleet in which nothing has changed.
_ITS_OWN = ("snapshot_id", "snapshot_at")


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """One snapshot as it lies in the lake. `facts` are its rows without what every snapshot has of its own."""

    key: str
    body: bytes
    application: ApplicationName
    snapshot_id: str
    at: datetime
    facts: pa.Table


def read_look(key: str, body: bytes) -> Look | None:
    """None of a snapshot without workers: it does not say whose it is. Raises: LakeObjectDamaged."""
    rows, _ = read(body, columns=arrow_schema(SNAPSHOTS.row).names, equal={}, key=key)
    if not rows.num_rows:
        return None
    first = rows.slice(0, 1).to_pylist()[0]
    return Look(
        key=key,
        body=body,
        application=ApplicationName(first["application"]),
        snapshot_id=first["snapshot_id"],
        at=first["snapshot_at"].replace(tzinfo=UTC),
        facts=rows.drop_columns([c for c in _ITS_OWN if c in rows.column_names]),
    )


@dataclass(frozen=True, slots=True)
class _OneObject:
    """A lake (ports.Lake) that holds one object."""

    key: str
    body: bytes

    def read(self, key: str) -> bytes:
        return {self.key: self.body}[key]

    def keys(self, prefix: str) -> list[str]:
        return [self.key] if self.key.startswith(prefix) else []

    def write(self, key: str, body: bytes) -> None:
        raise NotImplementedError

    def remove(self, key: str) -> None:
        raise NotImplementedError


class Judge:
    """Has `reconcile.sql` judge one snapshot after the other, in this process.

    Category and cause follow from a snapshot's facts alone, so one with the same facts as the one before is not
    judged again; `minutes_behind` then stands as it was.
    """

    def __init__(self) -> None:
        self._last: tuple[Look, Reconciliation] | None = None

    def judge(self, look: Look) -> Reconciliation:
        """Raises: LakeObjectDamaged."""
        if self._last is not None and self._last[0].facts.equals(look.facts):
            found = replace(self._last[1], snapshot_id=look.snapshot_id, snapshot_at=look.at)
        else:
            found = reconcile(
                DuckEngine(_OneObject(look.key, look.body)),
                application=look.application,
                snapshot_id=look.snapshot_id,
                snapshot_at=look.at,
            )
        self._last = (look, found)
        return found
