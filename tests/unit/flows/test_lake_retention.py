"""What a prune of the lake removes: snapshots that are in spans by now, very old spans, and nothing else."""

from __future__ import annotations

from datetime import date, timedelta
from types import SimpleNamespace

import pytest

from deployctl.flows.lake_retention import SpanRetentionTooShort, plan_lake_prune, prune_lake
from tests.fakes.clock import FakeClock
from tests.fakes.lake_rows import snapshot_row
from tests.unit.flows.test_compact import MIDNIGHT, Keeper

RAW, SPANS = timedelta(days=30), timedelta(days=730)


def keeper_after(days, *, looked=3):
    """A lake with so many days of looks, so many days after the first of them began."""
    keeper = Keeper()
    for day in range(looked):
        for hour in (0, 12):
            keeper.look(MIDNIGHT + timedelta(days=day, hours=hour), snapshot_row())
    keeper.clock = FakeClock(MIDNIGHT + timedelta(days=days, hours=1))
    return keeper


def plan(keeper, *, raw=RAW, spans=SPANS, application="shop"):
    ports = SimpleNamespace(lake=keeper.lake, clock=keeper.clock)
    return plan_lake_prune(
        SimpleNamespace(application=application), ports, keep_raw=raw, keep_spans=spans
    ), ports


def prune(keeper, **ages):
    planned, ports = plan(keeper, **ages)
    prune_lake(ports, planned)
    return planned


def days_left(keeper, table):
    return sorted({key.split("=")[1][:10] for key in keeper.lake.keys(f"{table}/")})


def test_snapshots_of_days_that_are_compacted_go_once_they_are_old_enough():
    keeper = keeper_after(32)
    keeper.compact()
    planned = prune(keeper)
    assert len(planned.snapshots) == 4
    assert days_left(keeper, "fleet_snapshots") == ["2026-11-24"]
    assert days_left(keeper, "fleet_spans") == ["2026-11-22", "2026-11-23", "2026-11-24"]


def test_snapshots_of_uncompacted_days_stay_and_are_reported():
    keeper = keeper_after(60)
    planned = prune(keeper)
    assert planned.snapshots == ()
    assert planned.held_back == (date(2026, 11, 22), date(2026, 11, 23), date(2026, 11, 24))
    assert len(days_left(keeper, "fleet_snapshots")) == 3


def test_a_day_compacted_only_as_far_as_it_had_come_stays():
    keeper = keeper_after(0.5, looked=1)
    keeper.compact(date(2026, 11, 22))
    keeper.clock = FakeClock(MIDNIGHT + timedelta(days=60))
    assert plan(keeper)[0].held_back == (date(2026, 11, 22),)


def test_a_day_stays_until_the_day_after_is_compacted_too():
    keeper = keeper_after(60)
    keeper.compact(date(2026, 11, 22))
    assert plan(keeper)[0].held_back == (date(2026, 11, 22), date(2026, 11, 23), date(2026, 11, 24))
    keeper.compact(date(2026, 11, 23))
    assert plan(keeper)[0].held_back == (date(2026, 11, 23), date(2026, 11, 24))


def test_snapshots_of_other_applications_stay():
    keeper = keeper_after(60, looked=1)
    keeper.look(MIDNIGHT + timedelta(hours=3), snapshot_row(application="mail"))
    keeper.compact()
    assert len(prune(keeper).snapshots) == 2
    assert len(keeper.lake.keys("fleet_snapshots/")) == 1


def test_spans_go_once_they_are_very_old():
    keeper = keeper_after(732)
    keeper.compact()
    planned = prune(keeper)
    assert len(planned.spans) == 2
    assert days_left(keeper, "fleet_spans") == ["2026-11-24"]


def test_spans_of_other_applications_stay():
    keeper = keeper_after(800, looked=1)
    keeper.application = "mail"
    keeper.compact()
    assert plan(keeper)[0].spans == ()


def test_what_is_young_stays():
    keeper = keeper_after(20)
    keeper.compact()
    assert plan(keeper)[0].removes_nothing


def test_a_plan_alone_removes_nothing():
    keeper = keeper_after(60)
    keeper.compact()
    before = dict(keeper.lake.objects)
    plan(keeper)
    assert keeper.lake.objects == before


def test_spans_that_would_only_be_made_again_are_refused():
    with pytest.raises(SpanRetentionTooShort):
        plan(keeper_after(60), raw=timedelta(days=30), spans=timedelta(days=29))


def test_pruned_again_there_is_nothing_to_do_and_compacted_days_stay_as_they_are():
    keeper = keeper_after(60)
    keeper.compact()
    prune(keeper)
    before = dict(keeper.lake.objects)
    assert prune(keeper).removes_nothing
    assert keeper.compact() == ()
    assert keeper.lake.objects == before


def test_a_further_prune_finishes_a_killed_one():
    keeper = keeper_after(60)
    keeper.compact()
    planned, ports = plan(keeper)
    for key in planned.snapshots[:2]:
        ports.lake.remove(key)
    assert prune(keeper).snapshots == planned.snapshots[2:]
    assert days_left(keeper, "fleet_snapshots") == []
    assert len(days_left(keeper, "fleet_spans")) == 3


def test_spans_of_days_whose_snapshots_must_stay_stay_too():
    keeper = keeper_after(800)
    keeper.compact(date(2026, 11, 22))
    planned, _ = plan(keeper)
    assert date(2026, 11, 22) in planned.held_back
    assert planned.spans == ()
