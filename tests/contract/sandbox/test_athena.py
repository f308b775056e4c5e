"""The simulated Athena, asked as boto3 asks: what it answers, what it refuses, and that AWS could have said it."""

import io
import time
import uuid
from datetime import UTC, datetime, timedelta

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from botocore.exceptions import ClientError

from deployctl.sandbox.constants import BUCKET
from tests.fakes.athena_cloud import DATABASE, HISTORY, WORKGROUP, athena_cloud

OUTPUT = f"s3://{BUCKET}/results/"


@pytest.fixture(scope="module")
def cloud():
    with athena_cloud(speed=50) as cloud:
        yield cloud


@pytest.fixture(scope="module")
def athena(cloud):
    return cloud.client("athena")


@pytest.fixture(scope="module")
def unchecked(cloud):
    """A client that leaves it to the service to check what is asked."""
    return cloud.client("athena", parameter_validation=False)


@pytest.fixture(scope="module")
def s3(cloud):
    return cloud.client("s3")


@pytest.fixture
def start(athena):
    def start(sql, *parameters, workgroup=HISTORY, **request):
        if parameters:
            request["ExecutionParameters"] = list(parameters)
        request.setdefault("QueryExecutionContext", {"Database": DATABASE})
        return athena.start_query_execution(QueryString=sql, WorkGroup=workgroup, **request)[
            "QueryExecutionId"
        ]

    return start


@pytest.fixture
def finish(athena):
    def finish(query_id):
        while True:
            execution = athena.get_query_execution(QueryExecutionId=query_id)["QueryExecution"]
            if execution["Status"]["State"] not in ("QUEUED", "RUNNING"):
                return execution
            time.sleep(0.01)

    return finish


@pytest.fixture
def ask(start, finish, athena):
    """Run to the end: the rows as texts, or the reason that it failed for."""

    def ask(sql, *parameters, **request):
        execution = finish(start(sql, *parameters, **request))
        if execution["Status"]["State"] != "SUCCEEDED":
            return execution["Status"]["StateChangeReason"]
        pages = athena.get_paginator("get_query_results").paginate(
            QueryExecutionId=execution["QueryExecutionId"]
        )
        return [
            [value.get("VarCharValue") for value in row["Data"]]
            for page in pages
            for row in page["ResultSet"]["Rows"]
        ]

    return ask


def code(caught):
    return caught.value.response["Error"]["Code"]


def parquet(**columns):
    sink = io.BytesIO()
    pq.write_table(pa.table(columns), sink)
    return sink.getvalue()


@pytest.fixture
def table(s3, ask):
    """A table of this test's own, with one object an hour for the last three hours and one for the next but one."""
    name = f"t_{uuid.uuid4().hex[:8]}"
    now = datetime.now(UTC)
    for hours in (-2, -1, 0, 2):
        hour = f"{now + timedelta(hours=hours):%Y-%m-%d-%H}"
        body = parquet(n=[hours, hours + 100], word=[f"w{hours}", None])
        s3.put_object(Bucket=BUCKET, Key=f"{name}/h={hour}/x.parquet", Body=body)
    s3.put_object(Bucket=BUCKET, Key=f"{name}/h={now:%Y-%m-%d-%H}/_temporary", Body=b"not for reading")
    created = ask(
        f"""CREATE EXTERNAL TABLE `{DATABASE}`.`{name}` (`n` bigint, `word` string)
        PARTITIONED BY (`h` string) STORED AS PARQUET LOCATION 's3://{BUCKET}/{name}/'
        TBLPROPERTIES ('projection.enabled'='true', 'projection.h.type'='date',
            'projection.h.format'='yyyy-MM-dd-HH', 'projection.h.interval'='1',
            'projection.h.interval.unit'='HOURS', 'projection.h.range'='2026-01-01-00,NOW',
            'storage.location.template'='s3://{BUCKET}/{name}/h=${{h}}/')"""
    )
    assert created == []
    return name


# Queries.


def test_a_query_goes_from_queued_to_succeeded(athena, start, finish, table):
    execution = finish(start(f"SELECT n FROM {table} WHERE h > '2026'"))
    assert execution["Status"]["State"] == "SUCCEEDED"
    assert execution["StatementType"] == "DML"
    assert execution["WorkGroup"] == HISTORY
    assert execution["ManagedQueryResultsConfiguration"]["Enabled"]
    times = execution["Status"]
    assert times["SubmissionDateTime"] < times["CompletionDateTime"]
    assert execution["Statistics"]["EngineExecutionTimeInMillis"] > 0
    assert execution["Statistics"]["DataScannedInBytes"] > 0


