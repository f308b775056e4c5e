"""Makes what reconciliation needs in Athena: two workgroups, the database and its tables."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

from botocore.exceptions import ClientError

from deployctl.aws.athena import AthenaEngine
from deployctl.aws.errors import code_of, translated
from deployctl.aws.session import Aws
from deployctl.lake import ddl
from deployctl.lake.schema import TABLES, sql_columns

CATALOG = "AwsDataCatalog"
#: Hive's name of each of the lake's types.
_HIVE = {"varchar": "string", "bigint": "bigint", "boolean": "boolean", "timestamp": "timestamp"}


def set_up(
    aws: Aws, *, bucket: str, database: str, workgroup: str, history_workgroup: str
) -> tuple[str, ...]:
    """What was made, such as "workgroup deployctl"; nothing where all is there. Safe to run again.

    A workgroup that is there stays as it is. A table with other columns than the lake's is made anew: its
    rows lie on S3, so nothing is lost.
    Raises: as AthenaEngine.run does, and aws.errors.
    """
    made = _workgroups(aws, workgroup, history_workgroup)
    # Statements scan nothing, and the reconciliation's workgroup may be kept for reconciling.
    engine = AthenaEngine(aws.boto, workgroup=history_workgroup, database="default", config=aws.config())
    if not _has_database(aws, database):
        engine.run(ddl.create_database(database))
        made.append(f"database {database}")
    for name, statement in ddl.create_tables(database, ddl.lake_location(bucket)).items():
        there = _columns_there(aws, database, name)
        if there == _columns_wanted(name):
            continue
        if there is not None:
            engine.run(ddl.drop_table(database, name))
        engine.run(statement)
        made.append(f"table {database}.{name}")
    return tuple(made)


def _workgroups(aws: Aws, reconcile: str, history: str) -> list[str]:
    made = []
    for name, configuration in ddl.workgroups(reconcile, history).items():
        if _has_workgroup(aws, name):
            continue
        with translated("athena:CreateWorkGroup", noun=name):
            aws.athena.create_work_group(
                Name=name,
                Configuration=cast("Any", configuration),
                Description="deployctl: reconciliation and history",
            )
        made.append(f"workgroup {name}")
    return made


def _has_workgroup(aws: Aws, name: str) -> bool:
    with translated("athena:GetWorkGroup", noun=name):
        try:
            aws.athena.get_work_group(WorkGroup=name)
        except ClientError as error:
            # Athena has no better code for a workgroup that is not there.
            if code_of(error) != "InvalidRequestException":
                raise
            return False
    return True


def _has_database(aws: Aws, database: str) -> bool:
    with translated("athena:GetDatabase", noun=database):
        try:
            aws.athena.get_database(CatalogName=CATALOG, DatabaseName=database)
        except ClientError as error:
            if code_of(error) != "MetadataException":
                raise
            return False
    return True


def _columns_there(aws: Aws, database: str, table: str) -> dict[str, str] | None:
    with translated("athena:GetTableMetadata", noun=f"{database}.{table}"):
        try:
            answer = aws.athena.get_table_metadata(
                CatalogName=CATALOG, DatabaseName=database, TableName=table
            )
        except ClientError as error:
            if code_of(error) != "MetadataException":
                raise
            return None
    return {column["Name"]: column.get("Type", "") for column in answer["TableMetadata"].get("Columns", [])}


def _columns_wanted(table: str) -> Mapping[str, str]:
    return {name: _HIVE[kind] for name, kind in sql_columns(TABLES[table].row).items()}
