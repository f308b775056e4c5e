"""DESCRIBE and SHOW of one table, in the lines that Hive writes."""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from deployctl.sandbox.athena.catalog import Catalog, TableDefinition

_NAME = r"[`\"]?([A-Za-z0-9_-]+)[`\"]?"
_TABLE = rf"(?:{_NAME}\.)?{_NAME}"
_WIDTH = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Lines:
    """The result of a DDL statement: one text a row, whatever its columns."""

    columns: tuple[str, ...] = ()
    lines: tuple[str, ...] = ()


def describe(text: str, catalog: Catalog, *, database: str) -> Lines | None:
    """None for another statement. Raises: QueryFailed where there is no such table."""
    for pattern, columns, show in _STATEMENTS:
        match = re.fullmatch(pattern + r"\s*;?", text, re.IGNORECASE)
        if match is not None:
            of, name, *other = match.groups()
            table = catalog.table((next(filter(None, other), None) or of or database).lower(), name.lower())
            return Lines(columns=columns, lines=tuple(show(table)))
    return None


def _described(table: TableDefinition) -> Iterator[str]:
    """The partition stands among the columns, and again below them."""
    partition = [_cells(table.partition, "string", "")] if table.partition else []
    yield from (_cells(name, kind, "") for name, kind in table.columns.items())
    yield from partition
    if partition:
        blank = "\t \t "
        yield from (blank, "# Partition Information\t \t ", _cells("# col_name", "data_type", "comment"))
        yield from (blank, *partition)


def _cells(*cells: str) -> str:
    return "\t".join(cell.ljust(_WIDTH) for cell in cells)


def _columns(table: TableDefinition) -> Iterator[str]:
    yield from (name.ljust(_WIDTH) for name in table.sql_columns)


def _created(table: TableDefinition) -> Iterator[str]:
    yield f"CREATE EXTERNAL TABLE `{table.database}.{table.name}`("
    own = [f"  `{name}` {kind}" for name, kind in table.columns.items()]
    yield from (f"{line}, " for line in own[:-1])
    yield f"{own[-1]})"
    if table.partition:
        yield from ("PARTITIONED BY ( ", f"  `{table.partition}` string)")
    for clause, kind in (
        ("ROW FORMAT SERDE ", "serde.ParquetHiveSerDe"),
        ("STORED AS INPUTFORMAT ", "MapredParquetInputFormat"),
        ("OUTPUTFORMAT ", "MapredParquetOutputFormat"),
    ):
        yield from (clause, f"  'org.apache.hadoop.hive.ql.io.parquet.{kind}'")
    yield from ("LOCATION", f"  '{table.location}'", "TBLPROPERTIES (")
    properties = [f"  '{name}'='{value}'" for name, value in sorted(table.properties.items())]
    created = f"  'transient_lastDdlTime'='{table.created_at.timestamp():.0f}')"
    yield from (*(f"{line}, " for line in properties), created)


def _partitions(_table: TableDefinition) -> Iterator[str]:
    """None: the partitions of a projected table are in no catalog."""
    yield from ()


_STATEMENTS: tuple[tuple[str, tuple[str, ...], Callable[[TableDefinition], Iterator[str]]], ...] = (
    (
        rf"DESC(?:RIBE)?\s+(?:EXTENDED\s+|FORMATTED\s+)?{_TABLE}",
        ("col_name", "data_type", "comment"),
        _described,
    ),
    (rf"SHOW\s+CREATE\s+TABLE\s+{_TABLE}", ("createtab_stmt",), _created),
    (rf"SHOW\s+COLUMNS\s+(?:IN|FROM)\s+{_TABLE}(?:\s+(?:IN|FROM)\s+{_NAME})?", ("field",), _columns),
    (rf"SHOW\s+PARTITIONS\s+{_TABLE}", ("partition",), _partitions),
)