def test_the_answer_is_the_objects_own(ask, table):
    assert ask(f"SELECT n, word FROM {table} WHERE n < 0 ORDER BY n") == [
        ["n", "word"],
        ["-2", "w-2"],
        ["-1", "w-1"],
    ]


def test_null_has_no_value(athena, ask, table):
    assert ask(f"SELECT word FROM {table} WHERE n = 100") == [["word"], [None]]


def test_values_are_written_as_athena_writes_them(ask):
    sql = (
        "SELECT true AS a, TIMESTAMP '2026-11-22 12:00:00.5' AS b, 1.5e0 AS c, DATE '2026-11-22' AS d,"
        " CAST(7 AS bigint) AS e, 'it''s' AS f, CAST(NULL AS varchar) AS g"
    )
    assert ask(sql)[1] == ["true", "2026-11-22 12:00:00.500", "1.5", "2026-11-22", "7", "it's", None]


def test_columns_have_the_types_that_a_client_converts_by(athena, start, finish):
    query_id = start(
        "SELECT 'a' AS t, CAST(1 AS bigint) AS n, 1e0 AS x, true AS b, TIMESTAMP '2026-01-01 00:00:00' AS at"
    )
    finish(query_id)
    found = athena.get_query_results(QueryExecutionId=query_id)["ResultSet"]["ResultSetMetadata"][
        "ColumnInfo"
    ]
    assert {c["Name"]: c["Type"] for c in found} == {
        "t": "varchar",
        "n": "bigint",
        "x": "double",
        "b": "boolean",
        "at": "timestamp",
    }


def test_a_page_has_a_thousand_rows_and_the_first_starts_with_the_names(athena, start, finish):
    query_id = start("SELECT v FROM UNNEST(SEQUENCE(1, 2500)) AS t (v) ORDER BY v")
    finish(query_id)
    first = athena.get_query_results(QueryExecutionId=query_id)
    second = athena.get_query_results(QueryExecutionId=query_id, NextToken=first["NextToken"])
    third = athena.get_query_results(QueryExecutionId=query_id, NextToken=second["NextToken"])
    values = [
        [row["Data"][0]["VarCharValue"] for row in page["ResultSet"]["Rows"]]
        for page in (first, second, third)
    ]
    assert [len(page) for page in values] == [1000, 1000, 501]
    assert values[0][:2] == ["v", "1"]
    assert values[2][-1] == "2500"
    assert "NextToken" not in third


def test_two_mentions_of_one_table_in_another_database(ask, table):
    sql = f"SELECT COUNT(*) AS c FROM {DATABASE}.{table} AS a JOIN {DATABASE}.{table} AS b ON a.n = b.n"
    assert ask(sql, QueryExecutionContext={"Database": "default"}) == [["c"], ["6"]]


# Tables that are altered.


def test_an_added_column_is_null_in_objects_from_before_and_stands_last(athena, ask, table):
    ask(f"ALTER TABLE `{DATABASE}`.`{table}` ADD COLUMNS (`extra` string, `count_b` bigint)")
    found = athena.get_table_metadata(CatalogName="AwsDataCatalog", DatabaseName=DATABASE, TableName=table)
    names = [column["Name"] for column in found["TableMetadata"]["Columns"]]
    assert names[-2:] == ["extra", "count_b"]
    assert ask(f"SELECT n, extra FROM {table} WHERE n = 100 AND extra IS NULL") == [
        ["n", "extra"],
        ["100", None],
    ]


def test_changed_properties_hold_at_once(ask, table):
    ask(f"ALTER TABLE {table} SET TBLPROPERTIES ('projection.h.range' = '1999-01-01-00,1999-01-01-05')")
    assert ask(f"SELECT n FROM {table}") == [["n"]]


# Partition projection.


def test_a_partition_beyond_the_range_gives_no_rows_and_no_error(ask, table):
    later = f"{datetime.now(UTC) + timedelta(hours=2):%Y-%m-%d-%H}"
    assert ask(f"SELECT n FROM {table} WHERE h = '{later}'") == [["n"]]
    assert ask(f"SELECT n FROM {table} WHERE h = 'nonsense'") == [["n"]]
    assert ask(f"SELECT MAX(n) AS n FROM {table}") == [["n"], ["100"]]


