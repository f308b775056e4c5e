"""The only place that chooses adapters: settings in, ports out."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence

from deployctl.aws.alarms import CloudWatchAlarms
from deployctl.aws.artifacts import S3Artifacts
from deployctl.aws.call_counter import CallCounter
from deployctl.aws.clock import SystemClock
from deployctl.aws.codedeploy import CodeDeployDeployments
from deployctl.aws.discovery import AwsDiscovery
from deployctl.aws.fleet import AwsFleet
from deployctl.aws.journal import S3Journal
from deployctl.aws.lake import S3Lake
from deployctl.aws.lease import S3Lease
from deployctl.aws.retry import RetryPolicy
from deployctl.aws.s3 import S3Bucket
from deployctl.aws.scaling import AwsScaling
from deployctl.aws.session import Aws
from deployctl.aws.state_store import S3StateStore
from deployctl.aws.tags import Ec2Tags
from deployctl.config.settings import Engine, Settings
from deployctl.lake.sampling_lake import SamplingLake
from deployctl.model.setup_check import SetupCheck
from deployctl.ports import Clock, Lake, Ports, QueryEngine, QueryResult


def connect(settings: Settings, *, watches: bool = False) -> Ports:
    """The ports onto the account that the settings and the environment name. Sends nothing yet.

    `watches`: the fleet is looked at every few seconds; not every look needs to be in the lake.
    """
    calls = CallCounter()
    aws = _open(settings.region, calls)
    bucket = S3Bucket(aws, settings.bucket)
    lake: Lake = S3Lake(bucket)
    if watches and settings.engine is Engine.DUCKDB:
        lake = SamplingLake(lake, aws.clock)
    return Ports(
        clock=aws.clock,
        artifacts=S3Artifacts(bucket),
        deployments=CodeDeployDeployments(aws),
        fleet=AwsFleet(aws),
        tags=Ec2Tags(aws),
        lake=lake,
        states=S3StateStore(bucket),
        journal=S3Journal(bucket, settings.application),
        lease=S3Lease(bucket, settings.application),
        scaling=AwsScaling(aws),
        alarms=CloudWatchAlarms(aws),
        engine=LazyEngine(lambda: _engine(settings, calls, lake)),
        history=LazyEngine(lambda: _history(settings, calls, lake)),
        calls=calls.snapshot,
        throttled=aws.throttled,
    )


class LazyEngine:
    """Loads its engine with the first query: a release asks none, and PyAthena and DuckDB take long to import."""

    def __init__(self, make: Callable[[], QueryEngine]) -> None:
        self._make = make

    def run(self, sql: str, parameters: Sequence[str | int] = ()) -> QueryResult:
        return self._make().run(sql, parameters)


#: Athena has a twin in this process, so it is not waited for as long as what has none.
_IMPATIENT = RetryPolicy(throttled_s=60, failing_s=30)


def _engine(settings: Settings, calls: CallCounter, lake: Lake) -> QueryEngine:
    if settings.engine is Engine.DUCKDB:
        return _duckdb(lake)
    from deployctl.aws.athena import AthenaEngine  # noqa: PLC0415

    aws = _open(settings.region, calls, retry=_IMPATIENT)
    return AthenaEngine(aws, workgroup=settings.workgroup, database=settings.database)


def _duckdb(lake: Lake) -> QueryEngine:
    from deployctl.lake.duckdb_engine import DuckEngine  # noqa: PLC0415

    return DuckEngine(lake)


# Whoever looks ahead would rather know less than wait.
_HISTORY_LIMIT_S = 30.0
_HASTY = RetryPolicy(throttled_s=10, failing_s=5)


def _history(settings: Settings, calls: CallCounter, lake: Lake) -> QueryEngine:
    if settings.engine is Engine.DUCKDB:
        return _duckdb(lake)
    aws = _open(settings.region, calls, retry=_HASTY)
    from deployctl.aws.athena import AthenaEngine  # noqa: PLC0415

    return AthenaEngine(
        aws,
        workgroup=settings.history_workgroup,
        database=settings.database,
        time_limit_s=_HISTORY_LIMIT_S,
    )


def history_engine(settings: Settings, *, instead: str) -> QueryEngine:
    """Who answers a question over days and weeks; `instead` is the command that asks DuckDB the same."""
    aws = _open(settings.region, CallCounter(), retry=_IMPATIENT)
    if settings.engine is Engine.DUCKDB:
        return _duckdb(S3Lake(S3Bucket(aws, settings.bucket)))
    from deployctl.aws.athena import AthenaEngine  # noqa: PLC0415

    return AthenaEngine(
        aws, workgroup=settings.history_workgroup, database=settings.database, instead=instead
    )


def check_athena(settings: Settings) -> tuple[SetupCheck, ...]:
    """Whether Athena is as deployctl needs it. Raises: as Athena's adapter does."""
    from deployctl.aws.athena_check import check  # noqa: PLC0415 - it loads PyAthena

    return check(
        _open(settings.region, CallCounter()),
        bucket=settings.bucket,
        database=settings.database,
        workgroup=settings.workgroup,
        history_workgroup=settings.history_workgroup,
    )


def set_up_athena(settings: Settings) -> tuple[str, ...]:
    """Make the database, tables and workgroups; what was made. Raises: as Athena's adapter does."""
    from deployctl.aws.athena_setup import set_up  # noqa: PLC0415 - it loads PyAthena

    return set_up(
        _open(settings.region, CallCounter()),
        bucket=settings.bucket,
        database=settings.database,
        workgroup=settings.workgroup,
        history_workgroup=settings.history_workgroup,
    )


def system_clock() -> Clock:
    return SystemClock()


def discover() -> AwsDiscovery:
    """The account as `init` asks about it."""
    return AwsDiscovery(lambda region: _open(region, CallCounter()))


def _open(region: str, calls: CallCounter, *, retry: RetryPolicy | None = None) -> Aws:
    profile = os.environ.get("AWS_PROFILE") or None
    return Aws(region=region, profile=profile, calls=calls, clock=SystemClock(), retry=retry)
