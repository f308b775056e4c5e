"""PyAthena against the sandbox's Athena: the same rows as DuckDB gives, and every way that a query can end badly."""

import logging
import os
import random
import signal
import threading
import time
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

import pytest

from deployctl.aws.athena import (
    AthenaEngine,
    AthenaQueryCancelled,
    AthenaQueryFailed,
    AthenaRefused,
    AthenaTimeout,
)
from deployctl.aws.athena_setup import PrimaryWorkgroupNotLimited, set_up
from deployctl.aws.call_counter import CallCounter
from deployctl.aws.clock import SystemClock
from deployctl.aws.lake import S3Lake
from deployctl.aws.retry import RetryPolicy
from deployctl.aws.s3 import S3Bucket
from deployctl.aws.service_errors import ServiceUnreachable
from deployctl.aws.session import Aws
from deployctl.errors import ExitCode
from deployctl.lake.duckdb_engine import DuckEngine
from deployctl.lake.parquet import encode
from deployctl.lake.queries import durations, reconcile
from deployctl.lake.schema import DEPLOYMENT_TARGETS, RELEASES, SNAPSHOTS
from deployctl.model.fleet import SnapshotRow
from deployctl.model.lake import DeploymentTargetRow, ReleaseRow
from deployctl.model.names import GroupName
from deployctl.model.query_rows import DurationStats
from deployctl.model.strategy import parse_strategy
from deployctl.sandbox.constants import BUCKET, REGION
from tests.fakes.athena_cloud import DATABASE, WORKGROUP, athena_cloud
from tests.fakes.aws_server import speak_to

ENDLESS = (
    "SELECT COUNT(*) AS n FROM UNNEST(SEQUENCE(1, 99999)) AS a (x), UNNEST(SEQUENCE(1, 999999)) AS b (y)"
)
QUICK = RetryPolicy(failing_s=1, connect_timeout_s=2, read_timeout_s=10)


@pytest.fixture(scope="module")
def cloud():
    with athena_cloud(speed=200) as cloud:
        yield cloud


@pytest.fixture
def aws(cloud, monkeypatch):
    speak_to(cloud.endpoint, monkeypatch)
    return Aws(region=REGION, profile=None, calls=CallCounter(), clock=SystemClock(), retry=QUICK)


@pytest.fixture
def lake(aws):
    return S3Lake(S3Bucket(aws, BUCKET))


@pytest.fixture
def engine(aws):
    return AthenaEngine(aws, workgroup=WORKGROUP, database=DATABASE)


def row(number, **changes):
    """Two of three are current, the third was never tagged."""
    now = datetime.now(UTC)
    tag = None if number % 3 == 2 else "v2"
    blank = dict.fromkeys(SnapshotRow.__dataclass_fields__)
    facts = {
        "application": "shop",
        "group_name": f"g-{number % 7}",
        "asg": "asg",
        "instance_id": f"i-{number:05}",
        "instance_state": "running",
        "is_spot": True,
        "is_protected": False,
        "launched_at": now - timedelta(days=1),
        "tag_version": tag,
        "desired_version": "v2",
        "desired_since": now - timedelta(minutes=30),
        "desired_verdict": "verified",
        "rollout_running": False,
        "target_of_desired": False,
    }
    return SnapshotRow(**{**blank, **facts, **changes})


@pytest.fixture
def snapshot(lake):
    """Write this many workers as a snapshot of this moment, or of an hour that is over: its id and time."""

    def snapshot(workers, *, hours_ago=0):
        at = datetime.now(UTC) - timedelta(hours=hours_ago)
        snapshot_id = f"s-{at.timestamp()}"
        rows = [row(n, snapshot_id=snapshot_id, snapshot_at=at) for n in range(workers)]
        lake.write(SNAPSHOTS.key(at, snapshot_id), encode(rows, SnapshotRow))
        return {"snapshot_id": snapshot_id, "snapshot_at": at}

    return snapshot


