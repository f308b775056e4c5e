"""Reads workgroups, the database and its tables from Athena."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from deployctl.aws.error_translation import translating
from deployctl.aws.session import Aws
from deployctl.lake.table_diff import TableFacts

CATALOG = "AwsDataCatalog"
#: The settings that every reconciliation workgroup must have.
LIMITS = ("BytesScannedCutoffPerQuery", "EnforceWorkGroupConfiguration")


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkgroupFacts:
    """`configuration` is in the API's shape."""

    is_enabled: bool
    configuration: Mapping[str, Any]

    @property
    def keeps_results(self) -> bool:
        """Whether a query without a location of its own has one for its results."""
        managed = self.configuration.get("ManagedQueryResultsConfiguration", {}).get("Enabled", False)
        return bool(managed or self.configuration.get("ResultConfiguration", {}).get("OutputLocation"))

    @property
    def engine_version(self) -> str:
        """Such as "Athena engine version 3"; empty if unknown."""
        return str(self.configuration.get("EngineVersion", {}).get("EffectiveEngineVersion", ""))


def read_workgroup(aws: Aws, name: str) -> WorkgroupFacts | None:
    """None when the workgroup does not exist."""
    with translating("athena:GetWorkGroup", noun=name):
        try:
            found = aws.athena.get_work_group(WorkGroup=name)["WorkGroup"]
        except aws.athena.exceptions.InvalidRequestException:
            # Athena has no more specific code for a missing workgroup.
            return None
    enabled = found.get("State", "ENABLED") == "ENABLED"
    return WorkgroupFacts(is_enabled=enabled, configuration=found.get("Configuration", {}))


def has_database(aws: Aws, database: str) -> bool:
    with translating("athena:GetDatabase", noun=database):
        try:
            aws.athena.get_database(CatalogName=CATALOG, DatabaseName=database)
        except aws.athena.exceptions.MetadataException:
            return False
    return True


def read_table(aws: Aws, database: str, table: str) -> TableFacts | None:
    """None when the table or the database does not exist."""
    with translating("athena:GetTableMetadata", noun=f"{database}.{table}"):
        try:
            answer = aws.athena.get_table_metadata(
                CatalogName=CATALOG, DatabaseName=database, TableName=table
            )
        except aws.athena.exceptions.MetadataException:
            return None
    found: Mapping[str, Any] = answer["TableMetadata"]
    parameters = found.get("Parameters", {})
    return TableFacts(
        columns=_types(found.get("Columns", [])),
        partitions=_types(found.get("PartitionKeys", [])),
        properties=parameters,
        location=parameters.get("location"),
    )


def _types(columns: list[Mapping[str, str]]) -> dict[str, str]:
    return {column["Name"]: column.get("Type", "") for column in columns}
