"""What people type into Athena, over boto3 and PyAthena: functions, the catalog, rows that are written to S3."""

from __future__ import annotations

import io
import os
import time
import uuid

import pyarrow.parquet as pq
import pyathena
import pytest
from botocore.exceptions import ClientError
from pyathena.error import DatabaseError

from deployctl.sandbox.athena.queries import engine_time_s
from deployctl.sandbox.constants import BUCKET
from deployctl.sandbox.environment import variables
from tests.fakes.athena_cloud import DATABASE, athena_cloud

GROUP = "people"


@pytest.fixture(scope="module")
def cloud():
    with athena_cloud(speed=50) as cloud:
        configuration = {"ResultConfiguration": {"OutputLocation": f"s3://{BUCKET}/people/"}}
        configuration["EnforceWorkGroupConfiguration"] = False
        cloud.client("athena").create_work_group(Name=GROUP, Configuration=configuration)
        yield cloud


@pytest.fixture(scope="module")
def athena(cloud):
    return cloud.client("athena")


@pytest.fixture(scope="module")
def glue(cloud):
    return cloud.client("glue")


@pytest.fixture
def run(athena):
    """Run a statement to its end: the QueryExecution."""

    def run(sql, *parameters):
        more = {"ExecutionParameters": list(parameters)} if parameters else {}
        context = {"Database": DATABASE}
        query_id = athena.start_query_execution(
            QueryString=sql, WorkGroup=GROUP, QueryExecutionContext=context, **more
        )["QueryExecutionId"]
        while True:
            execution = athena.get_query_execution(QueryExecutionId=query_id)["QueryExecution"]
            if execution["Status"]["State"] not in ("QUEUED", "RUNNING"):
                return execution
            time.sleep(0.01)

    return run


@pytest.fixture
def ask(athena, run):
    """The rows as texts, without the names, or why the query failed."""

    def ask(sql, *parameters):
        execution = run(sql, *parameters)
        if execution["Status"]["State"] != "SUCCEEDED":
            return execution["Status"]["StateChangeReason"]
        found = athena.get_query_results(QueryExecutionId=execution["QueryExecutionId"])
        rows = [[v.get("VarCharValue") for v in row["Data"]] for row in found["ResultSet"]["Rows"]]
        return rows[1:] if execution["SubstatementType"] == "SELECT" else rows

    return ask


@pytest.mark.parametrize(
    ("sql", "words"),
    [
        ("SELEC 1", "line 1:1: mismatched input 'SELEC'"),
        ("SELECT FROM releases", "mismatched input 'FROM'"),
        ("SELECT * FROM (SELECT 1", "line 1:23: mismatched input '1'"),
        ("SELECT 'a", "line 1:1:"),
        ("SELECT 1; SELECT 2", "Only one sql statement is allowed"),
        ("CREATE TABLE x AS SELECT FROM", "line 1:"),
        ("-- nothing", "<EOF>"),
        ("EXPLAIN SELECT 1", "EXPLAIN is not modelled by the deployctl sandbox"),
    ],
)
def test_a_syntax_error_is_refused_when_the_query_is_started(run, sql, words):
    with pytest.raises(ClientError) as caught:
        run(sql)
    error = caught.value.response["Error"]
    assert error["Code"] == "InvalidRequestException"
    assert words in error["Message"]
    assert error["Message"].isprintable()


@pytest.mark.parametrize(
    ("expression", "text"),
    [
        ("from_unixtime(0)", "1970-01-01 00:00:00.000 UTC"),
        ("date_diff('day', timestamp '2026-01-01 23:00:00', timestamp '2026-01-02 01:00:00')", "0"),
        ("date_diff('hour', timestamp '2026-01-01 23:00:00', timestamp '2026-01-02 01:00:00')", "2"),
        ("date_add('day', 1, date '2026-01-31')", "2026-02-01"),
        ("date '2026-01-31' - interval '1' day", "2026-01-30"),
        ("(SELECT max_by(x, y) FROM (VALUES ('a', 1), (NULL, 2)) AS t(x, y))", None),
        ("(SELECT min_by(x, y) FROM (VALUES ('a', 1), (NULL, 2)) t(x, y))", "a"),
        ("7 / 2", "3"),
        ("-7 / 2", "-3"),
        ("7 / 2.0e0", "3.5"),
        ("trim(chr(9) || ' a ' || chr(10))", "a"),
        ("regexp_extract('abc', 'x')", None),
        ("every(true)", "true"),
        ("array[1, 2]", "[1, 2]"),
        ("array['a', null]", "[a, null]"),
        ("array[3, 1][1]", "3"),
        ("array_join(array_sort(array[3, 1]), '-')", "1-3"),
        ("map(array['a'], array[1])", "{a=1}"),
        ("cast(row(1, 'x') AS row(a integer, b varchar))", "{a=1, b=x}"),
        ("sum(1)", "1"),
    ],
)
def test_a_function_answers_as_athena_does(ask, expression, text):
    assert ask(f"SELECT {expression} AS answer") == [[text]]


