"""The Lake port: the same cases over the fake and over S3."""

from __future__ import annotations

import pytest

from deployctl.aws.lake import S3Lake
from deployctl.errors import UsageError
from deployctl.model.names import ApplicationName
from deployctl.ports import Lake
from tests.fakes.storage import FakeLake


@pytest.fixture(params=["fake", "s3"])
def lake(request: pytest.FixtureRequest) -> Lake:
    return FakeLake() if request.param == "fake" else S3Lake(request.getfixturevalue("bucket"))


@pytest.mark.parametrize("name", ["x.parquet", "snap_hour=2026-01-02-03/a b+c%2F(ü)'&=.parquet"])
def test_a_written_state_is_read_back(lake: Lake, application: ApplicationName, name: str):
    key = f"{application}/{name}"
    lake.write(key, b"PAR1\x00\xff")
    assert lake.read(key) == b"PAR1\x00\xff"
    assert lake.keys(f"{application}/") == [key]


def test_keys_below_a_prefix_come_in_order_and_no_others(lake: Lake, application: ApplicationName):
    for name in ("b/2", "b/10", "a/1", "bc/1"):
        lake.write(f"{application}/{name}", b"")
    assert lake.keys(f"{application}/b/") == [f"{application}/b/10", f"{application}/b/2"]
    assert lake.keys(f"{application}/none/") == []


def test_an_object_that_is_not_there_is_named(lake: Lake, application: ApplicationName):
    with pytest.raises(UsageError) as raised:
        lake.read(f"{application}/none")
    assert f"{application}/none" in raised.value.message


def test_what_was_removed_is_gone_and_its_neighbours_stay(lake: Lake, application: ApplicationName):
    for name in ("a", "b"):
        lake.write(f"{application}/{name}", b"x")
    lake.remove(f"{application}/a")
    assert lake.keys(f"{application}/") == [f"{application}/b"]


def test_to_remove_what_is_not_there_is_no_error(lake: Lake, application: ApplicationName):
    lake.remove(f"{application}/none")


def test_what_is_written_again_is_there_once_as_it_was_written_last(lake: Lake, application: ApplicationName):
    lake.write(f"{application}/a", b"first")
    lake.write(f"{application}/a", b"second")
    assert lake.read(f"{application}/a") == b"second"
    assert lake.keys(f"{application}/") == [f"{application}/a"]
