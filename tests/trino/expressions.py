"""Every function that `lake.portable` lets through, tried on edge cases; a table is there as `fleet_spans`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

_AT = "TIMESTAMP '2026-03-29 01:59:59.987'"
_OVER = "FROM fleet_spans WHERE day >= '2026' AND application = 'shop'"


def _over(expression: str) -> str:
    """An aggregate over all rows."""
    return f"SELECT {expression} AS x {_OVER}"


def _window(expression: str) -> str:
    window = "OVER (PARTITION BY group_name ORDER BY instance_id, began_at)"
    return f"SELECT {expression} {window} AS x {_OVER} ORDER BY group_name, instance_id, began_at"


EXPRESSIONS: Mapping[str, Sequence[str]] = {
    "ABS": ["ABS(-3)", "ABS(-1.5e0)", "ABS(CAST(NULL AS bigint))"],
    "APPROX_PERCENTILE": [
        # Of one value only: of several, the two engines estimate differently.
        "SELECT APPROX_PERCENTILE(v, 0.95) AS x FROM (VALUES 3e0) AS t (v)"
    ],
    "ARBITRARY": ["SELECT ARBITRARY(v) AS x FROM (VALUES 3, 3, 3) AS t (v)"],
    "ARRAY_AGG": ["SELECT CARDINALITY(ARRAY_AGG(v ORDER BY v)) AS x FROM (VALUES 3, 1, NULL) AS t (v)"],
    "AVG": [_over("AVG(minutes)"), "SELECT AVG(v) AS x FROM (VALUES 1, 2, NULL) AS t (v)"],
    "BOOL_AND": [
        _over("BOOL_AND(category = 'current')"),
        "SELECT BOOL_AND(v) AS x FROM (VALUES true, NULL) AS t (v)",
    ],
    "BOOL_OR": [
        _over("BOOL_OR(category = 'current')"),
        "SELECT BOOL_OR(v) AS x FROM (VALUES false, NULL) AS t (v)",
    ],
    "CARDINALITY": ["CARDINALITY(ARRAY[1, 2, NULL])", "CARDINALITY(SEQUENCE(1, 5))"],
    "CAST": [
        "CAST(FLOOR(2.5e0) AS bigint)",
        "CAST(ROUND(2.5e0) AS bigint)",
        "CAST(ROUND(-2.5e0) AS bigint)",
        "CAST('12' AS bigint)",
        "CAST(12 AS varchar)",
        "CAST(true AS varchar)",
        f"CAST(CAST({_AT} AS date) AS varchar)",
        "CAST('2026-01-02 03:04:05' AS timestamp)",
        "CAST(7 AS double) / CAST(2 AS double)",
    ],
    "CEIL": ["CEIL(1.2e0)", "CEIL(-1.2e0)", "CAST(CEIL(2e0) AS bigint)"],
    "CHR": ["CHR(10)", "CHR(252)"],
    "COALESCE": ["COALESCE(NULL, 'a')", "COALESCE(CAST(NULL AS varchar), NULL, '')"],
    "CONCAT": ["CONCAT('a', 'b', 'c')", "CONCAT('a', CAST(NULL AS varchar))"],
    "CONCAT_WS": [
        "CONCAT_WS('; ', 'a', CAST(NULL AS varchar), 'b', '')",
        "CONCAT_WS(' ', CAST(NULL AS varchar))",
    ],
    "COUNT": [_over("COUNT(*)"), _over("COUNT(cause)"), _over("COUNT(DISTINCT deployed_version)")],
    "COUNT_IF": [_over("COUNT_IF(category = 'current')"), _over("COUNT_IF(cause = 'none')")],
    "DATE_FORMAT": [f"DATE_FORMAT({_AT}, '%Y-%m-%d-%H')", f"DATE_FORMAT({_AT}, '%Y-%m-%d %H:%i')"],
    "DATE_PARSE": ["DATE_PARSE('2026-11-22-07', '%Y-%m-%d-%H')"],
    "DATE_TRUNC": [f"DATE_TRUNC('{unit}', {_AT})" for unit in ("minute", "hour", "day", "week", "month")],
    "DENSE_RANK": [_window("DENSE_RANK()")],
    "ELEMENT_AT": [
        "ELEMENT_AT(ARRAY['a', 'b'], 2)",
        "ELEMENT_AT(ARRAY['a', 'b'], 3)",
        "ELEMENT_AT(ARRAY['a'], -1)",
    ],
    "FILTER": [
        "CARDINALITY(FILTER(ARRAY[1, 2, 3], v -> v > 1))",
        _over("COUNT(*) FILTER (WHERE cause IS NULL)"),
    ],
    "FIRST_VALUE": [_window("FIRST_VALUE(minutes)")],
    "FLOOR": ["FLOOR(1.8e0)", "FLOOR(-1.2e0)", "CAST(FLOOR(2e0) AS bigint)"],
    "FROM_ISO8601_TIMESTAMP": [
        "CAST(FROM_ISO8601_TIMESTAMP('2026-11-22T12:00:00Z') AS timestamp)",
        "CAST(FROM_ISO8601_TIMESTAMP('2026-11-22T12:00:00.123Z') AS timestamp)",
    ],
    "FROM_UNIXTIME": [
        "CAST(FROM_UNIXTIME(1795305600e0) AS timestamp)",
        "CAST(FROM_UNIXTIME(0.5e0) AS timestamp)",
    ],
    "GREATEST": ["GREATEST(1, 3, 2)", "GREATEST(1, CAST(NULL AS bigint))", "GREATEST('a', 'B')"],
    "IF": ["IF(1 > 2, 'a', 'b')", "IF(NULL, 'a')"],
    "JSON_EXTRACT_SCALAR": [
        """JSON_EXTRACT_SCALAR('{"a": {"b": 7}}', '$.a.b')""",
        """JSON_EXTRACT_SCALAR('{"a": "x"}', '$.c')""",
    ],
    "LAG": [_window("LAG(ended_at)"), _window("LAG(minutes, 2, 0)")],
    "LAST_VALUE": [_window("LAST_VALUE(minutes)")],
    "LEAD": [_window("LEAD(began_at)")],
    "LEAST": ["LEAST(3, 1, 2)", "LEAST(1, CAST(NULL AS bigint))", f"LEAST({_AT}, CAST(NULL AS timestamp))"],
    "LENGTH": ["LENGTH('ü🙂')", "LENGTH('')"],
    "LISTAGG": [_over("LISTAGG(DISTINCT category, ',') WITHIN GROUP (ORDER BY category)")],
    "LOWER": ["LOWER('ÄBc')"],
    "MAX": [_over("MAX(ended_at)"), _over("MAX(cause)"), _over("MAX(minutes)")],
    "MIN": [_over("MIN(began_at)"), _over("MIN(minutes) FILTER (WHERE minutes > 9999)")],
    "NTILE": [_window("NTILE(3)")],
    "NULLIF": ["NULLIF('', '')", "NULLIF('a', '')"],
    "RANK": [_window("RANK()")],
    "REDUCE": ["REDUCE(ARRAY[1, 2, 3], 0, (s, v) -> s + v, s -> s)"],
    "REGEXP_EXTRACT": [
        "NULLIF(REGEXP_EXTRACT('exit code 12!', 'exit code [0-9]+'), '')",
        "NULLIF(REGEXP_EXTRACT('nothing', 'exit code [0-9]+'), '')",
        r"NULLIF(REGEXP_EXTRACT(CONCAT('a', CHR(10), CHR(9), 'b c', CHR(10)), '([^ \t\n][^\n]*)[ \n]*$', 1), '')",
    ],
    "REGEXP_LIKE": ["REGEXP_LIKE('video-encode', '^video-')", "REGEXP_LIKE('x', 'y')"],
    "REPLACE": ["REPLACE('a.b.c', '.', '-')", "REPLACE('abc', 'b')", "REPLACE('abc', CHR(10), ' ')"],
    "ROUND": ["ROUND(2.5e0)", "ROUND(-2.5e0)", "ROUND(2.345e0, 2)"],
    "ROW_NUMBER": [_window("ROW_NUMBER()")],
    "SEQUENCE": ["SELECT v AS x FROM UNNEST(SEQUENCE(-1, 3)) AS t (v) ORDER BY v"],
    "STARTS_WITH": ["STARTS_WITH('video-encode', 'video-')", "STARTS_WITH('a', 'b')"],
    "STRPOS": ["STRPOS('high', 'g')", "STRPOS('high', 'x')"],
    "SUBSTR": ["SUBSTR('abcdef', 2, 3)", "SUBSTR('abc', 9)", "SUBSTR('abcdef', -2)", "SUBSTR('ü🙂x', 2, 1)"],
    "SUBSTRING": ["SUBSTRING('abcdef', 3)"],
    "SUM": [
        _over("SUM(minutes)"),
        "SELECT SUM(v) AS x FROM (VALUES 1.5e0, 2.5e0) AS t (v)",
        "SELECT SUM(v) FILTER (WHERE v > 9) AS x FROM (VALUES 1, 2) AS t (v)",
    ],
    "TO_UNIXTIME": [f"TO_UNIXTIME({_AT})", "TO_UNIXTIME(TIMESTAMP '1969-12-31 23:59:59')"],
    "TRANSFORM": ["CARDINALITY(TRANSFORM(ARRAY[1, 2], v -> v * 2))"],
    "TRY": ["TRY(CAST('x' AS bigint))"],
    "TRY_CAST": ["TRY_CAST('x' AS bigint)", "TRY_CAST('7' AS bigint)", "TRY_CAST('2026-13-01' AS date)"],
    "UNNEST": ["SELECT v, n FROM UNNEST(ARRAY['a', 'b']) WITH ORDINALITY AS t (v, n) ORDER BY n"],
    "UPPER": ["UPPER('äbC')"],
}

#: What `lake.portable` refuses because the engines differ, silently or not.
DIFFERENT: Sequence[str] = (
    "DATE_DIFF('day', TIMESTAMP '2026-01-01 23:00:00', TIMESTAMP '2026-01-02 01:00:00')",
    "DATE_ADD('day', 1, DATE '2026-01-01')",
    "7 / 2",
    "SELECT MAX_BY(v, n) AS x FROM (VALUES ('a', 1), (CAST(NULL AS varchar), 2)) AS t (v, n)",
    "REGEXP_EXTRACT('a', 'b')",
    "TRIM(CONCAT('a', CHR(10)))",
    "CAST(2.5e0 AS bigint)",
    "CAST(1e20 AS varchar)",
    "CAST(TIMESTAMP '2026-01-01 00:00:00.120' AS varchar)",
    "CAST('abcdef' AS varchar(3))",
    "SELECT EVERY(v) AS x FROM (VALUES true) AS t (v)",
)