def test_a_decimal_has_its_precision_and_scale(athena, run):
    query_id = run("SELECT cast(1.5 AS decimal(10, 2)) AS d, from_unixtime(0) AS z")["QueryExecutionId"]
    found = athena.get_query_results(QueryExecutionId=query_id)["ResultSet"]["ResultSetMetadata"][
        "ColumnInfo"
    ]
    assert [(c["Type"], c["Precision"], c["Scale"]) for c in found] == [
        ("decimal", 10, 2),
        ("timestamp with time zone", 3, 0),
    ]


def test_parameters_stand_wherever_an_expression_may(ask):
    many = "SELECT ? AS a FROM (VALUES 1, 2, 3) AS t(n) WHERE n >= ? ORDER BY n LIMIT ?"
    assert ask(many, "'x'", "2", "1") == [["x"]]


def test_columns_without_a_name_are_numbered_by_their_place(athena, run):
    sql = """SELECT t.*, 'b' AS b, 'c', json_extract('{"d":1}', '$.d'), array[1][1], (SELECT 1), n, t.n + 1
        FROM (VALUES 1) AS t(n)"""
    found = athena.get_query_results(QueryExecutionId=run(sql)["QueryExecutionId"])["ResultSet"]
    names = [column["Name"] for column in found["ResultSetMetadata"]["ColumnInfo"]]
    assert names == ["n", "b", "_col2", "_col3", "_col4", "_col5", "n", "_col7"]


def test_values_are_a_query(ask):
    assert ask("VALUES (1, 'a'), (2, 'b')") == [["1", "a"], ["2", "b"]]
    assert ask("VALUES 1, 2;") == [["1"], ["2"]]


def test_the_information_schema_has_the_catalog(ask):
    schemata = ask("SELECT schema_name FROM information_schema.schemata ORDER BY 1")
    assert [DATABASE] in schemata
    assert ["information_schema"] in schemata
    where = f"table_schema = '{DATABASE}' AND table_name = 'releases'"
    assert ask(f"SELECT table_type FROM information_schema.tables WHERE {where}") == [["BASE TABLE"]]
    columns = ask(
        f"SELECT column_name, data_type, extra_info FROM information_schema.columns WHERE {where}"
        " AND column_name IN ('version', 'workers', 'day') ORDER BY ordinal_position"
    )
    assert columns == [
        ["version", "varchar", None],
        ["workers", "bigint", None],
        ["day", "varchar", "partition key"],
    ]


def test_a_table_is_described_in_hives_lines(athena, ask, run):
    described = [row[0] for row in ask(f"DESCRIBE `{DATABASE}`.`releases`")]
    assert described[0] == "\t".join(cell.ljust(20) for cell in ("release_id", "string", ""))
    assert "# Partition Information\t \t " in described
    assert ask("SHOW COLUMNS IN releases")[0] == ["release_id".ljust(20)]
    assert ask("SHOW PARTITIONS releases") == []
    assert ask("SHOW TABLES 'rel*'") == [["releases"]]
    created = "\n".join(row[0] for row in ask("SHOW CREATE TABLE releases"))
    assert created.startswith(f"CREATE EXTERNAL TABLE `{DATABASE}.releases`(\n  `release_id` string, \n")
    assert "'projection.enabled'='true'" in created
    assert "TABLE_NOT_FOUND" in ask("DESCRIBE nowhere")


def test_the_created_statement_creates_the_table_again(ask):
    """awswrangler and people copy it."""
    created = "\n".join(row[0] for row in ask("SHOW CREATE TABLE releases"))
    described = ask("DESCRIBE releases")
    copy = created.replace(f"`{DATABASE}.releases`", f"`{DATABASE}`.`copied`")
    copy = copy[: copy.index("ROW FORMAT")] + "STORED AS PARQUET " + copy[copy.index("LOCATION") :]
    assert ask(copy) == []
    assert ask("DESCRIBE copied") == described
    assert ask("DROP TABLE copied") == []