def test_both_engines_find_the_same(engine, lake, snapshot):
    taken = snapshot(2_345)
    by_athena = reconcile(engine, application="shop", **taken)
    by_duckdb = reconcile(DuckEngine(lake), application="shop", **taken)
    assert by_athena.workers == by_duckdb.workers
    assert len(by_athena.workers) == 2_345
    assert by_athena.drifted == 781
    assert (by_athena.engine, by_duckdb.engine) == ("athena", "duckdb")
    assert by_athena.query_id
    assert 0 < by_duckdb.bytes_scanned <= by_athena.bytes_scanned < 10_000_000


def test_both_engines_know_the_same_history(engine, lake):
    at = datetime.now(UTC)
    releases, targets = ten_releases(at)
    lake.write(RELEASES.key(at, "r"), encode(releases, ReleaseRow))
    lake.write(DEPLOYMENT_TARGETS.key(at, "r"), encode(targets, DeploymentTargetRow))
    asked = {
        "application": "shop",
        "since": at - timedelta(days=30),
        "strategies": {GroupName(f"g-{n}"): parse_strategy("half") for n in range(4)},
    }
    by_athena = durations(engine, **asked)
    assert by_athena == durations(DuckEngine(lake), **asked)
    # Of ten releases that took 61 to 70 seconds; the fourth group has another strategy.
    assert by_athena["g-0"] == DurationStats(p50_s=65.0, p95_s=70.0, releases=10)
    assert set(by_athena) == {"g-0", "g-1", "g-2"}


def ten_releases(at):
    """Ten releases of four groups with two workers each."""
    releases, targets = [], []
    for number in range(1, 11):
        for group in range(4):
            own = {
                "release_id": f"r-{number}",
                "application": "shop",
                "group_name": f"g-{group}",
                "version": f"v{number}",
            }
            releases.append(released(**own, strategy="one" if group == 3 else "half", at=at))
            targets.append(deployed(**own, began_at=at, ended_at=at + timedelta(seconds=30)))
            targets.append(deployed(**own, began_at=at, ended_at=at + timedelta(seconds=60 + number)))
    return releases, targets


def released(*, at, **facts):
    counts = {"workers": 2, "workers_verified": 2, "workers_excused": 0, "workers_failed": 0, "sequence": 1}
    blank = dict.fromkeys(("deployment_id", "reason", "previous_version"))
    return ReleaseRow(
        **facts, **counts, **blank, actor="ci", verdict="verified", started_at=at, finished_at=at
    )


def deployed(*, began_at, ended_at, **facts):
    blank = dict.fromkeys(("event", "error_code", "script", "message", "log_tail"))
    return DeploymentTargetRow(
        **facts,
        **blank,
        deployment_id="d-1",
        instance_id="i-1",
        status="Succeeded",
        verdict="verified",
        started_at=began_at,
        ended_at=ended_at,
    )


def test_values_come_back_as_what_they_are(engine):
    result = engine.run(
        "SELECT true AS b, CAST(7 AS bigint) AS n, 1.5e0 AS x, 'it''s' AS t, CAST(NULL AS varchar) AS nothing,"
        " TIMESTAMP '2026-11-22 12:00:00.123' AS at"
    )
    assert result.rows == [
        {
            "b": True,
            "n": 7,
            "x": 1.5,
            "t": "it's",
            "nothing": None,
            "at": datetime(2026, 11, 22, 12, 0, 0, 123000, tzinfo=UTC).replace(tzinfo=None),
        }
    ]


@pytest.mark.parametrize("hostile", ["it's", "'; DROP TABLE releases; --", "?", "%(x)s", "100%"])
def test_a_parameter_is_a_value_and_nothing_else(engine, hostile):
    sql = "SELECT 1 AS n WHERE ? = ? AND 7 = ?"
    assert engine.run(sql, (hostile, hostile, 7)).rows == [{"n": 1}]
    assert engine.run(sql, (hostile, "other", 7)).rows == []


def test_a_failed_query_gives_its_id_and_the_workaround(engine):
    with pytest.raises(AthenaQueryFailed, match="COLUMN_NOT_FOUND") as caught:
        engine.run("SELECT nothing FROM releases")
    error = caught.value
    assert error.noun in error.message
    assert error.remedy == "deployctl reconcile --engine duckdb"
    assert error.exit_code is ExitCode.FAILED