def test_a_partition_within_the_range_is_read_alone(start, finish, table):
    hour = f"{datetime.now(UTC):%Y-%m-%d-%H}"
    one = finish(start(f"SELECT n FROM {table} WHERE h = ?", f"'{hour}'"))
    all_three = finish(start(f"SELECT n FROM {table}"))
    scanned = [e["Statistics"]["DataScannedInBytes"] for e in (one, all_three)]
    assert 0 < scanned[0] * 2 < scanned[1]


# Execution parameters.


def test_parameters_fill_the_marks_in_order(ask, table):
    sql = f"SELECT n FROM {table} WHERE word = ? AND n > ?"
    assert ask(sql, "'w-1'", "-5") == [["n"], ["-1"]]
    assert ask(sql, "'w-1'' OR 1=1 --'", "-5") == [["n"]]


@pytest.mark.parametrize(
    ("parameters", "words"),
    [
        (["w-1"], "no constant"),
        (["'w-1"], "can't be parsed"),
        (["'a' OR true"], "no constant"),
        (["(SELECT 'a')"], "no constant"),
        (["'a'", "'b'"], "1 parameters"),
        ([], "1 parameters"),
    ],
)
def test_parameters_are_constants_that_carry_their_own_quotes(ask, table, parameters, words):
    assert words in ask(f"SELECT n FROM {table} WHERE word = ?", *parameters)


@pytest.mark.parametrize("parameter", ["'" + "x" * 1023 + "'", ""])
def test_a_parameter_has_1_to_1024_characters(unchecked, parameter):
    with pytest.raises(ClientError) as caught:
        unchecked.start_query_execution(
            QueryString="SELECT 1 AS n WHERE '' = ?", WorkGroup=HISTORY, ExecutionParameters=[parameter]
        )
    assert code(caught) == "InvalidRequestException"


# What Athena would not run, or DuckDB would answer otherwise, fails by name.


@pytest.mark.parametrize(
    ("sql", "words"),
    [
        ("SELECT nothing FROM releases", "COLUMN_NOT_FOUND"),
        ("SELECT 1 AS n FROM nowhere", "TABLE_NOT_FOUND"),
        ("SELECT 1 AS n FROM nowhere.releases", "TABLE_NOT_FOUND"),
        ("SELECT version FROM releases WHERE started_at > '2026-01-01'", "without a CAST"),
        ("SELECT IFNULL(version, '') FROM releases", "IFNULL"),
        ("SELECT * FROM read_parquet('/etc/passwd')", "TABLE_NOT_FOUND"),
        ("UNLOAD (SELECT 1) TO 's3://x/'", "Unable to write to the bucket 'x'"),
        ("INSERT INTO releases SELECT * FROM releases", "INSERT into a partitioned table is not modelled"),
        ("SELECT CAST(workers AS varchar(3)) FROM releases", "does not truncate"),
        ("SELECT HISTOGRAM(version) FROM releases", "HISTOGRAM"),
        ("CREATE TABLE t AS SELECT 1 AS n", "external_location is needed"),
        ("ALTER TABLE releases RENAME TO x", "not modelled"),
        ("ALTER TABLE nowhere ADD COLUMNS (x string)", "TABLE_NOT_FOUND"),
        ("ALTER TABLE releases ADD COLUMNS (x string, version string)", "Duplicate column name: version"),
        ("ALTER TABLE releases ADD COLUMNS (day string)", "Duplicate column name: day"),
        ("ALTER TABLE releases SET TBLPROPERTIES ('projection.day.type' = 'enum')", "not modelled"),
        ("MSCK REPAIR TABLE releases", "not modelled"),
        ("DROP TABLE nowhere", "Table not found"),
        ("DROP DATABASE deployctl", "not empty"),
    ],
)
def test_an_invalid_query_fails_with_its_reason(ask, sql, words):
    assert words in ask(sql, *(["1"] if "?" in sql else []))


def test_a_failed_query_has_an_error_and_no_results(athena, start, finish):
    query_id = start("SELECT nothing FROM releases")
    execution = finish(query_id)
    assert execution["Status"]["State"] == "FAILED"
    assert execution["Status"]["AthenaError"]["ErrorCategory"] == 2
    with pytest.raises(ClientError, match="Final query state: FAILED"):
        athena.get_query_results(QueryExecutionId=query_id)


