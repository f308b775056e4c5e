"""Rows that a statement writes to S3: CREATE TABLE AS, INSERT and UNLOAD."""

import io
from datetime import datetime

import pyarrow as pa
import pyarrow.parquet as pq

from deployctl.lake.duckdb_query import arrow_type
from deployctl.sandbox.athena.arrow_types import ZONED, hive_name
from deployctl.sandbox.athena.catalog import Catalog, TableDefinition
from deployctl.sandbox.athena.execution import Execution
from deployctl.sandbox.athena.query_failed import QueryFailed
from deployctl.sandbox.athena.runner import Answer
from deployctl.sandbox.s3 import S3Objects, split_uri


def write(
    execution: Execution, answer: Answer, catalog: Catalog, objects: S3Objects, *, now: datetime
) -> None:
    """Write the rows, the manifest of the objects, and the new table. Callers hold the world's lock.

    Raises: QueryFailed; KeyError when there is no such bucket.
    """
    statement = execution.statement
    if statement.creates is not None and statement.if_not_exists:
        database = statement.creates.database or execution.database
        if statement.creates.name in (table.name for table in catalog.tables(database)):
            return
    if ZONED in answer.types:
        raise QueryFailed(f"NOT_SUPPORTED: Unsupported Hive type: {ZONED}")
    if statement.inserts_into is not None:
        into = catalog.table(
            statement.inserts_into.database or execution.database, statement.inserts_into.name
        )
        rows, location = _as_declared(answer.rows, into), into.location
    else:
        rows, location = answer.rows, _location(execution, objects)
    table = _new_table(execution, answer, location, now)
    if table is not None:
        catalog.create_table(table, if_not_exists=False)
    written = []
    if statement.with_data and rows.num_rows:
        sink = io.BytesIO()
        pq.write_table(rows, sink)
        written.append(f"{location.rstrip('/')}/{execution.query_id}")
        objects.write(*split_uri(written[0]), sink.getvalue())
    if execution.output is not None:
        execution.manifest = f"{execution.output.rpartition('/')[0]}/{execution.query_id}-manifest.csv"
        objects.write(*split_uri(execution.manifest), "".join(f"{uri}\n" for uri in written).encode())


def _as_declared(rows: pa.Table, table: TableDefinition) -> pa.Table:
    """An INSERT's columns take the names and the types of the table's, in order."""
    if table.partition is not None:
        raise QueryFailed("INSERT into a partitioned table is not modelled by the deployctl sandbox")
    kinds = table.sql_columns
    try:
        names = rows.rename_columns(list(kinds))
        return names.cast(pa.schema([(name, arrow_type(kind)) for name, kind in kinds.items()]))
    except pa.ArrowInvalid as error:
        raise QueryFailed("TYPE_MISMATCH: Insert query has mismatched column types") from error


def _location(execution: Execution, objects: S3Objects) -> str:
    """Where CREATE TABLE AS and UNLOAD write."""
    statement = execution.statement
    if statement.location is None and execution.output is None:
        raise QueryFailed("An external_location is needed where Athena manages the results of queries.")
    if statement.location is None:
        return f"{str(execution.output).rpartition('/')[0]}/tables/{execution.query_id}/"
    bucket, prefix = split_uri(statement.location)
    if objects.keys(bucket, prefix.rstrip("/") + "/"):
        raise QueryFailed(f"HIVE_PATH_ALREADY_EXISTS: Target directory already exists: {statement.location}")
    return statement.location


def _new_table(execution: Execution, answer: Answer, location: str, now: datetime) -> TableDefinition | None:
    created = execution.statement.creates
    if created is None:
        return None
    return TableDefinition(
        database=created.database or execution.database,
        name=created.name,
        columns={column.name.lower(): hive_name(column.type) for column in answer.rows.schema},
        partition=None,
        projection=None,
        location=location,
        template=None,
        properties={"parquet.compression": "GZIP"},
        created_at=now,
    )
