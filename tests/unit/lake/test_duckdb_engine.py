"""DuckDB over the lake: reads what the query needs, and answers as Athena would."""

import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from textwrap import dedent

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from deployctl.lake.duckdb_engine import DuckEngine
from deployctl.lake.parquet import LakeObjectDamaged, encode
from deployctl.lake.schema import RELEASES, SNAPSHOTS
from deployctl.lake.sql import SqlRejected, bind, literal
from deployctl.model.fleet import SnapshotRow
from deployctl.model.lake import ReleaseRow

NOON = datetime(2026, 11, 22, 12, 0, 0, tzinfo=UTC)


def release(number, **changes):
    facts = {
        "release_id": f"r-{number}",
        "application": "shop",
        "version": f"v{number}",
        "sequence": number,
        "actor": "ci",
        "group_name": "video",
        "deployment_id": f"d-{number}",
        "strategy": "half",
        "verdict": "verified",
        "reason": None,
        "started_at": NOON,
        "finished_at": NOON + timedelta(minutes=6),
        "previous_version": None,
        "workers": 6,
        "workers_verified": 6,
        "workers_excused": 0,
        "workers_failed": 0,
    }
    return ReleaseRow(**{**facts, **changes})


@pytest.fixture
def engine(lake, row):
    """Three hours with two snapshots each, and three days of releases."""
    for hour in range(3):
        at = NOON - timedelta(hours=hour)
        for name in ("a", "b"):
            snapshot_id = f"{name}{hour}"
            rows = [row(snapshot_id=snapshot_id, snapshot_at=at, instance_id=f"i-{n}") for n in range(3)]
            lake.write(SNAPSHOTS.key(at, snapshot_id), encode(rows, SnapshotRow))
    for day in range(3):
        lake.write(RELEASES.key(NOON - timedelta(days=day), f"r-{day}"), encode([release(day)], ReleaseRow))
    return DuckEngine(lake)


def one(result):
    (row,) = result.rows
    (value,) = row.values()
    return value


@pytest.mark.parametrize(
    ("where", "parameters", "reads"),
    [
        ("snap_hour = ?", ("2026-11-22-11",), 2),
        ("snap_hour = ? AND snapshot_id = ?", ("2026-11-22-11", "a1"), 1),
        ("'2026-11-22-11' = snap_hour AND snapshot_id IN ('a1', 'b1')", (), 2),
        ("snap_hour IN ('2026-11-22-11', '2026-11-22-12', '1999-01-01-00')", (), 4),
        ("snap_hour >= '2026-11-22-11'", (), 4),
        ("snap_hour BETWEEN '2026-11-22-10' AND '2026-11-22-11'", (), 4),
        ("snap_hour = '2026-11-22-11' OR snap_hour = '2026-11-22-10'", (), 4),
        ("(snap_hour > '2026-11-22-10' AND is_spot) AND SUBSTR(snap_hour, 12) = '11'", (), 2),
        ("snap_hour = '2026-11-22-11' AND snap_hour = '2026-11-22-12'", (), 0),
        ("snap_hour LIKE '%-12' AND (is_spot OR snap_hour = 'x')", (), 2),
        ("is_spot", (), 6),
    ],
)
def test_only_partitions_that_the_predicate_leaves_are_read(engine, lake, where, parameters, reads):
    found = engine.run(f"SELECT COUNT(*) FROM fleet_snapshots WHERE {where}", parameters)
    assert len(lake.reads) == reads
    assert one(found) == 3 * reads
    assert found.bytes_scanned == sum(len(lake.objects[key]) for key in lake.reads)


def test_an_outer_join_keeps_the_rows_that_no_partition_has(engine):
    sql = """
        SELECT COUNT(*) FROM (SELECT DISTINCT group_name FROM fleet_snapshots) AS f
        LEFT JOIN releases AS r ON r.group_name = f.group_name AND r.verdict = 'nothing'
        WHERE r.day IS NULL
    """
    assert one(engine.run(sql)) == 1


def test_each_mention_of_a_table_reads_its_own_partitions(engine, lake):
    sql = """
        WITH today AS (SELECT version FROM releases WHERE day = '2026-11-22'),
        before AS (SELECT version FROM releases WHERE day < '2026-11-22')
        SELECT (SELECT COUNT(*) FROM today) * 10 + (SELECT COUNT(*) FROM before) AS n FROM today
    """
    assert one(engine.run(sql)) == 12
    assert len(lake.reads) == 3


def test_the_partition_column_can_be_selected(engine):
    found = engine.run("SELECT day, version FROM releases ORDER BY day")
    assert [tuple(row.values()) for row in found.rows] == [
        ("2026-11-20", "v2"),
        ("2026-11-21", "v1"),
        ("2026-11-22", "v0"),
    ]
    assert one(engine.run("SELECT MAX(day) FROM releases")) == "2026-11-22"


def test_counting_rows_needs_no_column(engine):
    assert one(engine.run("SELECT COUNT(*) AS n FROM releases")) == 3


def test_a_column_without_a_name_is_called_as_athena_calls_it(engine):
    (row,) = engine.run("SELECT COUNT(*), MAX(version) AS v, 1 FROM releases").rows
    assert row == {"_col0": 3, "v": "v2", "_col2": 1}


