"""Creates what reconciliation and history need in Athena: two workgroups, the database and its tables."""

from collections.abc import Iterator, Mapping
from typing import Any, cast

from deployctl.aws.athena import AthenaEngine
from deployctl.aws.athena_catalog import LIMITS, WorkgroupFacts, has_database, read_table, read_workgroup
from deployctl.aws.error_translation import translating
from deployctl.aws.session import Aws
from deployctl.errors import UsageError
from deployctl.lake import ddl, table_diff
from deployctl.model.text import count

#: Athena's default workgroup.
SHARED = "primary"
_RESULTS = {"ManagedQueryResultsConfigurationUpdates": {"Enabled": True}}


class PrimaryWorkgroupNotLimited(UsageError, code="primary-workgroup-not-limited"):
    """The workgroup `primary` is shared, so deployctl sets no scan limit on it."""

    def __init__(self, name: str) -> None:
        super().__init__(
            f"workgroup {name!r} is shared; deployctl will not set a scan limit on it",
            noun=name,
            remedy='set workgroup = "deployctl" in deployctl.toml, then deployctl athena setup',
        )


class TableLocationMismatch(UsageError, code="table-location-mismatch"):
    """A table of this name belongs to another lake, so deployctl leaves it unchanged."""

    def __init__(self, table: str, *, there: str, wanted: str) -> None:
        super().__init__(
            f"table {table} reads {there}, not {wanted}: another bucket's lake uses this database",
            noun=table,
            remedy="set database = … in deployctl.toml to one of this lake's own, then deployctl athena setup",
        )


def set_up(
    aws: Aws, *, bucket: str, database: str, workgroup: str, history_workgroup: str
) -> tuple[str, ...]:
    """Create or correct the setup; returns what changed, such as "workgroup deployctl". Safe to run again.

    An existing workgroup gets a location for results if it has none, the reconciliation's also its limits; its
    other settings stay. An existing table gets its missing columns and properties. A table whose columns have
    other types is recreated: its rows are on S3, so nothing is lost.
    Raises: PrimaryWorkgroupNotLimited, TableLocationMismatch; as AthenaEngine.run does.
    """
    changed = _workgroups(aws, workgroup, history_workgroup)
    # DDL scans nothing, and IAM may allow only reconciliation in the other workgroup.
    engine = AthenaEngine(aws, workgroup=history_workgroup, database="default")
    if not has_database(aws, database):
        engine.run(ddl.create_database(database))
        changed.append(f"database {database}")
    location = ddl.lake_location(bucket)
    for name, create in ddl.create_tables(database, location).items():
        for what, statement in _statements(aws, database, name, create, location):
            engine.run(statement)
            if what is not None:
                changed.append(what)
    return tuple(changed)


def _statements(
    aws: Aws, database: str, name: str, create: str, location: str
) -> Iterator[tuple[str | None, str]]:
    """The statements that create or correct one table, each with its result. Raises: TableLocationMismatch."""
    table = f"{database}.{name}"
    there, wanted = read_table(aws, database, name), table_diff.wanted(name, location)
    if there is None:
        yield f"table {table}", create
        return
    lacks = table_diff.diff_tables(there, wanted)
    if lacks.elsewhere is not None:
        raise TableLocationMismatch(table, there=lacks.elsewhere, wanted=wanted.location or location)
    if lacks.needs_recreate:
        yield None, ddl.drop_table(database, name)
        yield f"table {table}", create
        return
    if lacks.missing:
        yield (
            f"{count(len(lacks.missing), 'column')} of table {table}",
            ddl.add_columns(database, name, lacks.missing),
        )
    if lacks.properties:
        yield f"properties of table {table}", ddl.set_properties(database, name, lacks.properties)


def _workgroups(aws: Aws, reconcile: str, history: str) -> list[str]:
    changed = []
    for name, wanted in ddl.workgroups(reconcile, history).items():
        there = read_workgroup(aws, name)
        if there is None:
            with translating("athena:CreateWorkGroup", noun=name):
                aws.athena.create_work_group(
                    Name=name,
                    Configuration=cast("Any", wanted),
                    Description="deployctl: reconciliation and history",
                )
            changed.append(f"workgroup {name}")
        elif name == reconcile and (changes := _limits_to_change(there, wanted)):
            _change_workgroup(aws, name, changes)
            changed.append(f"scan limit of workgroup {name}")
        elif not there.keeps_results:
            _change_workgroup(aws, name, _RESULTS)
            changed.append(f"results of workgroup {name}")
    return changed


def _change_workgroup(aws: Aws, name: str, changes: Mapping[str, Any]) -> None:
    """Raises: PrimaryWorkgroupNotLimited."""
    if name == SHARED:
        raise PrimaryWorkgroupNotLimited(name)
    with translating("athena:UpdateWorkGroup", noun=name):
        aws.athena.update_work_group(WorkGroup=name, ConfigurationUpdates=cast("Any", changes))


def _limits_to_change(there: WorkgroupFacts, wanted: Mapping[str, Any]) -> dict[str, Any]:
    """The changes for UpdateWorkGroup; empty when the limits are set."""
    changes = {key: wanted[key] for key in LIMITS if there.configuration.get(key) != wanted[key]}
    # With enforced settings, a query cannot set its own location for results.
    return {**changes, **_RESULTS} if changes and not there.keeps_results else changes