def test_a_bucket_that_is_not_there_fails_the_query(ask):
    ask(
        f"CREATE EXTERNAL TABLE IF NOT EXISTS `{DATABASE}`.`lost` (`n` bigint) STORED AS PARQUET"
        " LOCATION 's3://no-such-bucket/lost/'"
    )
    assert "no such bucket" in ask("SELECT n FROM lost")


def test_an_object_that_is_not_parquet_fails_the_query(s3, ask, table):
    hour = f"{datetime.now(UTC):%Y-%m-%d-%H}"
    s3.put_object(Bucket=BUCKET, Key=f"{table}/h={hour}/bad.parquet", Body=b"no parquet")
    assert "bad.parquet" in ask(f"SELECT n FROM {table}")


# Stopping, limits, workgroups.


def test_a_query_that_is_stopped_ends_cancelled(athena, start):
    query_id = start(
        "SELECT COUNT(*) AS n FROM UNNEST(SEQUENCE(1, 100000)) AS a (x), UNNEST(SEQUENCE(1, 100000)) AS b (y)"
    )
    while (
        athena.get_query_execution(QueryExecutionId=query_id)["QueryExecution"]["Status"]["State"] == "QUEUED"
    ):
        time.sleep(0.01)
    athena.stop_query_execution(QueryExecutionId=query_id)
    # Ten thousand million rows take minutes to count: had it not been stopped, it would be RUNNING.
    execution = athena.get_query_execution(QueryExecutionId=query_id)["QueryExecution"]
    assert execution["Status"]["State"] == "CANCELLED"
    athena.stop_query_execution(QueryExecutionId=query_id)
    with pytest.raises(ClientError, match="Final query state: CANCELLED"):
        athena.get_query_results(QueryExecutionId=query_id)


def test_a_query_that_waits_can_be_stopped(athena, start, finish):
    query_id = start("SELECT 1 AS n")
    athena.stop_query_execution(QueryExecutionId=query_id)
    assert finish(query_id)["Status"]["State"] == "CANCELLED"


def test_results_of_an_unfinished_query_are_refused(athena, start):
    query_id = start("SELECT 1 AS n")
    with pytest.raises(ClientError, match="has not yet finished") as caught:
        athena.get_query_results(QueryExecutionId=query_id)
    assert code(caught) == "InvalidRequestException"


def test_a_query_that_scans_more_than_its_workgroup_allows_is_cancelled(s3, start, finish, table):
    hour = f"{datetime.now(UTC):%Y-%m-%d-%H}"
    s3.put_object(Bucket=BUCKET, Key=f"{table}/h={hour}/big.parquet", Body=_padded(10_000_001))
    execution = finish(start(f"SELECT COUNT(word) AS n FROM {table}", workgroup=WORKGROUP))
    assert execution["Status"]["State"] == "CANCELLED"
    assert execution["Status"]["StateChangeReason"] == "Bytes scanned limit was exceeded"
    assert execution["Statistics"]["DataScannedInBytes"] > 10_000_000
    assert finish(start(f"SELECT COUNT(word) AS n FROM {table}"))["Status"]["State"] == "SUCCEEDED"