def test_an_empty_lake_has_no_rows(lake):
    assert DuckEngine(lake).run("SELECT * FROM releases WHERE day = '2026-11-22'").rows == []


def test_objects_of_different_ages_are_read_together(engine, lake):
    old = pa.table({"release_id": ["r-old"], "version": ["v-old"]})
    sink = pa.BufferOutputStream()
    pq.write_table(old, sink)
    lake.write("releases/day=2024-11-22/old.parquet", bytes(sink.getvalue()))
    found = engine.run("SELECT version, sequence, day FROM releases WHERE day <= '2026-11-20' ORDER BY day")
    assert [tuple(row.values()) for row in found.rows] == [
        ("v-old", None, "2024-11-22"),
        ("v2", 2, "2026-11-20"),
    ]


def test_a_column_of_another_type_than_declared_is_bad_data(lake):
    sink = pa.BufferOutputStream()
    pq.write_table(pa.table({"sequence": ["seven"]}), sink)
    lake.write("releases/day=2026-11-22/bad.parquet", bytes(sink.getvalue()))
    with pytest.raises(LakeObjectDamaged, match="HIVE_BAD_DATA"):
        DuckEngine(lake).run("SELECT sequence FROM releases")


@pytest.mark.parametrize("hostile", ["it's", "'; DROP TABLE releases; --", "?", "a\\'b", "--", "🙂"])
def test_a_parameter_is_a_value_and_nothing_else(lake, hostile):
    lake.write(RELEASES.key(NOON, "r-1"), encode([release(1, actor=hostile)], ReleaseRow))
    sql = "SELECT actor FROM releases WHERE day = ? AND actor = ? AND sequence = ?"
    assert one(DuckEngine(lake).run(sql, ("2026-11-22", hostile, 1))) == hostile


def test_question_marks_in_texts_and_comments_are_no_parameters():
    assert bind("SELECT '?', \"?\" -- ?\nFROM t WHERE a = ? AND b = ?", [literal("x"), literal(2)]) == (
        "SELECT '?', \"?\" -- ?\nFROM t WHERE a = 'x' AND b = 2"
    )


@pytest.mark.parametrize("given", [(), ("a", "b")])
def test_as_many_parameters_as_marks(engine, given):
    with pytest.raises(SqlRejected, match="parameters"):
        engine.run("SELECT version FROM releases WHERE day = ?", given)


@pytest.mark.parametrize("zone", ["UTC", "America/New_York", "Asia/Kolkata"])
def test_the_zone_of_this_machine_changes_no_answer(zone):
    """Athena's session is in UTC."""
    ask = """
        from deployctl.lake.duckdb_query import execute, connect
        with connect() as connection:
            print(execute("SELECT CAST(FROM_UNIXTIME(3600e0) AS timestamp) AS at", (), None, connection).rows)
    """
    environment = {**os.environ, "TZ": zone}
    done = subprocess.run(
        [sys.executable, "-c", dedent(ask)], env=environment, capture_output=True, text=True, check=True
    )
    assert done.stdout == "[(datetime.datetime(1970, 1, 1, 1, 0),)]\n"


def test_a_deleted_working_directory_does_not_end_the_process(tmp_path):
    ask = """
        import os
        from deployctl.lake.duckdb_query import connect, execute
        os.rmdir(os.getcwd())
        with connect() as connection:
            print(execute("SELECT 1 AS n", (), None, connection).rows)
    """
    (tmp_path / "gone").mkdir()
    done = subprocess.run(
        [sys.executable, "-c", dedent(ask)],
        cwd=tmp_path / "gone",
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (0, "[(1,)]\n")


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT * FROM nowhere",
        "SELECT nothing FROM releases",
        "DELETE FROM releases",
        "COPY releases TO '/tmp/x'",
        "SELECT * FROM read_csv('/etc/passwd')",
        "SELECT content FROM '/etc/passwd'",
        "SELECT 1; SELECT 2",
        "SELECT FROM WHERE",
    ],
)
def test_a_statement_that_is_no_query_is_rejected(engine, sql):
    with pytest.raises(SqlRejected):
        engine.run(sql)


def test_a_repeated_statement_answers_for_its_own_parameters(engine):
    sql = "SELECT MAX(instance_id) FROM fleet_snapshots WHERE snap_hour = ? AND instance_id <= ?"
    asked = [("2026-11-22-11", "i-1"), ("2026-11-22-12", "i-0"), ("2026-11-22-12", "i-9")]
    assert [one(engine.run(sql, parameters)) for parameters in asked] == ["i-1", "i-0", "i-2"]


def test_a_value_that_looks_like_a_parameter_stays_text(engine):
    sql = "SELECT COUNT(*) FROM fleet_snapshots WHERE instance_id <> ? AND snap_hour = ?"
    assert one(engine.run(sql, ("$deployctl_parameter_1", "2026-11-22-11"))) == 6
    assert one(engine.run(sql, ("\\g<0>'; --", "2026-11-22-11"))) == 6


def test_a_negative_number_may_stand_behind_a_minus(engine):
    assert (
        one(engine.run("SELECT COUNT(*) * -? FROM fleet_snapshots WHERE snap_hour = '2026-11-22-11'", (-5,)))
        == 30
    )
