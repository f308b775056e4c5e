"""Makes what reconciliation needs in Athena: two workgroups, the database and its tables."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

from botocore.exceptions import ClientError

from deployctl.aws.athena import AthenaEngine
from deployctl.aws.errors import code_of, translated
from deployctl.aws.session import Aws
from deployctl.errors import UsageError
from deployctl.lake import ddl
from deployctl.lake.schema import TABLES, sql_columns

CATALOG = "AwsDataCatalog"
#: What the reconciliation's workgroup promises, whoever made it.
_LIMITS = ("BytesScannedCutoffPerQuery", "EnforceWorkGroupConfiguration")
#: Hive's name of each of the lake's types.
_HIVE = {"varchar": "string", "bigint": "bigint", "boolean": "boolean", "timestamp": "timestamp"}


#: Athena's own, which everybody uses who names none.
_SHARED = "primary"


class WorkgroupShared(UsageError):
    def __init__(self, name: str) -> None:
        super().__init__(
            f"workgroup {name!r} is everybody's, so it is not limited to what a reconciliation may scan",
            noun=name,
            remedy='set workgroup = "deployctl" in deployctl.toml, then deployctl athena setup',
        )


def set_up(
    aws: Aws, *, bucket: str, database: str, workgroup: str, history_workgroup: str
) -> tuple[str, ...]:
    """What was made or changed, such as "workgroup deployctl"; nothing where all is there. Safe to run again.

    The reconciliation's workgroup gets its limits where it has others; all else of a workgroup that is there
    stays as it is. A table with other columns than the lake's is made anew: its rows lie on S3, so nothing is
    lost.
    Raises: WorkgroupShared; as AthenaEngine.run does, and aws.errors.
    """
    made = _workgroups(aws, workgroup, history_workgroup)
    # Statements scan nothing, and the reconciliation's workgroup may be kept for reconciling.
    engine = AthenaEngine(aws, workgroup=history_workgroup, database="default")
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
    for name, wanted in ddl.workgroups(reconcile, history).items():
        there = _workgroup_there(aws, name)
        if there is None:
            _make_workgroup(aws, name, wanted)
            made.append(f"workgroup {name}")
        elif name == reconcile and (changes := _limits_to_change(there, wanted)):
            _change_workgroup(aws, name, changes)
            made.append(f"scan limit of workgroup {name}")
    return made


def _make_workgroup(aws: Aws, name: str, wanted: Mapping[str, Any]) -> None:
    with translated("athena:CreateWorkGroup", noun=name):
        aws.athena.create_work_group(
            Name=name,
            Configuration=cast("Any", wanted),
            Description="deployctl: reconciliation and history",
        )


def _change_workgroup(aws: Aws, name: str, changes: Mapping[str, Any]) -> None:
    """Raises: WorkgroupShared."""
    if name == _SHARED:
        raise WorkgroupShared(name)
    with translated("athena:UpdateWorkGroup", noun=name):
        aws.athena.update_work_group(WorkGroup=name, ConfigurationUpdates=cast("Any", changes))


def _limits_to_change(there: Mapping[str, Any], wanted: Mapping[str, Any]) -> dict[str, Any]:
    """What UpdateWorkGroup is to change; nothing where the limits hold."""
    changes = {key: wanted[key] for key in _LIMITS if there.get(key) != wanted[key]}
    if changes and not _keeps_results(there):
        # Once its settings are enforced, a query cannot name a place of its own.
        changes["ManagedQueryResultsConfigurationUpdates"] = {"Enabled": True}
    return changes


def _keeps_results(there: Mapping[str, Any]) -> bool:
    managed = there.get("ManagedQueryResultsConfiguration", {}).get("Enabled", False)
    return bool(managed or there.get("ResultConfiguration", {}).get("OutputLocation"))


def _workgroup_there(aws: Aws, name: str) -> Mapping[str, Any] | None:
    """The configuration of this workgroup, None where there is none."""
    with translated("athena:GetWorkGroup", noun=name):
        try:
            found = aws.athena.get_work_group(WorkGroup=name)["WorkGroup"]
        except ClientError as error:
            # Athena has no better code for a workgroup that is not there.
            if code_of(error) != "InvalidRequestException":
                raise
            return None
    return found.get("Configuration", {})


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
