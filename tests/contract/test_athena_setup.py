"""What `athena setup` fixes in existing tables, and what `athena check` reports before and after."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from deployctl.aws.athena import AthenaEngine
from deployctl.aws.athena_check import check
from deployctl.aws.athena_setup import TableLocationMismatch, set_up
from deployctl.aws.call_counter import CallCounter
from deployctl.aws.clock import SystemClock
from deployctl.aws.lake import S3Lake
from deployctl.aws.retry import RetryPolicy
from deployctl.aws.s3 import S3Bucket
from deployctl.aws.session import Aws
from deployctl.lake import ddl
from deployctl.lake.parquet import encode
from deployctl.lake.schema import RELEASES, TABLES
from deployctl.model.lake import ReleaseRow
from deployctl.sandbox.constants import BUCKET, REGION
from tests.fakes.athena_cloud import athena_cloud
from tests.fakes.aws_server import speak_to
from tests.fakes.lake_rows import release_row

NAMES = {"bucket": BUCKET, "database": "own", "workgroup": "own", "history_workgroup": "own-history"}
QUICK = RetryPolicy(failing_s=1, connect_timeout_s=2, read_timeout_s=10)


class Account:
    """An Athena that is set up, and who looks at it and changes it."""

    def __init__(self, cloud, aws):
        self.athena, self.aws = cloud.client("athena"), aws
        self.engine = AthenaEngine(aws, workgroup="own-history", database="own")
        self.set_up()

    def set_up(self, **names):
        return set_up(self.aws, **{**NAMES, **names})

    def wrong(self, **names):
        """Each failed check by its noun: (what is wrong, the command that fixes it)."""
        found = check(self.aws, **{**NAMES, **names})
        return {each.noun: (each.wrong, each.remedy) for each in found if not each.is_right}

    def run(self, sql):
        return self.engine.run(sql).rows

    def remake(self, table, change):
        """Make the table by its own statement, changed."""
        statement = ddl.create_tables("own", ddl.lake_location(BUCKET))[table]
        assert change(statement) != statement
        self.run(f"DROP TABLE own.{table}")
        self.run(change(statement))

    def columns(self, table):
        found = self.athena.get_table_metadata(
            CatalogName="AwsDataCatalog", DatabaseName="own", TableName=table
        )
        return [column["Name"] for column in found["TableMetadata"]["Columns"]]


@pytest.fixture(scope="module")
def cloud():
    with athena_cloud(speed=200) as cloud:
        yield cloud


@pytest.fixture
def account(cloud, monkeypatch):
    speak_to(cloud.endpoint, monkeypatch)
    aws = Aws(region=REGION, profile=None, calls=CallCounter(), clock=SystemClock(), retry=QUICK)
    account = Account(cloud, aws)
    yield account
    for name in ("own", "own-history"):
        account.athena.delete_work_group(WorkGroup=name, RecursiveDeleteOption=True)
    other = AthenaEngine(aws, workgroup="deployctl-history", database="own")
    for table in TABLES:
        other.run(f"DROP TABLE IF EXISTS own.{table}")
    other.run("DROP DATABASE own")


def test_the_check_accepts_what_setup_created(account):
    assert account.wrong() == {}
    assert account.set_up() == ()


def test_the_check_of_an_empty_account_lists_everything_missing(account):
    wrong = account.wrong(workgroup="none", history_workgroup="none-history", database="none")
    nouns = ("workgroup none", "workgroup none-history", "database none")
    assert wrong == dict.fromkeys(nouns, ("does not exist", "deployctl athena setup"))


def test_columns_of_a_newer_deployctl_are_added_and_the_objects_from_before_are_read_on(account):
    at = datetime.now(UTC)
    S3Lake(S3Bucket(account.aws, BUCKET)).write(RELEASES.key(at, "r"), encode([release_row()], ReleaseRow))

    def without_two(statement):
        kept = [x for x in statement.splitlines() if "`workers_failed`" not in x and "`strategy`" not in x]
        return "\n".join(kept)

    account.remake("releases", without_two)
    assert account.wrong() == {
        "table own.releases": ("lacks strategy, workers_failed", "deployctl athena setup")
    }
    assert account.set_up() == ("2 columns of table own.releases",)
    assert account.columns("releases")[-2:] == ["strategy", "workers_failed"]
    assert account.wrong() == {}
    assert account.run(f"SELECT strategy, workers_failed FROM releases WHERE day = '{at:%Y-%m-%d}'") == [
        {"strategy": "half", "workers_failed": 0}
    ]


def test_columns_that_a_newer_deployctl_has_added_stay(account):
    account.run("ALTER TABLE own.releases ADD COLUMNS (`from_the_future` string)")
    assert account.wrong() == {}
    assert account.set_up() == ()
    assert account.columns("releases")[-1] == "from_the_future"


def test_a_table_that_a_newer_deployctl_needs_is_made_beside_the_others(account):
    account.run("DROP TABLE own.fleet_spans")
    assert account.wrong() == {"table own.fleet_spans": ("does not exist", "deployctl athena setup")}
    assert account.set_up() == ("table own.fleet_spans",)


def test_a_projection_that_differs_is_fixed(account):
    account.remake("releases", lambda statement: statement.replace("2025-01-01,NOW+1DAYS", "2025-01-01,NOW"))
    (wrong,) = account.wrong().values()
    assert wrong == ("has wrong properties: projection.day.range", "deployctl athena setup")
    assert account.set_up() == ("properties of table own.releases",)
    assert account.wrong() == {}


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda s: s.replace("`sequence` bigint", "`sequence` string"), "has sequence as string, not bigint"),
        (
            lambda s: (
                s.replace("(`day` string)", "(`dt` string)")
                .replace("projection.day", "projection.dt")
                .replace("day=${day}", "day=${dt}")
            ),
            "is partitioned by dt",
        ),
    ],
    ids=["a column's type", "the partition"],
)
def test_setup_recreates_a_table_that_cannot_be_altered(account, change, words):
    account.remake("releases", change)
    assert words in account.wrong()["table own.releases"][0]
    assert account.set_up() == ("table own.releases",)
    assert account.wrong() == {}


def test_a_table_of_another_buckets_lake_is_left_alone(account):
    wrong, remedy = account.wrong(bucket="theirs")["table own.releases"]
    assert "reads s3://deployctl-sandbox/lake/v1/releases/, not s3://theirs/" in wrong
    assert "database" in remedy
    with pytest.raises(TableLocationMismatch, match="fleet_snapshots"):
        account.set_up(bucket="theirs")
    assert account.wrong() == {}


@pytest.mark.parametrize(
    ("updates", "words"),
    [
        ({"RemoveBytesScannedCutoffPerQuery": True}, "scan any number of bytes, not 10,000,000"),
        ({"BytesScannedCutoffPerQuery": 20_000_000}, "scan 20,000,000 bytes, not 10,000,000"),
        ({"EnforceWorkGroupConfiguration": False}, "does not enforce"),
        ({"ManagedQueryResultsConfigurationUpdates": {"Enabled": False}}, "has no location for results"),
    ],
    ids=["no limit", "a higher limit", "not enforced", "no results"],
)
def test_a_workgroup_that_differs_is_reported_and_fixed(account, updates, words):
    account.athena.update_work_group(WorkGroup="own", ConfigurationUpdates=updates)
    wrong, remedy = account.wrong()["workgroup own"]
    assert words in wrong
    assert remedy == "deployctl athena setup"
    assert len(account.set_up()) == 1
    assert account.wrong() == {}


def test_the_history_workgroups_limit_is_its_owners_business_but_it_needs_a_place_for_results(account):
    updates = {
        "BytesScannedCutoffPerQuery": 5_000_000_000,
        "ManagedQueryResultsConfigurationUpdates": {"Enabled": False},
    }
    account.athena.update_work_group(WorkGroup="own-history", ConfigurationUpdates=updates)
    assert account.wrong()["workgroup own-history"][0] == "has no location for results"
    assert account.set_up() == ("results of workgroup own-history",)
    assert account.wrong() == {}


def test_a_disabled_workgroup_is_reported_with_the_command_that_enables_it(account):
    account.athena.update_work_group(WorkGroup="own", State="DISABLED")
    wrong, remedy = account.wrong()["workgroup own"]
    assert wrong == "is disabled"
    assert remedy == "aws athena update-work-group --work-group own --state ENABLED"
    account.athena.update_work_group(WorkGroup="own", State="ENABLED")


def test_the_workgroup_of_everybody_is_not_to_be_limited_but_left(account):
    _, remedy = account.wrong(workgroup="primary")["workgroup primary"]
    assert remedy.startswith('set workgroup = "deployctl"')
