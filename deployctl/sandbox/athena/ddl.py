"""The few statements of Hive's DDL that deployctl and its users send: CREATE, ALTER, DROP, SHOW, DESCRIBE."""

import re
from dataclasses import replace
from datetime import datetime

import sqlglot
from sqlglot import exp
from sqlglot.errors import SqlglotError

from deployctl.lake.sql import DIALECT
from deployctl.sandbox.athena.arrow_types import sql_from_hive
from deployctl.sandbox.athena.catalog import Catalog, TableDefinition
from deployctl.sandbox.athena.describe import Lines, describe
from deployctl.sandbox.athena.projection import DateProjection, date_projection
from deployctl.sandbox.athena.query_failed import QueryFailed
from deployctl.sandbox.s3 import split_uri

_WORDS = ("CREATE", "DROP", "SHOW", "ALTER", "DESCRIBE", "MSCK")
_NAME = r"`?([A-Za-z0-9_-]+)`?"
_DATABASE = re.compile(
    rf"(CREATE|DROP)\s+(?:DATABASE|SCHEMA)\s+(IF\s+(?:NOT\s+)?EXISTS\s+)?{_NAME}\s*;?\s*", re.IGNORECASE
)
_DROP_TABLE = re.compile(rf"DROP\s+TABLE\s+(IF\s+EXISTS\s+)?(?:{_NAME}\.)?{_NAME}\s*;?\s*", re.IGNORECASE)
_ALTER = re.compile(
    rf"ALTER\s+TABLE\s+(?:{_NAME}\.)?{_NAME}\s+(ADD\s+COLUMNS|SET\s+TBLPROPERTIES)\s*\((.*)\)\s*;?\s*",
    re.IGNORECASE | re.DOTALL,
)
_SHOW = re.compile(
    rf"SHOW\s+(DATABASES|SCHEMAS|TABLES)(?:\s+(?:IN|FROM)\s+{_NAME})?(?:\s+(?:LIKE\s+)?'([^']*)')?\s*;?\s*",
    re.IGNORECASE,
)


def is_ddl(sql: str) -> bool:
    return sql.lstrip().upper().startswith(_WORDS)


def run_ddl(sql: str, catalog: Catalog, *, database: str, now: datetime) -> Lines:
    """Carry out one statement.

    Raises: QueryFailed, also for what the sandbox does not model.
    """
    text = sql.strip()
    if match := _DATABASE.fullmatch(text):
        verb, guard, name = match.groups()
        if verb.upper() == "CREATE":
            catalog.create_database(name.lower(), if_not_exists=guard is not None)
        else:
            catalog.drop_database(name.lower(), if_exists=guard is not None)
        return Lines()
    if match := _DROP_TABLE.fullmatch(text):
        guard, of, name = match.groups()
        catalog.drop_table((of or database).lower(), name.lower(), if_exists=guard is not None)
        return Lines()
    if match := _SHOW.fullmatch(text):
        what, of, pattern = match.groups()
        found = catalog.databases()
        if what.upper() == "TABLES":
            found = [table.name for table in catalog.tables((of or database).lower())]
        fits = re.compile((pattern or "*").replace("*", ".*"), re.IGNORECASE)
        title = "tab_name" if what.upper() == "TABLES" else "database_name"
        return Lines(columns=(title,), lines=tuple(filter(fits.fullmatch, found)))
    if shown := describe(text, catalog, database=database):
        return shown
    if match := _ALTER.fullmatch(text):
        of, name, what, given = match.groups()
        table = catalog.table((of or database).lower(), name.lower())
        add = what.upper().startswith("ADD")
        catalog.replace_table(_with_columns(table, given) if add else _with_properties(table, given))
        return Lines()
    create = _parse_create(text)
    table = _definition(create, database=database, now=now)
    catalog.create_table(table, if_not_exists=bool(create.args.get("exists")))
    return Lines()