def test_awswranglers_default_call(cloud, athena, glue, run):
    """CREATE TABLE AS into a table of its own, its objects by the manifest, then Glue's DeleteTable."""
    name = f"temp_table_{uuid.uuid4().hex}"
    location = f"s3://{BUCKET}/people/{name}"
    execution = run(
        f'CREATE TABLE "{DATABASE}"."{name}"\nWITH(\n    external_location = \'{location}\',\n'
        "    parquet_compression = 'SNAPPY',\n    format = 'PARQUET')\nAS SELECT 1 AS a, 'x' AS b,"
        " cast(1.5 AS decimal(5, 2)) AS d, array['q'] AS e"
    )
    assert execution["Status"]["State"] == "SUCCEEDED"
    assert (execution["StatementType"], execution["SubstatementType"]) == ("DDL", "CREATE_TABLE_AS_SELECT")
    s3 = cloud.client("s3")
    (bucket, key) = execution["Statistics"]["DataManifestLocation"].removeprefix("s3://").split("/", 1)
    (written,) = s3.get_object(Bucket=bucket, Key=key)["Body"].read().decode().split()
    assert written.startswith(location)
    body = s3.get_object(Bucket=BUCKET, Key=written.removeprefix(f"s3://{BUCKET}/"))["Body"].read()
    assert pq.read_table(io.BytesIO(body)).column("a").to_pylist() == [1]
    table = glue.get_table(DatabaseName=DATABASE, Name=name)["Table"]
    assert [(c["Name"], c["Type"]) for c in table["StorageDescriptor"]["Columns"]] == [
        ("a", "int"), ("b", "string"), ("d", "decimal(5,2)"), ("e", "array<string>"),
    ]  # fmt: skip
    glue.delete_table(DatabaseName=DATABASE, Name=name)
    with pytest.raises(glue.exceptions.EntityNotFoundException):
        glue.get_table(DatabaseName=DATABASE, Name=name)


def test_glue_has_athenas_catalog(glue):
    assert DATABASE in {each["Name"] for each in glue.get_databases()["DatabaseList"]}
    assert glue.get_database(Name=DATABASE)["Database"]["Name"] == DATABASE
    tables = {table["Name"]: table for table in glue.get_tables(DatabaseName=DATABASE)["TableList"]}
    assert tables["releases"]["PartitionKeys"] == [{"Name": "day", "Type": "string"}]
    assert glue.get_partitions(DatabaseName=DATABASE, TableName="releases")["Partitions"] == []
    with pytest.raises(glue.exceptions.EntityNotFoundException):
        glue.get_tables(DatabaseName="nowhere")


def test_a_created_table_takes_inserted_rows_and_is_unloaded(athena, ask, run):
    name = f"t_{uuid.uuid4().hex[:8]}"
    assert ask(f"CREATE TABLE {name} AS SELECT ? AS n, array['x'] AS words", "1") == []
    assert "already exists" in ask(f"CREATE TABLE {name} AS SELECT 1 AS n")
    assert ask(f"CREATE TABLE IF NOT EXISTS {name} AS SELECT 1 AS n") == []
    assert ask(f"INSERT INTO {name} VALUES (2, array['y', 'z'])") == []
    assert ask(f"SELECT n, words FROM {name} ORDER BY n") == [["1", "[x]"], ["2", "[y, z]"]]
    assert "TYPE_MISMATCH" in ask(f"INSERT INTO {name} SELECT 'text', array['x']")
    unload = f"UNLOAD (SELECT n FROM {name}) TO 's3://{BUCKET}/{name}-out/' WITH (format = 'PARQUET')"
    execution = run(unload)
    assert execution["Status"]["State"] == "SUCCEEDED"
    assert execution["Statistics"]["DataManifestLocation"].endswith("-manifest.csv")
    assert "HIVE_PATH_ALREADY_EXISTS" in ask(unload)
    assert ask(f"DROP TABLE {name}") == []


def test_a_larger_scan_takes_longer():
    assert engine_time_s(0) < 1
    assert engine_time_s(10**9) > engine_time_s(10**7) + 5


def test_pyathena_reads_rows_types_and_errors(cloud, monkeypatch):
    for name, value in variables(cloud.endpoint, os.environ).items():
        monkeypatch.setenv(name, value)
    connection = pyathena.connect(work_group=GROUP, schema_name=DATABASE, poll_interval=0.05)
    cursor = connection.cursor()
    cursor.execute("SELECT ? AS a, cast(1.5 AS decimal(5, 2)) AS d", ["1"], paramstyle="qmark")
    assert [column[:2] + column[4:6] for column in cursor.description] == [
        ("a", "integer", 10, 0),
        ("d", "decimal", 5, 2),
    ]
    assert [float(value) for value in cursor.fetchone()] == [1, 1.5]
    assert ("releases",) in cursor.execute("SHOW TABLES").fetchall()
    with pytest.raises(DatabaseError, match="mismatched input 'selec'"):
        cursor.execute("selec 1")
