"""Days of snapshots become days of spans: one object each, written once, and only when the day is over."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from types import SimpleNamespace

import pytest

from deployctl.flows.compact import DayNotStarted, NothingToCompact, compact
from deployctl.lake.parquet import LakeObjectDamaged, decode
from deployctl.model.lake import SpanRow
from tests.fakes.clock import FakeClock
from tests.fakes.lake_rows import snapshot_row, store_snapshot
from tests.fakes.releasing import Killed, ReleaseHarness
from tests.fakes.storage import FakeLake

DAY = date(2026, 11, 22)
MIDNIGHT = datetime(2026, 11, 22, tzinfo=UTC)
KEY = "fleet_spans/day=2026-11-22/shop.parquet"
STALE = {"tag_version": "v1", "tag_sequence": 1, "target_of_desired": False, "target_status": None}


@dataclass
class Keeper:
    """Compacts a lake, two days later by default."""

    lake: FakeLake = field(default_factory=FakeLake)
    clock: FakeClock = field(default_factory=lambda: FakeClock(MIDNIGHT + timedelta(days=2)))
    application: str = "shop"

    def look(self, at, *rows):
        store_snapshot(self.lake, at, rows)

    def hours(self, day=MIDNIGHT, **change):
        """A look every hour and a second, at one worker that is so."""
        for number in range(24):
            self.look(day + number * timedelta(hours=1, seconds=1), snapshot_row(**change))

    def compact(self, day=None):
        settings = SimpleNamespace(application=self.application)
        ports = SimpleNamespace(lake=self.lake, clock=self.clock)
        return compact(settings, ports, day=day)

    def spans(self, key=KEY):
        return decode(self.lake.objects[key], SpanRow)


@pytest.fixture
def keeper():
    return Keeper()


def test_a_quiet_day_of_a_worker_is_one_row(keeper):
    keeper.hours()
    (done,) = keeper.compact()
    (span,) = keeper.spans()
    assert (span.began_at, span.ended_at, span.minutes) == (MIDNIGHT, MIDNIGHT + timedelta(days=1), 1440)
    assert (done.day, done.is_whole, done.snapshots, done.workers, done.spans) == (DAY, True, 24, 1, 1)


def test_category_and_cause_are_those_of_the_reconciliation(keeper):
    keeper.look(MIDNIGHT, snapshot_row(**STALE))
    keeper.look(MIDNIGHT + timedelta(minutes=15), snapshot_row())
    keeper.compact()
    assert [(s.category, s.cause, s.deployed_version, s.minutes) for s in keeper.spans()] == [
        ("stale", "not-a-target", "v1", 15),
        ("current", None, "v2", 90),
    ]


def test_compacted_twice_a_day_is_the_same_one_object(keeper):
    keeper.hours()
    keeper.compact()
    first = dict(keeper.lake.objects)
    (again,) = keeper.compact(DAY)
    assert again.was_there
    assert keeper.compact() == ()
    assert keeper.lake.objects == first
    keeper.lake.remove(KEY)
    keeper.compact()
    assert keeper.lake.objects == first


def test_a_day_that_is_compacted_stays_so_once_its_snapshots_are_gone(keeper):
    keeper.hours()
    keeper.compact()
    before = keeper.lake.objects[KEY]
    for key in keeper.lake.keys("fleet_snapshots/")[10:]:
        keeper.lake.remove(key)
    keeper.compact()
    keeper.compact(DAY)
    assert keeper.lake.objects[KEY] == before


@pytest.mark.parametrize(
    ("hours", "is_over"), [(23, False), (24, False), (24 + 0.1, False), (24.2, True)], ids=str
)
def test_a_day_that_is_not_over_waits(keeper, hours, is_over):
    keeper.look(MIDNIGHT, snapshot_row())
    keeper.clock = FakeClock(MIDNIGHT + timedelta(hours=hours))
    assert bool(keeper.compact()) is is_over


def test_a_day_that_is_asked_for_is_compacted_as_far_as_it_has_come_and_again_once_it_is_over(keeper):
    keeper.hours()
    keeper.clock = FakeClock(MIDNIGHT + timedelta(hours=12))
    (so_far,) = keeper.compact(DAY)
    assert not so_far.is_whole
    assert keeper.spans()[0].ended_at == MIDNIGHT + timedelta(hours=12)
    keeper.clock = FakeClock(MIDNIGHT + timedelta(hours=25))
    (whole,) = keeper.compact()
    assert whole.is_whole
    assert [s.minutes for s in keeper.spans()] == [1440]
    assert keeper.lake.keys("fleet_spans/") == [KEY]


def test_a_day_asked_for_just_after_its_end_is_compacted_again_after_its_grace(keeper):
    keeper.hours()
    keeper.clock = FakeClock(MIDNIGHT + timedelta(hours=24, minutes=1))
    assert not keeper.compact(DAY)[0].is_whole
    keeper.look(MIDNIGHT + timedelta(hours=23, minutes=59), snapshot_row(**STALE))
    keeper.clock.advance(3600)
    assert keeper.compact()[0].is_whole
    assert [s.category for s in keeper.spans()] == ["current", "stale"]


def test_a_day_without_snapshots_is_reported(keeper):
    with pytest.raises(NothingToCompact, match="2026-11-22"):
        keeper.compact(DAY)


def test_a_future_day_is_refused(keeper):
    with pytest.raises(DayNotStarted):
        keeper.compact(DAY + timedelta(days=3))


def test_finished_days_are_compacted_oldest_first_and_spans_continue_over_midnight(keeper):
    for day in range(3):
        keeper.hours(MIDNIGHT + timedelta(days=day))
    keeper.clock = FakeClock(MIDNIGHT + timedelta(days=2, hours=20))
    assert [d.day for d in keeper.compact()] == [DAY, DAY + timedelta(days=1)]
    for key in keeper.lake.keys("fleet_spans/"):
        assert [s.minutes for s in keeper.spans(key)] == [1440]


def test_the_first_look_of_a_day_may_be_late_for_the_last_of_the_day_before_speaks_for_it(keeper):
    keeper.look(MIDNIGHT - timedelta(minutes=10), snapshot_row(**STALE))
    keeper.look(MIDNIGHT + timedelta(minutes=50), snapshot_row())
    keeper.compact(DAY)
    assert [(s.category, s.minutes) for s in keeper.spans()] == [("stale", 50), ("current", 90)]


def test_other_applications_in_the_same_lake_are_left_out_and_are_compacted_for_themselves(keeper):
    for at in (MIDNIGHT, MIDNIGHT + timedelta(seconds=9)):
        # Within a minute: neither stands in for the other.
        keeper.look(at, snapshot_row(application="mail" if at == MIDNIGHT else "shop"))
    keeper.compact()
    assert [s.application for s in keeper.spans()] == ["shop"]
    keeper.application = "mail"
    keeper.compact()
    assert [s.application for s in keeper.spans(KEY.replace("shop", "mail"))] == ["mail"]
    assert [s.application for s in keeper.spans()] == ["shop"]


def test_a_day_of_other_applications_only_is_done_with_too(keeper):
    keeper.look(MIDNIGHT, snapshot_row(application="mail"))
    assert [d.spans for d in keeper.compact()] == [0]
    assert keeper.compact() == ()


def test_looks_that_are_close_together_do_not_count_but_for_the_newest(keeper):
    for second in range(0, 180, 15):
        keeper.look(MIDNIGHT + timedelta(seconds=second), snapshot_row())
    keeper.look(MIDNIGHT + timedelta(seconds=170), snapshot_row(**STALE))
    (done,) = keeper.compact()
    assert done.snapshots == 4
    assert [(s.category, s.began_at - MIDNIGHT) for s in keeper.spans()] == [
        ("current", timedelta()),
        ("stale", timedelta(seconds=170)),
    ]


def test_after_a_kill_at_any_write_a_further_call_compacts_the_remaining_days():
    after = FakeClock(MIDNIGHT + timedelta(days=4))
    whole = Keeper(clock=after)
    for day in range(3):
        for hour in (0, 12):
            whole.look(MIDNIGHT + timedelta(days=day, hours=hour), snapshot_row())
    snapshots = dict(whole.lake.objects)
    whole.compact()
    for survivors in range(3):
        keeper = Keeper(lake=DyingLake(snapshots, writes=survivors), clock=after)
        with pytest.raises(Killed):
            keeper.compact()
        assert len(keeper.lake.keys("fleet_spans/")) == survivors
        keeper.lake.writes = 3
        assert len(keeper.compact()) == 3 - survivors
        assert keeper.lake.objects == whole.lake.objects


class DyingLake(FakeLake):
    """Its process is killed at the write after this many."""

    def __init__(self, objects, writes):
        super().__init__()
        self.objects, self.writes = dict(objects), writes

    def write(self, key, body):
        if not self.writes:
            raise Killed(key)
        self.writes -= 1
        super().write(key, body)


def test_what_is_no_snapshot_by_its_place_is_passed_over(keeper):
    keeper.look(MIDNIGHT, snapshot_row())
    for key in ("_SUCCESS", "_temporary/0/x.parquet", "snap_hour=soon/x.parquet"):
        keeper.lake.write(f"fleet_snapshots/{key}", b"not for reading")
    assert [d.day for d in keeper.compact()] == [DAY]


def test_a_day_asked_for_at_its_very_end_is_not_whole_yet(keeper):
    keeper.look(MIDNIGHT, snapshot_row())
    keeper.clock = FakeClock(MIDNIGHT + timedelta(days=1))
    assert not keeper.compact(DAY)[0].is_whole
    keeper.clock.advance(3600)
    assert [d.day for d in keeper.compact()] == [DAY]


def test_a_damaged_snapshot_is_named_and_its_day_is_not_written(keeper):
    keeper.look(MIDNIGHT, snapshot_row())
    keeper.lake.write("fleet_snapshots/snap_hour=2026-11-22-03/bad.parquet", b"PAR1")
    with pytest.raises(LakeObjectDamaged, match=r"bad\.parquet"):
        keeper.compact()
    assert keeper.lake.keys("fleet_spans/") == []


def test_a_release_is_seen_in_the_spans_of_its_day():
    harness = ReleaseHarness({"audio": 2, "video": 4}, strategy="one")
    harness.snapshot()
    harness.cloud.clock.sleep(600)
    harness.release("v2")
    harness.snapshot()
    compact(harness.settings, harness.ports(), day=harness.cloud.clock.now().date())
    (key,) = harness.lake.keys("fleet_spans/")
    seen = {
        (s.desired_version, s.deployed_version, s.category) for s in decode(harness.lake.read(key), SpanRow)
    }
    assert seen == {("v1", "v1", "current"), ("v2", "v2", "current")}