def _parse_create(text: str) -> exp.Create:
    try:
        statement = sqlglot.parse_one(text, read=DIALECT)
    except SqlglotError as error:
        raise QueryFailed(f"FAILED: ParseException {error}") from error
    if (
        isinstance(statement, exp.Create)
        and statement.kind == "TABLE"
        and statement.find(exp.ExternalProperty)
    ):
        return statement
    raise QueryFailed(f"{text[:60]} … is not modelled by the deployctl sandbox")


def _definition(create: exp.Create, *, database: str, now: datetime) -> TableDefinition:
    location, parquet = create.find(exp.LocationProperty), create.find(exp.FileFormatProperty)
    if location is None or parquet is None or parquet.this.name.upper() != "PARQUET":
        raise QueryFailed("an external table needs LOCATION and STORED AS PARQUET")
    table = create.this.this
    partitions = create.find(exp.PartitionedByProperty)
    partition = _partition(partitions)
    properties = _properties(create)
    return TableDefinition(
        database=(table.db or database).lower(),
        name=table.name.lower(),
        columns=_columns(create.this),
        partition=partition,
        projection=_projection(partition, properties),
        location=_address(location.this.name),
        template=properties.get("storage.location.template") or _hive_template(location.this.name, partition),
        properties=properties,
        created_at=now,
    )


def _with_columns(table: TableDefinition, given: str) -> TableDefinition:
    """The table with these columns after its own."""
    added = _columns(
        _parse_create(f"CREATE EXTERNAL TABLE t ({given}) STORED AS PARQUET LOCATION 's3://b/'").this
    )
    taken = sorted(added.keys() & {*table.columns, table.partition})
    if taken:
        raise QueryFailed(f"FAILED: SemanticException Duplicate column name: {', '.join(taken)}")
    return replace(table, columns={**table.columns, **added})


def _with_properties(table: TableDefinition, given: str) -> TableDefinition:
    """The table with these properties changed, and its partitions projected by them."""
    statement = (
        f"CREATE EXTERNAL TABLE t (a int) STORED AS PARQUET LOCATION 's3://b/' TBLPROPERTIES ({given})"
    )
    properties = {**table.properties, **_properties(_parse_create(statement))}
    return replace(
        table,
        properties=properties,
        projection=_projection(table.partition, properties),
        template=properties.get("storage.location.template")
        or _hive_template(table.location, table.partition),
    )


def _properties(create: exp.Create) -> dict[str, str]:
    return {
        found.name: found.args["value"].name
        for found in create.find_all(exp.Property)
        if found.args.get("value") is not None
    }


def _columns(schema: exp.Expr) -> dict[str, str]:
    columns = {c.name.lower(): c.kind.sql(dialect="hive").lower() for c in schema.expressions}
    unknown = {name: kind for name, kind in columns.items() if sql_from_hive(kind) is None}
    if unknown or not columns:
        raise QueryFailed(f"columns of these types are not modelled by the deployctl sandbox: {unknown}")
    return columns


def _partition(partitions: exp.Expr | None) -> str | None:
    if partitions is None:
        return None
    columns = _columns(partitions.this)
    if list(columns.values()) != ["string"]:
        raise QueryFailed("partitions other than one string column are not modelled by the deployctl sandbox")
    return next(iter(columns))


def _projection(partition: str | None, properties: dict[str, str]) -> DateProjection | None:
    if partition is None:
        return None
    if properties.get("projection.enabled") != "true":
        raise QueryFailed("partitions without projection are not modelled by the deployctl sandbox")
    template = properties.get("storage.location.template")
    if template is not None and f"${{{partition}}}" not in template:
        raise QueryFailed(f"INVALID_TABLE_PROPERTY: the location template lacks ${{{partition}}}")
    try:
        return date_projection(partition, properties)
    except QueryFailed as error:
        raise QueryFailed(f"INVALID_TABLE_PROPERTY: {error}") from error


def _hive_template(location: str, partition: str | None) -> str | None:
    """Without a template, partitions lie where Hive would put them."""
    if partition is None:
        return None
    return f"{location.rstrip('/')}/{partition}=${{{partition}}}/"


def _address(location: str) -> str:
    try:
        split_uri(location)
    except ValueError as error:
        raise QueryFailed(str(error)) from error
    return location
