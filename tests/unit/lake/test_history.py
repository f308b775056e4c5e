"""Queries over days, on a sample history with known answers."""

from __future__ import annotations

from datetime import timedelta

import pytest

from deployctl import assets
from deployctl.lake import queries
from deployctl.lake.duckdb_engine import DuckEngine
from deployctl.lake.parquet import encode
from deployctl.lake.schema import RELEASES, SPANS
from deployctl.model.cause import Category, Cause
from deployctl.model.lake import ReleaseRow, SpanRow
from deployctl.model.query_rows import SkewStep
from deployctl.model.verdict import Verdict
from tests.fakes.lake_rows import release_row, span_row
from tests.fakes.sample_lake import BROKEN, FIRST_DAY, asked, fill_lake, spans

SCOPE = {"application": "shop", "since": FIRST_DAY.date()}
NOON = FIRST_DAY + timedelta(hours=12)


@pytest.fixture
def engine(lake):
    fill_lake(lake)
    return DuckEngine(lake)


def test_every_query_has_sample_data():
    files = {path.stem for path in (assets.athena_dir() / "queries").glob("*.sql")}
    assert files == set(asked()), "add rows for each file of athena/queries in tests/fakes/sample_lake.py"


@pytest.mark.parametrize("name", asked())
def test_every_query_finds_rows_in_the_sample_data(engine, name):
    assert engine.run(assets.query(name), asked()[name]).rows


@pytest.mark.parametrize("name", sorted(set(asked()) - {"reconcile"}))
def test_no_query_over_time_reads_a_snapshot(engine, lake, name):
    lake.reads.clear()
    engine.run(assets.query(name), asked()[name])
    assert lake.reads
    assert not [key for key in lake.reads if key.startswith("fleet_snapshots/")]


def test_a_summary_counts_workers_of_the_last_snapshot_and_hours_over_all_days(engine):
    found = queries.summary(engine, **SCOPE)
    assert {row.seen_until for row in found.rows} == {FIRST_DAY + timedelta(days=2)}
    on_v2 = (715 + 710 + 2 * 1440 + 890) / 60
    assert {(r.group_name, r.category, r.workers, round(r.worker_hours, 2)) for r in found.rows} == {
        ("audio", Category.CURRENT, 0, 36.0),
        ("audio", Category.NOT_MANAGED, 1, 12.0),
        ("video", Category.CURRENT, 3, round(4 * 12 + on_v2, 2)),
        ("video", Category.DEPLOYING, 0, 0.42),
        ("video", Category.FAILED, 0, 21.0),
        ("video", Category.LAUNCHED_AFTER_RELEASE, 0, 0.67),
        ("video", Category.TERMINATED_MID_DEPLOY, 0, 0.25),
    }


def test_a_period_behind_continues_over_midnight_and_over_changes_of_category(engine):
    (found,) = queries.behind_for(engine, **SCOPE, minutes=30).rows
    assert (found.instance_id, found.category, found.cause) == ("i-3", Category.FAILED, Cause.SCRIPT_FAILED)
    assert found.behind_since == NOON
    assert found.behind_until == FIRST_DAY + timedelta(days=1, minutes=550)
    assert found.minutes == 12 * 60 + 550
    assert not found.still_behind


def test_the_limit_is_exclusive_and_a_gap_starts_a_new_period(engine):
    found = queries.behind_for(engine, **SCOPE, minutes=10).rows
    assert [(r.instance_id, r.minutes) for r in found] == [("i-3", 1270), ("i-5", 20), ("i-5", 20)]
    assert found[1].behind_since < found[2].behind_since
    assert [r.instance_id for r in queries.behind_for(engine, **SCOPE, minutes=9).rows].count("i-2") == 1


def test_a_worker_behind_in_the_last_snapshot_is_still_behind(engine, lake):
    end = FIRST_DAY + timedelta(days=2)
    late = span_row(end - timedelta(minutes=45), end, instance_id="i-7", **BROKEN)
    lake.write("fleet_spans/day=2026-11-23/shop.parquet", encode([*spans(FIRST_DAY, 1), late], SpanRow))
    found = {r.instance_id: r.still_behind for r in queries.behind_for(engine, **SCOPE, minutes=30).rows}
    assert found == {"i-3": False, "i-7": True}