def test_a_workgroup_that_is_not_there_is_named(aws):
    with pytest.raises(AthenaRefused, match="missing") as caught:
        AthenaEngine(aws, workgroup="missing", database=DATABASE).run("SELECT 1 AS n")
    assert "deployctl athena setup" in caught.value.remedy


def test_a_query_that_takes_too_long_is_stopped(aws, cloud):
    with pytest.raises(AthenaTimeout) as caught:
        AthenaEngine(aws, workgroup=WORKGROUP, database=DATABASE, time_limit_s=0.5).run(ENDLESS)
    found = cloud.client("athena").get_query_execution(QueryExecutionId=caught.value.noun)
    assert found["QueryExecution"]["Status"]["State"] == "CANCELLED"


def test_a_stopped_query_raises_cancelled(engine, cloud, once_running):
    def stop(query_id):
        cloud.client("athena").stop_query_execution(QueryExecutionId=query_id)

    with once_running(stop), pytest.raises(AthenaQueryCancelled, match="cancelled"):
        engine.run(ENDLESS)


@pytest.fixture
def once_running(cloud):
    """Do something with the id of the first query that runs while the block does, within 30 s.

    It is done under a lock that the end of the block takes: never after the block is left.
    """

    @contextmanager
    def once_running(act):
        over, lock = threading.Event(), threading.Lock()

        def watch():
            deadline = time.monotonic() + 30
            while not over.is_set() and time.monotonic() < deadline:
                if (query_id := running_query(cloud)) is not None:
                    with lock:
                        if not over.is_set():
                            act(query_id)
                    return
                time.sleep(0.02)

        watcher = threading.Thread(target=watch, daemon=True)
        watcher.start()
        try:
            yield
        finally:
            with lock:
                over.set()
            watcher.join(30)

    return once_running


def running_query(cloud):
    athena = cloud.client("athena")
    ids = athena.list_query_executions(WorkGroup=WORKGROUP)["QueryExecutionIds"][:5]
    found = athena.batch_get_query_execution(QueryExecutionIds=ids)["QueryExecutions"] if ids else []
    return next((e["QueryExecutionId"] for e in found if e["Status"]["State"] == "RUNNING"), None)


def test_ctrl_c_stops_the_query_and_still_interrupts(engine, cloud, once_running):
    ids = []

    def interrupt(query_id):
        ids.append(query_id)
        os.kill(os.getpid(), signal.SIGINT)

    with pytest.raises(KeyboardInterrupt), once_running(interrupt):
        engine.run(ENDLESS)
    found = cloud.client("athena").get_query_execution(QueryExecutionId=ids[0])
    assert found["QueryExecution"]["Status"]["State"] == "CANCELLED"


def test_a_scan_beyond_the_workgroups_limit_is_a_cancelled_query(engine, lake, snapshot):
    taken = snapshot(10, hours_ago=5)
    for number in range(8):
        # Small objects count whole, whatever columns are asked for.
        heavy = row(0, snapshot_id=f"x-{number}", snapshot_at=taken["snapshot_at"], target_log_tail=_noise())
        lake.write(SNAPSHOTS.key(taken["snapshot_at"], f"x-{number}"), encode([heavy], SnapshotRow))
    with pytest.raises(AthenaQueryCancelled, match="Bytes scanned limit was exceeded"):
        reconcile(engine, application="shop", **taken)
    # The other engine looks for the snapshot by its name.
    assert len(reconcile(DuckEngine(lake), application="shop", **taken).workers) == 10


def _noise():
    return random.randbytes(1_400_000).hex()


def test_an_endpoint_that_does_not_answer_is_unreachable(monkeypatch):
    speak_to("http://127.0.0.1:9", monkeypatch)
    aws = Aws(region=REGION, profile=None, calls=CallCounter(), clock=SystemClock(), retry=QUICK)
    with pytest.raises(ServiceUnreachable):
        AthenaEngine(aws, workgroup=WORKGROUP, database=DATABASE).run("SELECT 1 AS n")


def test_requests_are_counted_and_the_polls_are_few(aws, engine):
    engine.run("SELECT 1 AS n")
    counted = aws.calls.snapshot()
    assert counted["athena:StartQueryExecution"] == 1
    assert counted["athena:GetQueryResults"] == 1
    assert 1 <= counted["athena:GetQueryExecution"] <= 10


