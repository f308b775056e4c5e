"""Each rule of SQL that means the same on Athena and on DuckDB, broken once."""

import pytest

from deployctl.lake.sql import SqlRejected
from deployctl.sandbox.athena import sql_portability
from deployctl.sandbox.athena.sql_portability import portability_issues
from tests.trino.expressions import DIFFERENT, EXPRESSIONS

TABLES = {
    "t": {
        "name": "varchar",
        "count_a": "bigint",
        "count_b": "bigint",
        "at": "timestamp",
        "share": "double",
        "ok": "boolean",
    }
}


@pytest.mark.parametrize(
    ("broken", "words"),
    [
        ("SELECT DATE_DIFF('day', at, at) FROM t", "DATE_DIFF"),
        ("SELECT DATE_ADD('day', 1, at) FROM t", "DATE_ADD"),
        ("SELECT MAX_BY(name, at) FROM t", "MAX_BY"),
        ("SELECT MIN_BY(name, at) FROM t", "MIN_BY"),
        ("SELECT JSON_VALUE(name, 'lax $.k') FROM t", "JSON_VALUE"),
        ("SELECT FORMAT('%s', name) FROM t", "FORMAT"),
        ("SELECT TO_ISO8601(at) FROM t", "TO_ISO8601"),
        ("SELECT STRFTIME(at, '%Y') FROM t", "STRFTIME"),
        ("SELECT IFNULL(name, '') FROM t", "IFNULL"),
        ("SELECT EPOCH_MS(at) FROM t", "EPOCH_MS"),
        ("SELECT MAP_AGG(name, at) FROM t", "MAP_AGG"),
        ("SELECT MAP(ARRAY['a'], ARRAY[1]) FROM t", "MAP"),
        ("SELECT ARRAY_AGG(name)[1] FROM t", "ELEMENT_AT"),
        ("SELECT count_a / count_b FROM t", "truncates"),
        ("SELECT CAST(share AS varchar) FROM t", "write it differently"),
        ("SELECT CAST(at AS varchar) FROM t", "write it differently"),
        ("SELECT CAST(name AS varchar(3)) FROM t", "truncate"),
        ("SELECT REGEXP_EXTRACT(name, 'a+') FROM t", "NULLIF"),
        ("SELECT TRIM(name) FROM t", "tabs"),
        ("SELECT EVERY(ok) FROM t", "BOOL_AND"),
        ("SELECT CAST(share AS bigint) FROM t", "a half"),
        ("SELECT TRY_CAST(share * 2 AS bigint) FROM t", "a half"),
        ("SELECT CAST(GREATEST(FLOOR(share), 0.5e0) AS bigint) FROM t", "a half"),
        ("SELECT CAST(ROUND(share, 1) AS bigint) FROM t", "a half"),
        ("SELECT FROM_ISO8601_TIMESTAMP(name) FROM t", "time zone"),
        ("SELECT CURRENT_TIMESTAMP FROM t", "time zone"),
        ("SELECT APPROX_PERCENTILE(share, 0.95e0) FROM t", "plain decimal"),
        ("SELECT APPROX_PERCENTILE(share, ARRAY[0.5, 0.9]) FROM t", "plain decimal"),
        ("SELECT name FROM t WHERE at > '2026-01-01'", "without a CAST"),
        ("SELECT name FROM t WHERE count_a = '1'", "without a CAST"),
        ("SELECT name FROM t WHERE name IN (1, 2)", "without a CAST"),
        ("SELECT name FROM t WHERE at BETWEEN '2026-01-01' AND '2026-01-02'", "without a CAST"),
        ("SELECT name FROM t WHERE ok = 1", "without a CAST"),
        ("SELECT name, ? FROM t", "outside WHERE"),
        ("SELECT name FROM t GROUP BY name HAVING COUNT(*) > ?", "outside WHERE"),
        ("SELECT name FROM t LIMIT ?", "outside WHERE"),
        ("SELECT name FROM t WHERE name IN (SELECT ? FROM t)", "outside WHERE"),
    ],
)
def test_a_broken_rule_is_found(broken, words):
    (*_, last) = portability_issues(broken, TABLES)
    assert words in last


@pytest.mark.parametrize(
    "sound",
    [
        "SELECT name FROM t WHERE name = ? AND count_a > ?",
        "SELECT FLOOR((TO_UNIXTIME(at) - TO_UNIXTIME(at)) / 60e0) FROM t",
        "SELECT CAST(count_a AS double) / CAST(count_b AS double) FROM t",
        "SELECT NULLIF(REGEXP_EXTRACT(name, 'a+'), '') FROM t",
        "SELECT CAST(FROM_ISO8601_TIMESTAMP(name) AS timestamp) FROM t WHERE at > TIMESTAMP '2026-01-01 00:00:00'",
        "WITH u (a) AS (SELECT name FROM t) SELECT a, ROW_NUMBER() OVER (PARTITION BY a ORDER BY a) FROM u",
        "SELECT COUNT(*) FILTER (WHERE ok), LISTAGG(name, ',') WITHIN GROUP (ORDER BY name) FROM t",
        "SELECT APPROX_PERCENTILE(share, 0.95) FROM t WHERE name IN ('a', 'b') AND share > 1",
        "SELECT CAST(FLOOR(share) AS bigint), CAST(ROUND(share) AS bigint), CAST(CEIL(share) AS bigint) FROM t",
        "SELECT CAST(GREATEST(FLOOR(share), 0e0) AS bigint), CAST(count_a AS double), CAST('7' AS bigint) FROM t",
        "SELECT v FROM t CROSS JOIN UNNEST(SEQUENCE(1, 3)) AS u (v)",
        "SELECT 'DATE_DIFF(' FROM t -- MAX_BY(",
    ],
)
def test_a_sound_query_has_no_fault(sound):
    assert portability_issues(sound, TABLES) == []


@pytest.mark.parametrize(
    "statement",
    ["SELECT", "DELETE FROM t", "SELECT 1; SELECT 2", "SELECT nothing FROM t", 'SELECT "$path" FROM t'],
)
def test_a_query_of_other_tables_is_rejected(statement):
    with pytest.raises(SqlRejected):
        portability_issues(statement, TABLES)


def test_every_allowed_function_is_tried_on_a_real_trino():
    assert set(EXPRESSIONS) == set(sql_portability._FUNCTIONS)


@pytest.mark.parametrize("expression", DIFFERENT)
def test_a_query_that_a_real_trino_answers_differently_is_refused(expression):
    sql = expression if expression.startswith("SELECT") else f"SELECT {expression} AS x"
    assert portability_issues(sql, {})
