"""The difference between a table in Athena's catalog and the table that the lake's objects need."""

from collections.abc import Mapping
from dataclasses import dataclass

import sqlglot
from sqlglot import exp

from deployctl.lake.ddl import create_tables
from deployctl.lake.schema import TABLES
from deployctl.lake.sql import DIALECT

#: Hive's name of each of the lake's types.
HIVE: Mapping[str, str] = {
    "varchar": "string",
    "bigint": "bigint",
    "boolean": "boolean",
    "timestamp": "timestamp",
}
PARTITION_TYPE = "string"


@dataclass(frozen=True, slots=True, kw_only=True)
class TableFacts:
    """`columns` and `partitions` are names with Hive's types; a `location` of None is unknown."""

    columns: Mapping[str, str]
    partitions: Mapping[str, str]
    properties: Mapping[str, str]
    location: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class TableDifference:
    """What a table lacks. `retyped` and `partitions` cannot be altered: the table must be created again.

    `retyped` maps columns to their present type; `elsewhere` is the table's location, if that is not the lake.
    Columns that a newer deployctl added are no difference.
    """

    missing: Mapping[str, str]
    retyped: Mapping[str, str]
    partitions: Mapping[str, str] | None
    properties: Mapping[str, str]
    elsewhere: str | None

    @property
    def is_empty(self) -> bool:
        return not (self.missing or self.properties or self.elsewhere or self.needs_recreate)

    @property
    def needs_recreate(self) -> bool:
        return bool(self.retyped) or self.partitions is not None


def wanted(name: str, location: str) -> TableFacts:
    """The facts that one of the lake's tables needs; `location` is the lake's root."""
    table = TABLES[name]
    create = sqlglot.parse_one(create_tables("any", location)[name], read=DIALECT)
    own = create.find(exp.LocationProperty)
    return TableFacts(
        columns={column: HIVE[kind] for column, kind in table.sql_columns.items()},
        partitions={table.partition: PARTITION_TYPE},
        properties={
            found.name: found.args["value"].name
            for found in create.find_all(exp.Property)
            if found.args.get("value") is not None
        },
        location=own.this.name if own is not None else None,
    )


def diff_tables(there: TableFacts, wanted: TableFacts) -> TableDifference:
    """What `there` lacks to be `wanted`."""
    has = there.columns
    both = [facts.location.rstrip("/") for facts in (there, wanted) if facts.location is not None]
    return TableDifference(
        missing={name: kind for name, kind in wanted.columns.items() if name not in has},
        retyped={n: has[n] for n, kind in wanted.columns.items() if n in has and has[n] != kind},
        partitions=None if there.partitions == wanted.partitions else there.partitions,
        properties={n: v for n, v in wanted.properties.items() if there.properties.get(n) != v},
        elsewhere=there.location if len(set(both)) == 2 else None,
    )
