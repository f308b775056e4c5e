"""`deployctl athena query`: questions over days, as a table, as JSON and as CSV."""

from __future__ import annotations

import csv
import io
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest

from deployctl.errors import ExitCode
from deployctl.model.lake_query import LakeQuery
from deployctl.sandbox.constants import BUCKET
from tests.cli.conftest import make_repository
from tests.fakes.sample_lake import fill_lake

FIRST_DAY = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0) - timedelta(days=2)


@pytest.fixture(scope="module")
def shop(start_sandbox, tmp_path_factory):
    """A repository that uses this file's own sandbox, with a prepared history in its lake."""
    sandbox = start_sandbox(groups=2, workers=4, seed=58, speed=600.0)
    s3 = sandbox.client("s3")

    def write(key, body):
        s3.put_object(Bucket=BUCKET, Key=f"lake/v1/{key}", Body=body)

    fill_lake(SimpleNamespace(write=write), FIRST_DAY)
    return make_repository(tmp_path_factory.mktemp("query") / "repo", sandbox.env)


@pytest.mark.parametrize("question", LakeQuery)
def test_each_question_has_an_answer_that_both_engines_give(shop, question):
    answers = [
        shop.deployctl("athena", "query", question, "--json", *more) for more in ([], ["--engine", "duckdb"])
    ]
    assert [done.code for done in answers] == [ExitCode.DONE] * 2
    athena, duckdb = (done.data for done in answers)
    assert athena["schema"] == "deployctl.query/1"
    assert (athena["engine"], duckdb["engine"]) == ("athena", "duckdb")
    assert athena["rows"] == duckdb["rows"]
    assert athena["rows"]
    assert athena["query_id"]


def test_stale_workers_are_listed_as_a_table(shop):
    done = shop.deployctl("athena", "query", "stale-for")
    head, row, below = done.stdout.splitlines()
    assert head.split() == ["group", "worker", "category", "cause", "runs", "desired", "since", "behind"]
    assert row.split()[:6] == ["video", "i-3", "failed", "script-failed", "v1", "v2"]
    assert row.endswith("21h10m  ended")
    assert below.startswith("shop, 7 days · athena, ")
    assert done.stderr == ""


def test_longer_than_sets_the_threshold(shop):
    found = shop.deployctl("athena", "query", "stale-for", "--longer-than", "10m", "--json").data
    assert [row["minutes"] for row in found["rows"]] == [1270, 20, 20]
    assert shop.deployctl("athena", "query", "stale-for", "--longer-than", "long").code == ExitCode.USAGE


def test_a_few_days_are_listed_by_the_hour_and_many_by_the_day(shop):
    few = shop.deployctl("athena", "query", "skew", "--days", "3", "--json").data["rows"]
    many = shop.deployctl("athena", "query", "skew", "--days", "30", "--json").data["rows"]
    assert (len(few), len(many)) == (48, 2)


def test_csv_has_the_columns_of_the_query(shop):
    done = shop.deployctl("athena", "query", "time-to-current", "--csv")
    first, second = csv.DictReader(io.StringIO(done.stdout))
    assert (first["release_id"], first["workers"], first["minutes_50"]) == ("r-2", "3", "5.0")
    assert first["began_at"] == f"{FIRST_DAY + timedelta(hours=12):%Y-%m-%dT%H:%M:%SZ}"
    assert second["minutes_95"] == "8.0"


def test_an_empty_result_says_so_and_names_compact(shop, tmp_path):
    other = make_repository(tmp_path / "other", shop.env)
    toml = other.folder / "deployctl.toml"
    toml.write_text(toml.read_text().replace('"shop"', '"unseen"'))
    done = other.deployctl("athena", "query", "summary")
    assert done.code == ExitCode.DONE
    assert done.stdout.startswith("no snapshots\nunseen, 7 days")
    assert "deployctl athena compact" in done.stderr
    assert other.deployctl("athena", "query", "never-reached").stderr == ""


@pytest.mark.parametrize(
    "arguments",
    [["nothing"], [], ["skew", "--days", "0"], ["skew", "--json", "--csv"], ["skew", "--engine", "x"]],
)
def test_an_invalid_query_is_refused(shop, arguments):
    assert shop.deployctl("athena", "query", *arguments).code == ExitCode.USAGE


def test_a_failing_athena_query_is_offered_on_the_other_engine(shop):
    toml = shop.folder / "deployctl.toml"
    before = toml.read_text()
    toml.write_text(before + 'database = "nowhere"\n')
    done = shop.deployctl("athena", "query", "skew", "--days", "9", "--json")
    toml.write_text(before)
    assert done.code == ExitCode.FAILED
    assert done.data["code"] == "athena-query-failed"
    assert done.data["noun"] in done.data["message"]
    assert done.data["remedy"] == "deployctl athena query skew --days 9 --engine duckdb"
