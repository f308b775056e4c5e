"""Checks the Athena setup that deployctl needs. Changes nothing."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from deployctl.aws.athena_catalog import LIMITS, WorkgroupFacts, has_database, read_table, read_workgroup
from deployctl.aws.athena_setup import SHARED
from deployctl.aws.session import Aws
from deployctl.lake import ddl, table_diff
from deployctl.lake.schema import TABLES
from deployctl.lake.table_diff import TableDifference
from deployctl.model.command import shell_command
from deployctl.model.setup_check import SetupCheck

_SETUP = "deployctl athena setup"
_UPDATE = ("aws", "athena", "update-work-group", "--work-group")
_OWN_WORKGROUP = 'set workgroup = "deployctl" in deployctl.toml, then deployctl athena setup'
_OWN_DATABASE = "set database = … in deployctl.toml to one of this lake's own, then deployctl athena setup"
#: The SQL needs functions that engine 2 lacks.
LEAST_ENGINE = 3


def check(
    aws: Aws, *, bucket: str, database: str, workgroup: str, history_workgroup: str
) -> tuple[SetupCheck, ...]:
    """One check each for both workgroups, the database and every table. Raises: see error_translation."""
    groups = [
        _workgroup(read_workgroup(aws, name), name, wanted if name == workgroup else None)
        for name, wanted in ddl.workgroups(workgroup, history_workgroup).items()
    ]
    noun = f"database {database}"
    if not has_database(aws, database):
        return (*groups, SetupCheck(noun=noun, wrong="does not exist", remedy=_SETUP))
    location = ddl.lake_location(bucket)
    tables = [_table(aws, database, name, location) for name in TABLES]
    return (*groups, SetupCheck(noun=noun), *tables)


def _workgroup(there: WorkgroupFacts | None, name: str, limits: Mapping[str, Any] | None) -> SetupCheck:
    """`limits` are the required settings; None leaves them to the workgroup's owner."""
    noun = f"workgroup {name}"
    if there is None:
        return SetupCheck(noun=noun, wrong="does not exist", remedy=_SETUP)
    if not there.is_enabled:
        enable = shell_command(*_UPDATE, name, "--state", "ENABLED")
        return SetupCheck(noun=noun, wrong="is disabled", remedy=enable)
    setup = _OWN_WORKGROUP if name == SHARED else _SETUP
    if limits and (wrong := "; ".join(_limits(there.configuration, limits))):
        return SetupCheck(noun=noun, wrong=wrong, remedy=setup)
    if not there.keeps_results:
        return SetupCheck(noun=noun, wrong="has no location for results", remedy=setup)
    version = re.search(r"\d+$", there.engine_version)
    if version is not None and int(version[0]) < LEAST_ENGINE:
        newest = ("--configuration-updates", "EngineVersion={SelectedEngineVersion=AUTO}")
        upgrade = shell_command(*_UPDATE, name, *newest)
        return SetupCheck(noun=noun, wrong=f"runs {there.engine_version}, older than 3", remedy=upgrade)
    return SetupCheck(noun=noun)


def _limits(there: Mapping[str, Any], wanted: Mapping[str, Any]) -> Iterator[str]:
    cutoff, enforce = LIMITS
    has = there.get(cutoff)
    if has != wanted[cutoff]:
        scans = "any number of bytes" if has is None else f"{has:,} bytes"
        yield f"lets a query scan {scans}, not {wanted[cutoff]:,}"
    if there.get(enforce) != wanted[enforce]:
        yield "does not enforce its settings, so clients may exceed the scan limit"


def _table(aws: Aws, database: str, name: str, location: str) -> SetupCheck:
    noun = f"table {database}.{name}"
    there, wanted = read_table(aws, database, name), table_diff.wanted(name, location)
    if there is None:
        return SetupCheck(noun=noun, wrong="does not exist", remedy=_SETUP)
    lacks = table_diff.diff_tables(there, wanted)
    if lacks.elsewhere is not None:
        wrong = f"reads {lacks.elsewhere}, not {wanted.location}"
        return SetupCheck(noun=noun, wrong=wrong, remedy=_OWN_DATABASE)
    if lacks.is_empty:
        return SetupCheck(noun=noun)
    return SetupCheck(noun=noun, wrong="; ".join(_lacks(lacks, wanted.columns)), remedy=_SETUP)


def _lacks(lacks: TableDifference, columns: Mapping[str, str]) -> Iterator[str]:
    if lacks.missing:
        yield f"lacks {_listed(lacks.missing)}"
    for name, kind in lacks.retyped.items():
        yield f"has {name} as {kind}, not {columns[name]}"
    if lacks.partitions is not None:
        yield f"is partitioned by {_listed(lacks.partitions) if lacks.partitions else 'nothing'}"
    if lacks.properties:
        yield f"has wrong properties: {_listed(lacks.properties)}"


def _listed(names: Mapping[str, str]) -> str:
    return ", ".join(names)