@pytest.mark.parametrize("category", Category)
def test_a_worker_is_behind_if_it_drifted_or_is_deploying(lake, category):
    begins, ends = FIRST_DAY, FIRST_DAY + timedelta(hours=1)
    rows = [span_row(begins, ends, category=category.value)]
    lake.write(SPANS.key(FIRST_DAY, "shop"), encode(rows, SpanRow))
    found = queries.behind_for(DuckEngine(lake), **SCOPE, minutes=30).rows
    assert bool(found) is (category.is_drift or category is Category.DEPLOYING)


def test_the_skew_of_a_day_is_its_versions_and_the_time_on_the_desired_one(engine):
    found = queries.skew(engine, **SCOPE, step=SkewStep.DAY).rows
    assert [(r.began_at, r.workers, r.versions) for r in found] == [
        (FIRST_DAY, 5, 2),
        (FIRST_DAY + timedelta(days=1), 5, 2),
    ]
    seen, current = 4 * 1440 + 720, 1435 + 1430 + 720 + 720 + 1440
    assert found[0].current_share == pytest.approx(current / seen)
    assert found[1].current_share == pytest.approx((2 * 1440 + 890 + 720) / (3 * 1440 + 720 + 40))


def test_the_skew_of_an_hour_counts_the_part_of_each_span_that_lies_in_it(engine):
    found = {r.began_at: r for r in queries.skew(engine, **SCOPE, step=SkewStep.HOUR).rows}
    assert len(found) == 48
    before, during = found[NOON - timedelta(hours=1)], found[NOON]
    assert (before.versions, before.current_share) == (1, 1.0)
    assert (during.workers, during.versions) == (4, 2)
    assert during.current_share == pytest.approx((55 + 50 + 0 + 60) / 240)


def test_the_time_to_current_is_that_of_the_worker_that_completes_the_share(engine):
    first, second = queries.time_to_current(engine, **SCOPE).rows
    assert (first.release_id, first.version, first.began_at) == ("r-2", "v2", NOON)
    # The excused worker does not count; the failed worker was fixed on the next day.
    assert (first.workers, first.reached) == (3, 3)
    assert (first.minutes_50, first.minutes_95, first.minutes_100) == (5, 1270, 1270)
    assert (second.release_id, second.workers, second.minutes_50, second.minutes_100) == ("r-3", 1, 8, 8)


def test_a_share_never_reached_has_no_time(lake):
    fill_lake(lake)
    for key in lake.keys("fleet_spans/"):
        del lake.objects[key]
    first, _ = queries.time_to_current(DuckEngine(lake), **SCOPE).rows
    assert (first.workers, first.reached) == (3, 2)
    assert (first.minutes_50, first.minutes_95, first.minutes_100) == (5, None, None)


def test_a_group_never_reached_has_its_last_verdict_and_reason(engine):
    (found,) = queries.never_reached(engine, **SCOPE).rows
    assert (found.release_id, found.group_name, found.verdict) == ("r-2", "audio", Verdict.FAILED)
    assert (found.reason, found.deployment_id) == ("REVISION_MISSING", "d-3")


@pytest.mark.parametrize("verdict", Verdict)
def test_an_empty_group_does_not_count_as_never_reached(lake, verdict):
    row = release_row(verdict=verdict.value)
    lake.write(RELEASES.key(NOON, "r"), encode([row], ReleaseRow))
    found = queries.never_reached(DuckEngine(lake), **SCOPE).rows
    assert bool(found) is (verdict is not Verdict.EMPTY)


def test_durations_are_those_of_verified_releases(engine):
    (found,) = queries.group_durations(engine, **SCOPE).rows
    assert (found.group_name, found.strategy, found.p50_s, found.releases) == ("video", "half", 480, 1)


def test_days_before_the_first_are_not_read(engine, lake):
    since = FIRST_DAY.date() + timedelta(days=1)
    lake.reads.clear()
    queries.summary(engine, application="shop", since=since)
    assert lake.reads == ["fleet_spans/day=2026-11-23/shop.parquet"]


def test_an_unknown_application_has_no_rows(engine):
    for ask in (queries.summary, queries.time_to_current, queries.never_reached, queries.group_durations):
        assert ask(engine, application="unknown", since=FIRST_DAY.date()).rows == ()
    assert queries.skew(engine, application="unknown", since=FIRST_DAY.date(), step=SkewStep.DAY).rows == ()
    assert queries.behind_for(engine, application="unknown", since=FIRST_DAY.date(), minutes=1).rows == ()
