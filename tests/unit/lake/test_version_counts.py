"""Snapshots as sightings: the newest one is found without reading the others, and what it counts."""

from datetime import timedelta

import pytest

from deployctl.lake.parquet import LakeObjectDamaged
from deployctl.lake.schema import SNAPSHOTS
from deployctl.lake.version_counts import newest_count, sightings, taken_at
from tests.fakes.fleet_lake import NOON, left_behind, seen, snapshot_id, store_snapshot
from tests.fakes.storage import FakeLake

MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)


class RecordingLake(FakeLake):
    def __init__(self):
        super().__init__()
        self.reads = []

    def read(self, key):
        self.reads.append(key)
        return super().read(key)


@pytest.fixture
def lake():
    return RecordingLake()


def newest(lake, *, days=7, now=NOON):
    return newest_count(lake, "shop", now=now, days=days)


def test_the_newest_snapshot_is_found_with_one_read(lake):
    for minutes in range(0, 600, 15):
        store_snapshot(lake, [seen("i-1")], NOON - minutes * MINUTE)
    assert newest(lake).snapshot_id == snapshot_id(NOON)
    assert len(lake.reads) == 1


def test_living_workers_are_counted_by_the_version_that_they_name(lake):
    gone = seen("i-4", instance_state="terminated")
    mute = seen("i-5", tag_version=None, instance_state="pending")
    store_snapshot(lake, [seen("i-1"), seen("i-2"), left_behind("i-3"), gone, mute])
    assert newest(lake).workers == {"v2": 2, "v1": 1, None: 1}
    assert newest(lake).at == NOON


def test_another_applications_snapshots_are_passed_over(lake):
    store_snapshot(lake, [left_behind("i-1")], NOON - HOUR)
    for minutes in range(20):
        store_snapshot(lake, [seen("i-9", application="blog")], NOON - minutes * MINUTE)
    assert newest(lake).workers == {"v1": 1}


def test_a_snapshot_of_days_ago_is_found_within_the_days_asked_for(lake):
    store_snapshot(lake, [seen("i-1")], NOON - 3 * DAY)
    assert newest(lake, days=3).at == NOON - 3 * DAY
    assert newest(lake, days=2) is None


def test_a_snapshot_without_workers_is_nobodys(lake):
    store_snapshot(lake, [])
    assert newest(lake) is None


def test_a_damaged_snapshot_is_said_to_be(lake):
    lake.write(SNAPSHOTS.key(NOON, snapshot_id(NOON)), b"not parquet")
    with pytest.raises(LakeObjectDamaged):
        newest(lake)


def test_over_time_one_snapshot_a_step_is_read(lake):
    for minutes in range(120):
        rows = [seen("i-1") if minutes % 2 else left_behind("i-1")]
        store_snapshot(lake, rows, NOON - 120 * MINUTE + minutes * MINUTE)
    found = sightings(lake, "shop", since=NOON - 120 * MINUTE, until=NOON, most=12)
    assert found.every == 10 * MINUTE
    assert [s.at for s in found.sightings] == [NOON - 120 * MINUTE + n * 10 * MINUTE for n in range(12)]
    assert len(lake.reads) == 12


def test_over_time_every_snapshot_is_read_where_they_are_few(lake):
    for minutes in (0, 1, 2, 115):
        store_snapshot(lake, [seen("i-1")], NOON - minutes * MINUTE)
    found = sightings(lake, "shop", since=NOON - 7 * DAY, until=NOON, most=4)
    assert found.every == timedelta(0)
    assert [NOON - s.at for s in found.sightings] == [115 * MINUTE, 2 * MINUTE, 1 * MINUTE, 0 * MINUTE]


def test_over_time_the_next_of_a_step_is_read_where_the_first_is_not_ours(lake):
    store_snapshot(lake, [seen("i-9", application="blog")], NOON - 9 * MINUTE)
    store_snapshot(lake, [seen("i-1")], NOON - 8 * MINUTE)
    (found,) = sightings(lake, "shop", since=NOON - 10 * MINUTE, until=NOON, most=1).sightings
    assert found.at == NOON - 8 * MINUTE


def test_over_time_midnight_is_no_border_and_what_lies_outside_is_not_read(lake):
    midnight = NOON.replace(hour=0)
    for minutes in (-90, -30, 30, 90):
        store_snapshot(lake, [seen("i-1")], midnight + minutes * MINUTE)
    found = sightings(lake, "shop", since=midnight - HOUR, until=midnight + HOUR, most=12)
    assert [s.at - midnight for s in found.sightings] == [-30 * MINUTE, 30 * MINUTE]
    assert len(lake.reads) == 2


def test_a_snapshot_name_without_a_time_counts_from_the_start_of_its_hour():
    assert taken_at(SNAPSHOTS.key(NOON + 5 * MINUTE, "odd")) == NOON
    assert taken_at(SNAPSHOTS.key(NOON, snapshot_id(NOON + 5 * MINUTE))) == NOON + 5 * MINUTE
