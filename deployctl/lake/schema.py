"""The lake's tables: their columns from the row dataclasses, and where their objects lie."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields
from datetime import UTC, datetime
from functools import cache
from typing import Any, get_args, get_type_hints

import pyarrow as pa

from deployctl.model.fleet import SnapshotRow
from deployctl.model.group_finding import GroupFinding
from deployctl.model.lake import DeploymentTargetRow, ReleaseRow, SpanRow

ROOT_PREFIX = "lake/v1/"

#: A field's Python type, its type in Athena's SQL, and in Arrow.
SQL_TYPES: Mapping[type, str] = {str: "varchar", int: "bigint", bool: "boolean", datetime: "timestamp"}
ARROW_TYPES: Mapping[type, pa.DataType] = {
    str: pa.string(),
    int: pa.int64(),
    bool: pa.bool_(),
    datetime: pa.timestamp("ms"),
}

#: Columns by the names that they had before 0.1.0: an object of that time holds them under these.
FORMER_NAMES: Mapping[str, str] = {
    "last_executed_deployment_id": "touched_deployment_id",
    "last_executed_version": "touched_version",
    "last_executed_sequence": "touched_sequence",
    "last_executed_status": "touched_status",
    "last_executed_at": "touched_at",
    "rejoined_at": "joined_at",
    "rejoined_cause": "joined_cause",
    "desired_abandoned_reason": "desired_given_up",
    "in_progress_release": "under_way_release",
    "in_progress_kind": "under_way_kind",
    "active_deployment_id": "slot_deployment_id",
    "active_deployment_creator": "slot_creator",
    "active_deployment_version": "slot_version",
    "workers_verified": "workers_held",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """A table of the lake: one object a write, below one folder a partition.

    `partition_format` is strftime's, UTC. `stem` is the column whose value is the object's own name, where
    every row of an object has the same. `former` are columns, with their SQL types, that only objects from before
    0.1.0 hold: Athena does not know that they were renamed, so queries still read them.
    """

    name: str
    row: type
    partition: str
    partition_format: str
    stem: str | None = None
    former: Mapping[str, str] = field(default_factory=dict)

    @property
    def sql_columns(self) -> dict[str, str]:
        """Every column but the partition, with its type in Athena's SQL."""
        return {**{c.name: SQL_TYPES[c.type] for c in columns(self.row)}, **self.former}

    def partition_value(self, at: datetime) -> str:
        return at.astimezone(UTC).strftime(self.partition_format)

    def key(self, at: datetime, object_id: str) -> str:
        """The key of one object, relative to the lake's root."""
        return f"{self.prefix(self.partition_value(at))}{object_id}.parquet"

    @property
    def root(self) -> str:
        """What the keys of all its objects begin with."""
        return f"{self.name}/"

    def prefix(self, partition_value: str) -> str:
        return f"{self.root}{self.partition}={partition_value}/"

    def by_partition(self, keys: Iterable[str]) -> dict[str, list[str]]:
        """These keys of its objects by the partition's value, in the order in which they come."""
        found: dict[str, list[str]] = {}
        for key in keys:
            value = key.removeprefix(self.root).partition("/")[0].removeprefix(f"{self.partition}=")
            found.setdefault(value, []).append(key)
        return found


SNAPSHOTS = Table(
    name="fleet_snapshots",
    row=SnapshotRow,
    partition="snap_hour",
    partition_format="%Y-%m-%d-%H",
    stem="snapshot_id",
)
RELEASES = Table(
    name="releases",
    row=ReleaseRow,
    partition="day",
    partition_format="%Y-%m-%d",
    former={"workers_held": "bigint"},
)
DEPLOYMENT_TARGETS = Table(
    name="deployment_targets", row=DeploymentTargetRow, partition="day", partition_format="%Y-%m-%d"
)
SPANS = Table(
    name="fleet_spans", row=SpanRow, partition="day", partition_format="%Y-%m-%d", stem="application"
)
GROUP_FINDINGS = Table(
    name="group_findings",
    row=GroupFinding,
    partition="snap_hour",
    partition_format="%Y-%m-%d-%H",
    stem="snapshot_id",
)
TABLES: Mapping[str, Table] = {
    t.name: t for t in (SNAPSHOTS, GROUP_FINDINGS, RELEASES, DEPLOYMENT_TARGETS, SPANS)
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    name: str
    type: type
    nullable: bool


@cache
def columns(row: type) -> tuple[Column, ...]:
    """The columns of a row dataclass, in its order."""
    hints = get_type_hints(row)
    return tuple(_column(f.name, hints[f.name]) for f in fields(row))


def _column(name: str, hint: Any) -> Column:
    options = get_args(hint) or (hint,)
    (plain,) = [option for option in options if option is not type(None)]
    return Column(name=name, type=plain, nullable=type(None) in options)


def arrow_schema(row: type) -> pa.Schema:
    return pa.schema([pa.field(c.name, ARROW_TYPES[c.type], c.nullable) for c in columns(row)])
