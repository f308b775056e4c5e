"""What Athena needs before the first query: statements and workgroups, as values."""

from collections.abc import Mapping
from typing import Any, Final

from deployctl.assets import ddl
from deployctl.lake.schema import ROOT_PREFIX, TABLES

#: Athena's minimum, for the limit and for billing. Athena stops a reconcile that would scan more.
RECONCILE_CUTOFF_BYTES: Final = 10_000_000
#: For days and weeks of history.
HISTORY_CUTOFF_BYTES: Final = 1_000_000_000


def lake_location(bucket: str) -> str:
    """The lake's root as Athena names it."""
    return f"s3://{bucket}/{ROOT_PREFIX}"


def create_database(database: str) -> str:
    return _filled_in(ddl("database"), database=database, location="")


def create_tables(database: str, location: str) -> dict[str, str]:
    """The CREATE EXTERNAL TABLE of each of the lake's tables; `location` is the lake's root."""
    return {name: _filled_in(ddl(name), database=database, location=location) for name in TABLES}


def add_columns(database: str, table: str, columns: Mapping[str, str]) -> str:
    """Add columns at the end; `columns` are names with Hive's types."""
    listed = ", ".join(f"`{name}` {kind}" for name, kind in columns.items())
    return f"ALTER TABLE `{database}`.`{table}` ADD COLUMNS ({listed})"


def set_properties(database: str, table: str, properties: Mapping[str, str]) -> str:
    listed = ", ".join(f"'{name}' = '{value}'" for name, value in properties.items())
    return f"ALTER TABLE `{database}`.`{table}` SET TBLPROPERTIES ({listed})"


def drop_table(database: str, table: str) -> str:
    return f"DROP TABLE IF EXISTS `{database}`.`{table}`"


def workgroups(reconcile: str, history: str) -> Mapping[str, Mapping[str, Any]]:
    """The configuration of both workgroups, as CreateWorkGroup takes it."""
    return {
        reconcile: _workgroup(RECONCILE_CUTOFF_BYTES),
        history: _workgroup(HISTORY_CUTOFF_BYTES),
    }


def _workgroup(cutoff_bytes: int) -> dict[str, Any]:
    """Athena keeps the results itself for a day: no results bucket is needed."""
    return {
        "EnforceWorkGroupConfiguration": True,
        "BytesScannedCutoffPerQuery": cutoff_bytes,
        "ManagedQueryResultsConfiguration": {"Enabled": True},
        "PublishCloudWatchMetricsEnabled": False,
    }


def _filled_in(text: str, *, database: str, location: str) -> str:
    """Athena's DDL goes to Hive's parser, so comments are left out."""
    lines = [line for line in text.splitlines() if not line.startswith("--")]
    return "\n".join(lines).strip().replace("{database}", database).replace("{location}", location)
