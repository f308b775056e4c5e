"""The two engines over one lake: the same rows to every query, and what is said where Athena fails."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from deployctl import assets
from deployctl.aws.athena import AthenaEngine, AthenaTimeout
from deployctl.aws.call_counter import CallCounter
from deployctl.aws.clock import SystemClock
from deployctl.aws.lake import S3Lake
from deployctl.aws.retry import NO_RETRY, RetryPolicy
from deployctl.aws.s3 import S3Bucket
from deployctl.aws.service_errors import AccessDenied, ServiceFault, ServiceUnreachable, ThrottlingExceeded
from deployctl.aws.session import Aws
from deployctl.lake.duckdb_engine import DuckEngine
from deployctl.lake.schema import SPANS
from deployctl.sandbox.constants import BUCKET, REGION
from tests.fakes.athena_cloud import DATABASE, HISTORY, athena_cloud
from tests.fakes.aws_server import aws_server, json_answer, json_error, speak_to
from tests.fakes.lake_rows import span_row
from tests.fakes.sample_lake import asked, fill_lake
from tests.fakes.schema_versions import newer, older

INSTEAD = "deployctl athena query skew --engine duckdb"
#: The whole days before today's: within every table's range.
FIRST_DAY = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0) - timedelta(days=3)


def session(endpoint, monkeypatch, retry):
    speak_to(endpoint, monkeypatch)
    return Aws(region=REGION, profile=None, calls=CallCounter(), clock=SystemClock(), retry=retry)


@pytest.fixture(scope="module")
def cloud():
    with athena_cloud(speed=200) as cloud:
        yield cloud


@pytest.mark.parametrize("name", asked(FIRST_DAY))
def test_every_query_is_answered_alike(cloud, monkeypatch, name):
    aws = session(cloud.endpoint, monkeypatch, RetryPolicy(failing_s=1))
    lake = S3Lake(S3Bucket(aws, BUCKET))
    if not lake.keys(""):
        fill_lake(lake, FIRST_DAY)
    sql, parameters = assets.query(name), asked(FIRST_DAY)[name]
    by_athena = AthenaEngine(aws, workgroup=HISTORY, database=DATABASE).run(sql, parameters)
    by_duckdb = DuckEngine(lake).run(sql, parameters)
    assert by_athena.rows == by_duckdb.rows
    assert by_athena.rows
    assert [list(row) for row in by_athena.rows] == [list(row) for row in by_duckdb.rows]
    assert by_athena.query_id


@pytest.fixture
def server():
    with aws_server() as server:
        yield server


@pytest.fixture
def engine(server, monkeypatch):
    def engine(retry=NO_RETRY, **options):
        aws = session(server.url, monkeypatch, retry)
        return AthenaEngine(aws, workgroup="w", database="d", instead=INSTEAD, **options)

    return engine


def execution(state):
    status = {"State": state, "SubmissionDateTime": 0}
    return json_answer(QueryExecution={"QueryExecutionId": "q-1", "Query": "SELECT 1", "Status": status})


def answering(**by_operation):
    return lambda request: by_operation[request.operation]


STARTED = json_answer(QueryExecutionId="q-1")


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (json_error("ThrottlingException"), ThrottlingExceeded),
        (json_error("InternalServerException", status=500), ServiceFault),
        (json_error("AccessDeniedException"), AccessDenied),
    ],
    ids=["throttled", "failing", "denied"],
)
def test_where_athena_does_not_start_a_query_the_other_engine_is_offered(server, engine, answer, error):
    server.answers(answer)
    with pytest.raises(error) as caught:
        engine().run("SELECT 1")
    assert f"without Athena: {INSTEAD}" in caught.value.details


def test_where_athena_is_away_the_other_engine_is_offered(engine, server, monkeypatch):
    away = AthenaEngine(
        session("http://127.0.0.1:9", monkeypatch, NO_RETRY), workgroup="w", database="d", instead=INSTEAD
    )
    with pytest.raises(ServiceUnreachable) as caught:
        away.run("SELECT 1")
    assert f"without Athena: {INSTEAD}" in caught.value.details


def test_a_query_that_is_lost_sight_of_is_named_with_what_stops_it(server, engine):
    server.answer_by = answering(
        StartQueryExecution=STARTED, GetQueryExecution=json_error("ThrottlingException")
    )
    with pytest.raises(ThrottlingExceeded) as caught:
        engine().run("SELECT 1")
    assert any("aws athena stop-query-execution --query-execution-id q-1" in d for d in caught.value.details)
    assert f"without Athena: {INSTEAD}" in caught.value.details


def test_a_query_that_cannot_be_awaited_or_stopped_is_named_too(server, engine):
    server.answer_by = answering(
        StartQueryExecution=STARTED,
        GetQueryExecution=execution("RUNNING"),
        StopQueryExecution=json_error("InternalServerException", status=500),
    )
    with pytest.raises(AthenaTimeout, match=r"q-1 did not end within .* and could not be stopped") as caught:
        engine(time_limit_s=0.3).run("SELECT 1")
    assert caught.value.remedy == INSTEAD
    assert "stop-query-execution --query-execution-id q-1" in caught.value.details[0]


def test_one_layer_repeats_and_no_other(server, engine):
    """Were PyAthena to repeat as well, each of its attempts would be repeated in turn."""
    seen = Counter()

    def answer(request):
        seen[request.operation] += 1
        if seen[request.operation] <= 2:
            return json_error("ThrottlingException")
        return STARTED if request.operation == "StartQueryExecution" else execution("FAILED")

    server.answer_by = answer
    policy = RetryPolicy(throttled_s=20, first_throttled_wait_s=0.01)
    with pytest.raises(Exception, match="q-1 failed"):
        engine(policy).run("SELECT 1")
    assert seen == {"StartQueryExecution": 3, "GetQueryExecution": 3}


def test_a_request_that_is_not_to_be_repeated_is_sent_once(server, engine):
    server.answers(json_error("ThrottlingException"))
    with pytest.raises(ThrottlingExceeded):
        engine(NO_RETRY).run("SELECT 1")
    assert len(server.requests) == 1


def test_objects_of_other_ages_are_read_alike(cloud, monkeypatch):
    """On Athena a column that an object lacks is NULL, and one that the table lacks is not seen."""
    aws = session(cloud.endpoint, monkeypatch, RetryPolicy(failing_s=1))
    lake, at = S3Lake(S3Bucket(aws, BUCKET)), FIRST_DAY - timedelta(days=9)
    span = span_row(at, at + timedelta(hours=1), application="aged", instance_id="i-1")
    later = replace(span, instance_id="i-2", began_at=at + timedelta(hours=1))
    lake.write(SPANS.key(at, "aged"), older(span, without=["cause", "minutes", "asg"]))
    lake.write(f"fleet_spans/day={at:%Y-%m-%d}/later/aged.parquet", newer(later))
    sql = f"""
        SELECT instance_id, cause, minutes, asg FROM fleet_spans
        WHERE day = '{at:%Y-%m-%d}' AND application = 'aged' ORDER BY instance_id
    """
    by_duckdb = DuckEngine(lake).run(sql).rows
    assert by_duckdb == AthenaEngine(aws, workgroup=HISTORY, database=DATABASE).run(sql).rows
    assert [tuple(row.values()) for row in by_duckdb] == [
        ("i-1", None, None, None),
        ("i-2", None, 60, "video-asg"),
    ]
