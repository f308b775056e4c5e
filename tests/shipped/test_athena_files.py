"""What lies under athena/: queries that mean the same on both engines, and tables that fit what is written."""

import re
from collections import defaultdict
from pathlib import Path

import pytest
import sqlglot
import trino_query_parser
from sqlglot import exp

from deployctl import assets
from deployctl.lake import ddl
from deployctl.lake.schema import TABLES
from deployctl.model.cause import Category, Cause
from deployctl.model.group_finding import GroupCause
from deployctl.model.termination_reason import TerminationReason
from deployctl.sandbox.athena.sql_portability import portability_issues

QUERIES = sorted((assets.athena_dir() / "queries").glob("*.sql"))
CAUSES = Path(__file__).parents[2] / "docs" / "causes.md"
COLUMNS = {t.name: {**t.sql_columns, t.partition: "varchar"} for t in TABLES.values()}
LOCATION = ddl.lake_location("bucket")
ARROW_TO_HIVE = {"varchar": "string", "bigint": "bigint", "boolean": "boolean", "timestamp": "timestamp"}


@pytest.fixture(params=QUERIES, ids=lambda path: path.stem)
def sql(request):
    return request.param.read_text(encoding="utf-8")


def test_a_query_is_parsed_by_trinos_own_grammar(sql):
    trino_query_parser.parse_statement(sql)


def test_the_grammar_does_refuse():
    with pytest.raises(trino_query_parser.TrinoSyntaxError):
        trino_query_parser.parse_statement("SELECT a FROM t WHERE b = 1 QUALIFY ROW_NUMBER() OVER () = 1")


def test_a_query_means_the_same_on_both_engines(sql):
    assert portability_issues(sql, COLUMNS) == []


def test_a_query_names_its_partitions(sql):
    assert re.search(r"\b(snap_hour|day)\s*(=|>=|BETWEEN|IN)", sql)


def test_reconcile_gives_the_closed_lists_and_nothing_else():
    tree = sqlglot.parse_one(assets.query("reconcile"), read="athena")
    given = defaultdict(set)
    for alias in tree.find_all(exp.Alias):
        if alias.alias in ("category", "cause", "stop_cause") and isinstance(alias.this, exp.Case):
            given[alias.alias.removeprefix("stop_")] |= {text.name for text in _results(alias.this)}
    # The reason of a termination is decoded in Python and passed through.
    given["cause"] |= {Cause(reason.value) for reason in TerminationReason}
    assert given == {"category": set(Category), "cause": set(Cause)}


def _results(case):
    for branch in [*(when.args["true"] for when in case.args["ifs"]), case.args.get("default")]:
        if isinstance(branch, exp.Case):
            yield from _results(branch)
        elif isinstance(branch, exp.Literal):
            yield branch


def test_every_cause_and_every_category_is_documented():
    first_cells = re.findall(r"^\| `([a-z-]+)` \|", CAUSES.read_text(encoding="utf-8"), re.MULTILINE)
    assert sorted(first_cells) == sorted([*Category, *Cause, *GroupCause])


@pytest.fixture(params=TABLES.values(), ids=lambda table: table.name)
def table(request):
    return request.param


@pytest.fixture
def create(table):
    return sqlglot.parse_one(ddl.create_tables("lake", LOCATION)[table.name], read="athena")


@pytest.fixture
def properties(create):
    return {p.name: p.args["value"].name for p in create.find_all(exp.Property) if p.args.get("value")}


def test_a_tables_columns_are_those_of_its_objects(table, create):
    declared = {c.name: c.kind.sql(dialect="hive").lower() for c in create.this.expressions}
    assert declared == {name: ARROW_TO_HIVE[kind] for name, kind in table.sql_columns.items()}
    assert list(declared) == list(table.sql_columns)


def test_a_tables_partition_is_that_of_its_keys(table, create, properties):
    (partition,) = create.find(exp.PartitionedByProperty).this.expressions
    assert (partition.name, partition.kind.sql(dialect="hive").lower()) == (table.partition, "string")
    folder = f"{LOCATION}{table.prefix('${' + table.partition + '}')}"
    assert properties["storage.location.template"] == folder
    assert create.find(exp.LocationProperty).this.name == f"{LOCATION}{table.name}/"


def test_a_tables_projection_has_the_format_of_its_keys(table, properties):
    by_strftime = {"%Y-%m-%d-%H": ("yyyy-MM-dd-HH", "HOURS"), "%Y-%m-%d": ("yyyy-MM-dd", "DAYS")}
    column = f"projection.{table.partition}"
    assert properties["projection.enabled"] == "true"
    assert properties[f"{column}.type"] == "date"
    found = (properties[f"{column}.format"], properties[f"{column}.interval.unit"])
    assert found == by_strftime[table.partition_format]
    assert properties[f"{column}.interval"] == "1"
    assert re.fullmatch(r"[0-9-]+,NOW\+1(HOURS|DAYS)", properties[f"{column}.range"])


def test_statements_go_to_athena_without_comments_or_placeholders():
    statements = [ddl.create_database("lake"), *ddl.create_tables("lake", LOCATION).values()]
    for statement in statements:
        assert statement.startswith("CREATE ")
        assert "--" not in statement
        assert not re.search(r"(?<!\$)\{", statement)
        assert not statement.endswith(";")
