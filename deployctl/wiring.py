"""Chooses the adapters: settings in, ports out."""

import os
from collections.abc import Callable, Sequence
from typing import Any

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


def connect(settings: Settings, *, watches: bool = False, warn: Callable[[str], None] | None = None) -> Ports:
    """The ports to the AWS account of the settings and the environment. Sends no request yet.

    `watches`: the command reads the fleet every few seconds, and only samples go to the lake. `warn` gets the warning
    of a clock that is wrong.
    """
    calls = CallCounter()
    aws = _open(settings.region, calls, clock=SystemClock(warn))
    bucket = S3Bucket(aws, settings.bucket)
    lake: Lake = S3Lake(bucket)
    if watches and settings.engine is Engine.DUCKDB:
        lake = SamplingLake(lake, aws.clock)

    def history() -> QueryEngine:
        # A forecast does without history rather than wait.
        workgroup, retry = settings.history_workgroup, RetryPolicy(throttled_s=10, failing_s=5)
        return _query_engine(settings, calls, lake, workgroup, retry=retry, time_limit_s=30.0)

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
        engine=LazyEngine(lambda: _query_engine(settings, calls, lake, settings.workgroup)),
        history=LazyEngine(history),
        calls=calls.snapshot,
        throttled=aws.throttled,
    )


class LazyEngine:
    """Loads the engine with the first query: PyAthena and DuckDB import slowly, and a release needs neither."""

    def __init__(self, make: Callable[[], QueryEngine]) -> None:
        self._make = make

    def run(self, sql: str, parameters: Sequence[str | int] = ()) -> QueryResult:
        return self._make().run(sql, parameters)


#: DuckDB can answer instead of Athena, so the retries end early.
_SHORT_RETRY = RetryPolicy(throttled_s=60, failing_s=30)


def history_engine(settings: Settings, *, instead: str) -> QueryEngine:
    """The engine for the fleet's history; `instead` is the command that runs the same query on DuckDB."""
    calls = CallCounter()
    lake = S3Lake(S3Bucket(_open(settings.region, calls), settings.bucket))
    return _query_engine(settings, calls, lake, settings.history_workgroup, instead=instead)


def _query_engine(
    settings: Settings,
    calls: CallCounter,
    lake: Lake,
    workgroup: str,
    *,
    retry: RetryPolicy = _SHORT_RETRY,
    **options: Any,
) -> QueryEngine:
    if settings.engine is Engine.DUCKDB:
        from deployctl.lake.duckdb_engine import DuckEngine  # noqa: PLC0415 - slow to import

        return DuckEngine(lake)
    from deployctl.aws.athena import AthenaEngine  # noqa: PLC0415 - slow to import

    aws = _open(settings.region, calls, retry=retry)
    return AthenaEngine(aws, workgroup=workgroup, database=settings.database, **options)


def check_athena(settings: Settings) -> tuple[SetupCheck, ...]:
    """Check the database, tables and workgroups. Raises: as Athena's adapter does."""
    from deployctl.aws.athena_check import check  # noqa: PLC0415 - it loads PyAthena

    return check(_open(settings.region, CallCounter()), **_athena_names(settings))


def set_up_athena(settings: Settings) -> tuple[str, ...]:
    """Create what is missing; the names of what was created. Raises: as Athena's adapter does."""
    from deployctl.aws.athena_setup import set_up  # noqa: PLC0415 - it loads PyAthena

    return set_up(_open(settings.region, CallCounter()), **_athena_names(settings))


def _athena_names(settings: Settings) -> dict[str, str]:
    return {
        "bucket": settings.bucket,
        "database": settings.database,
        "workgroup": settings.workgroup,
        "history_workgroup": settings.history_workgroup,
    }


def system_clock() -> Clock:
    return SystemClock()


def discover() -> AwsDiscovery:
    """The AWS account for `init`."""
    return AwsDiscovery(lambda region: _open(region, CallCounter()))


def _open(
    region: str, calls: CallCounter, *, clock: Clock | None = None, retry: RetryPolicy | None = None
) -> Aws:
    profile = os.environ.get("AWS_PROFILE") or None
    return Aws(region=region, profile=profile, calls=calls, clock=clock or SystemClock(), retry=retry)