def test_pyathena_keeps_quiet(engine, caplog):
    with caplog.at_level(logging.DEBUG), pytest.raises(AthenaQueryFailed):
        engine.run("SELECT nothing FROM releases")
    assert [r for r in caplog.records if r.name.startswith("pyathena") and r.levelno >= logging.WARNING] == []


@pytest.fixture
def setup(aws):
    def setup(**names):
        wanted = {
            "bucket": BUCKET,
            "database": "fresh",
            "workgroup": "fresh",
            "history_workgroup": "fresh-history",
        }
        return set_up(aws, **{**wanted, **names})

    return setup


@pytest.fixture
def judge(aws, snapshot):
    """Reconcile five workers in this workgroup, over the tables that `setup` makes: how many are found."""

    def judge(workgroup):
        engine = AthenaEngine(aws, workgroup=workgroup, database="fresh")
        return len(reconcile(engine, application="shop", **snapshot(5)).workers)

    return judge


def test_setup_makes_all_of_it_and_the_second_time_nothing(cloud, setup, judge):
    assert setup() == (
        "workgroup fresh",
        "workgroup fresh-history",
        "database fresh",
        "table fresh.fleet_snapshots",
        "table fresh.group_findings",
        "table fresh.releases",
        "table fresh.deployment_targets",
        "table fresh.fleet_spans",
    )
    assert setup() == ()
    limits = {
        name: cloud.client("athena").get_work_group(WorkGroup=name)["WorkGroup"]["Configuration"]
        for name in ("fresh", "fresh-history")
    }
    assert limits["fresh"]["EnforceWorkGroupConfiguration"]
    assert limits["fresh"]["BytesScannedCutoffPerQuery"] == 10_000_000
    assert limits["fresh-history"]["BytesScannedCutoffPerQuery"] > 10_000_000
    assert judge("fresh-history") == 5


@pytest.mark.parametrize(
    "found",
    [
        {},
        {"EnforceWorkGroupConfiguration": True, "BytesScannedCutoffPerQuery": 2_000_000_000},
        {"EnforceWorkGroupConfiguration": False, "BytesScannedCutoffPerQuery": 10_000_000},
        {"ResultConfiguration": {"OutputLocation": f"s3://{BUCKET}/results/"}},
    ],
    ids=["without any", "a higher one", "one not enforced", "results kept in a bucket"],
)
def test_a_workgroup_made_without_the_scan_limit_gets_it(cloud, setup, judge, own_workgroup, found):
    setup()
    own_workgroup(found)
    assert setup(workgroup="theirs") == ("scan limit of workgroup theirs",)
    assert setup(workgroup="theirs") == ()
    has = cloud.client("athena").get_work_group(WorkGroup="theirs")["WorkGroup"]["Configuration"]
    assert has["EnforceWorkGroupConfiguration"]
    assert has["BytesScannedCutoffPerQuery"] == 10_000_000
    assert has.get("ResultConfiguration") == found.get("ResultConfiguration")
    assert judge("theirs") == 5


@pytest.fixture
def own_workgroup(cloud):
    """Make the workgroup `theirs` with this configuration, for one test."""
    athena = cloud.client("athena")
    yield lambda configuration: athena.create_work_group(Name="theirs", Configuration=configuration)
    athena.delete_work_group(WorkGroup="theirs", RecursiveDeleteOption=True)


def test_a_history_workgroup_that_is_there_keeps_its_limit(cloud, setup):
    setup()
    wide = {"BytesScannedCutoffPerQuery": 5_000_000_000}
    athena = cloud.client("athena")
    athena.update_work_group(WorkGroup="fresh-history", ConfigurationUpdates=wide)
    assert setup() == ()
    has = athena.get_work_group(WorkGroup="fresh-history")["WorkGroup"]["Configuration"]
    assert has["BytesScannedCutoffPerQuery"] == 5_000_000_000


def test_the_shared_workgroup_is_not_limited(cloud, setup):
    before = cloud.client("athena").get_work_group(WorkGroup="primary")
    with pytest.raises(PrimaryWorkgroupNotLimited):
        setup(workgroup="primary")
    assert cloud.client("athena").get_work_group(WorkGroup="primary")["WorkGroup"] == before["WorkGroup"]