def _padded(least_bytes):
    """A Parquet object of at least this size, in one column that does not compress."""
    word = [f"{number * 0x9E3779B97F4A7C15 % 2**64:016x}" * 8 for number in range(least_bytes // 120)]
    sink = io.BytesIO()
    table = pa.table({"n": list(range(len(word))), "word": word})
    pq.write_table(table, sink, compression="none", use_dictionary=False)
    return sink.getvalue()


def test_results_go_to_the_location_of_the_workgroup_or_the_client(athena, s3, start, finish):
    query_id = start(
        "SELECT 'a' AS x, CAST(NULL AS varchar) AS y, '' AS z",
        workgroup="primary",
        ResultConfiguration={"OutputLocation": OUTPUT},
    )
    address = finish(query_id)["ResultConfiguration"]["OutputLocation"]
    assert address == f"{OUTPUT}{query_id}.csv"
    body = s3.get_object(Bucket=BUCKET, Key=address.removeprefix(f"s3://{BUCKET}/"))["Body"].read()
    assert body == b'"x","y","z"\n"a",,""\n'


@pytest.mark.parametrize(
    ("request_", "words"),
    [
        ({"WorkGroup": "missing"}, "WorkGroup is not found"),
        ({"WorkGroup": "primary"}, "No output location provided"),
        (
            {"WorkGroup": "primary", "ResultConfiguration": {"OutputLocation": "s3://no-such-bucket/"}},
            "Unable to verify/create output bucket",
        ),
        ({"WorkGroup": WORKGROUP, "ResultConfiguration": {"OutputLocation": OUTPUT}}, "managed"),
    ],
)
def test_a_query_that_has_nowhere_to_run_is_refused(athena, request_, words):
    with pytest.raises(ClientError, match=words) as caught:
        athena.start_query_execution(QueryString="SELECT 1 AS n", **request_)
    assert code(caught) == "InvalidRequestException"


def test_the_same_token_starts_one_query(start):
    token = uuid.uuid4().hex
    first = start("SELECT 1 AS n", ClientRequestToken=token)
    assert start("SELECT 1 AS n", ClientRequestToken=token) == first
    with pytest.raises(ClientError, match="Idempotent"):
        start("SELECT 2 AS n", ClientRequestToken=token)


def test_a_workgroup_is_made_changed_and_removed(athena, start):
    name = f"wg-{uuid.uuid4().hex[:8]}"
    athena.create_work_group(
        Name=name, Description="one", Configuration={"ResultConfiguration": {"OutputLocation": OUTPUT}}
    )
    with pytest.raises(ClientError, match="already created"):
        athena.create_work_group(Name=name)
    athena.update_work_group(
        WorkGroup=name, State="DISABLED", ConfigurationUpdates={"BytesScannedCutoffPerQuery": 20_000_000}
    )
    found = athena.get_work_group(WorkGroup=name)["WorkGroup"]
    assert (found["State"], found["Description"]) == ("DISABLED", "one")
    assert found["Configuration"]["BytesScannedCutoffPerQuery"] == 20_000_000
    with pytest.raises(ClientError, match="disabled"):
        start("SELECT 1 AS n", workgroup=name)
    athena.update_work_group(WorkGroup=name, State="ENABLED")
    start("SELECT 1 AS n", workgroup=name)
    with pytest.raises(ClientError, match="not empty"):
        athena.delete_work_group(WorkGroup=name)
    athena.delete_work_group(WorkGroup=name, RecursiveDeleteOption=True)
    assert name not in [group["Name"] for group in athena.list_work_groups()["WorkGroups"]]


@pytest.mark.parametrize(
    "configuration",
    [
        {"BytesScannedCutoffPerQuery": 9_999_999},
        {
            "ManagedQueryResultsConfiguration": {"Enabled": True},
            "ResultConfiguration": {"OutputLocation": OUTPUT},
        },
    ],
)
def test_an_invalid_workgroup_is_refused_completely(athena, unchecked, configuration):
    name = f"wg-{uuid.uuid4().hex[:8]}"
    with pytest.raises(ClientError) as caught:
        unchecked.create_work_group(Name=name, Configuration=configuration)
    assert code(caught) == "InvalidRequestException"
    with pytest.raises(ClientError, match="not found"):
        athena.get_work_group(WorkGroup=name)


def test_the_latest_queries_are_listed_first_page_by_page(athena, start, finish):
    name = f"wg-{uuid.uuid4().hex[:8]}"
    athena.create_work_group(Name=name, Configuration={"ManagedQueryResultsConfiguration": {"Enabled": True}})
    ids = [start(f"SELECT {n} AS n", workgroup=name) for n in range(5)]
    pages = athena.get_paginator("list_query_executions").paginate(
        WorkGroup=name, PaginationConfig={"PageSize": 2}
    )
    assert [i for page in pages for i in page["QueryExecutionIds"]] == ids[::-1]
    for query_id in ids:
        finish(query_id)
    found = athena.batch_get_query_execution(QueryExecutionIds=[*ids[:2], "missing"])
    assert [e["QueryExecutionId"] for e in found["QueryExecutions"]] == ids[:2]
    assert [u["QueryExecutionId"] for u in found["UnprocessedQueryExecutionIds"]] == ["missing"]


# The catalog.


def test_setup_creates_the_database_and_the_tables(athena, ask):
    assert [row[0] for row in ask("SHOW TABLES IN deployctl")][:3] >= ["deployment_targets"]
    found = athena.get_table_metadata(
        CatalogName="AwsDataCatalog", DatabaseName=DATABASE, TableName="fleet_snapshots"
    )["TableMetadata"]
    assert [key["Name"] for key in found["PartitionKeys"]] == ["snap_hour"]
    assert {"Name": "instance_id", "Type": "string"} in found["Columns"]
    assert athena.get_work_group(WorkGroup=WORKGROUP)["WorkGroup"]["Configuration"] == {
        **athena.get_work_group(WorkGroup=HISTORY)["WorkGroup"]["Configuration"],
        "BytesScannedCutoffPerQuery": 10_000_000,
    }


@pytest.mark.parametrize(
    ("operation", "request_"),
    [
        ("get_database", {"DatabaseName": "nowhere"}),
        ("get_table_metadata", {"DatabaseName": DATABASE, "TableName": "nothing"}),
        ("list_table_metadata", {"DatabaseName": "nowhere"}),
    ],
)
def test_what_the_catalog_does_not_have_is_a_metadata_exception(athena, operation, request_):
    with pytest.raises(ClientError) as caught:
        getattr(athena, operation)(CatalogName="AwsDataCatalog", **request_)
    assert code(caught) == "MetadataException"


@pytest.mark.parametrize(
    "changed",
    [
        ("'projection.h.type'='date'", "'projection.h.type'='injected'"),
        ("'projection.enabled'='true'", "'projection.enabled'='false'"),
        ("HOURS", "FORTNIGHTS"),
        ("h=${h}", "h=${g}"),
        ("STORED AS PARQUET", "STORED AS ORC"),
        ("bigint", "map<string,string>"),
    ],
)
def test_a_table_that_the_sandbox_cannot_read_is_refused_when_it_is_made(ask, changed):
    sql = f"""CREATE EXTERNAL TABLE `{DATABASE}`.`bad` (`n` bigint)
        PARTITIONED BY (`h` string) STORED AS PARQUET LOCATION 's3://{BUCKET}/bad/'
        TBLPROPERTIES ('projection.enabled'='true', 'projection.h.type'='date',
            'projection.h.format'='yyyy-MM-dd-HH', 'projection.h.interval.unit'='HOURS',
            'projection.h.range'='2026-01-01-00,NOW',
            'storage.location.template'='s3://{BUCKET}/bad/h=${{h}}/')"""
    assert changed[0] in sql
    reason = ask(sql.replace(*changed))
    assert "not modelled" in reason or "INVALID_TABLE_PROPERTY" in reason or "needs" in reason
    assert "TABLE_NOT_FOUND" in ask("SELECT n FROM bad")


# AWS could have said it.


def test_every_answer_fits_botocores_model(athena, start, finish, problems):
    query_id = start("SELECT version, workers FROM releases")
    calls = [
        ("GetQueryExecution", {"QueryExecutionId": query_id}),
        ("GetWorkGroup", {"WorkGroup": WORKGROUP}),
        ("GetWorkGroup", {"WorkGroup": "primary"}),
        ("ListWorkGroups", {}),
        ("ListQueryExecutions", {"WorkGroup": HISTORY}),
        ("GetDatabase", {"CatalogName": "AwsDataCatalog", "DatabaseName": DATABASE}),
        ("ListDatabases", {"CatalogName": "AwsDataCatalog"}),
        ("ListTableMetadata", {"CatalogName": "AwsDataCatalog", "DatabaseName": DATABASE}),
    ]
    finish(query_id)
    failed = start("SELECT nothing FROM releases")
    finish(failed)
    calls += [
        ("GetQueryResults", {"QueryExecutionId": query_id}),
        ("BatchGetQueryExecution", {"QueryExecutionIds": [query_id, failed, "missing"]}),
        ("StopQueryExecution", {"QueryExecutionId": query_id}),
    ]
    for operation, request in calls:
        response = getattr(athena, _snake(operation))(**request)
        assert problems(athena, operation, response) == [], operation


def _snake(operation):
    return "".join(f"_{c.lower()}" if c.isupper() else c for c in operation).lstrip("_")


@pytest.mark.filterwarnings("ignore:Exception.Refused")
def test_an_operation_that_is_not_modelled_is_refused_by_name(athena):
    with pytest.raises(ClientError, match="athena:ListDataCatalogs") as caught:
        athena.list_data_catalogs()
    assert code(caught) == "NotImplementedBySandbox"
    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 400
