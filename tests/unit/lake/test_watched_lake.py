"""A fleet that is watched for hours: each look is judged, few are written."""

from __future__ import annotations

from datetime import timedelta

import pytest

from deployctl.lake.duckdb_engine import DuckEngine
from deployctl.lake.queries import reconcile
from deployctl.lake.sampling_lake import WRITTEN_EVERY, SamplingLake
from deployctl.lake.schema import SNAPSHOTS
from tests.fakes.clock import FakeClock
from tests.fakes.large_lake import LAST_DAY, LargeFleet
from tests.fakes.storage import FakeLake

LOOK = timedelta(seconds=15)


@pytest.fixture
def clock():
    return FakeClock(LAST_DAY)


@pytest.fixture
def inner():
    return FakeLake()


def test_every_snapshot_is_judged_whether_it_was_written_or_not(inner, clock):
    watched, fleet = SamplingLake(inner, clock), LargeFleet(50)
    for _ in range(3):
        at = clock.now()
        snapshot_id = fleet.snapshot(watched, at)
        found = reconcile(DuckEngine(watched), application="shop", snapshot_id=snapshot_id, snapshot_at=at)
        assert len(found.workers) == 50
        clock.advance(LOOK.total_seconds())
    assert len(inner.objects) == 1


def test_one_is_written_in_five_minutes(inner, clock):
    watched, seen = SamplingLake(inner, clock), []
    for number in range(41):
        seen.append(SNAPSHOTS.key(clock.now(), f"s-{number:02}"))
        watched.write(seen[-1], b"1")
        clock.advance(LOOK.total_seconds())
    assert inner.keys(SNAPSHOTS.root) == seen[:: WRITTEN_EVERY // LOOK]


def test_one_is_written_in_five_minutes_though_the_clock_was_set_back(inner, clock):
    watched = SamplingLake(inner, clock)
    watched.write(SNAPSHOTS.key(clock.now(), "s-1"), b"1")
    clock.advance(WRITTEN_EVERY.total_seconds())
    clock.set_back(timedelta(hours=1))
    watched.write(SNAPSHOTS.key(clock.now(), "s-2"), b"2")
    assert len(inner.objects) == 2


def test_what_is_no_snapshot_is_written_at_once_and_read_through(inner, clock):
    watched = SamplingLake(inner, clock)
    for name in ("a", "b"):
        watched.write(f"releases/day=2026-01-01/{name}.parquet", name.encode())
    assert watched.keys("releases/") == inner.keys("releases/") == list(inner.objects)
    assert watched.read("releases/day=2026-01-01/b.parquet") == b"b"


def test_a_removed_object_no_longer_exists(inner, clock):
    watched = SamplingLake(inner, clock)
    key = SNAPSHOTS.key(LAST_DAY, "s-1")
    watched.write(key, b"1")
    watched.remove(key)
    assert watched.keys(SNAPSHOTS.root) == []
    assert inner.keys(SNAPSHOTS.root) == []
