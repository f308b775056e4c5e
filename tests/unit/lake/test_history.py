"""Questions over days, asked of a planted history whose answers are known."""

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


def test_every_query_has_a_planted_history():
    files = {path.stem for path in (assets.athena_dir() / "queries").glob("*.sql")}
    assert files == set(asked()), "add rows for each file of athena/queries in tests/fakes/sample_lake.py"


@pytest.mark.parametrize("name", asked())
def test_every_query_finds_something_in_it(engine, name):
    assert engine.run(assets.query(name), asked()[name]).rows


@pytest.mark.parametrize("name", sorted(set(asked()) - {"reconcile"}))
def test_no_question_over_time_reads_a_snapshot(engine, lake, name):
    lake.reads.clear()
    engine.run(assets.query(name), asked()[name])
    assert lake.reads
    assert not [key for key in lake.reads if key.startswith("fleet_snapshots/")]


def test_a_summary_counts_workers_as_last_seen_and_hours_over_all_days(engine):
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


def test_who_was_behind_without_a_break_over_midnight_and_over_changing_categories(engine):
    (found,) = queries.behind_for(engine, **SCOPE, minutes=30).rows
    assert (found.instance_id, found.category, found.cause) == ("i-3", Category.FAILED, Cause.SCRIPT_FAILED)
    assert found.behind_since == NOON
    assert found.behind_until == FIRST_DAY + timedelta(days=1, minutes=550)
    assert found.minutes == 12 * 60 + 550
    assert not found.still_behind


def test_longer_than_is_longer_and_a_break_begins_anew(engine):
    found = queries.behind_for(engine, **SCOPE, minutes=10).rows
    assert [(r.instance_id, r.minutes) for r in found] == [("i-3", 1270), ("i-5", 20), ("i-5", 20)]
    assert found[1].behind_since < found[2].behind_since
    assert [r.instance_id for r in queries.behind_for(engine, **SCOPE, minutes=9).rows].count("i-2") == 1


def test_who_was_behind_when_the_fleet_was_last_seen_still_is(engine, lake):
    end = FIRST_DAY + timedelta(days=2)
    late = span_row(end - timedelta(minutes=45), end, instance_id="i-7", **BROKEN)
    lake.write("fleet_spans/day=2026-11-23/shop.parquet", encode([*spans(FIRST_DAY, 1), late], SpanRow))
    found = {r.instance_id: r.still_behind for r in queries.behind_for(engine, **SCOPE, minutes=30).rows}
    assert found == {"i-3": False, "i-7": True}


@pytest.mark.parametrize("category", Category)
def test_behind_is_whoever_should_run_another_version_than_it_does(lake, category):
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


def test_the_time_to_current_is_that_of_the_worker_with_which_so_many_were(engine):
    first, second = queries.time_to_current(engine, **SCOPE).rows
    assert (first.release_id, first.version, first.began_at) == ("r-2", "v2", NOON)
    # The one that was lost with an excuse does not count; the one that failed was mended on the day after.
    assert (first.workers, first.reached) == (3, 3)
    assert (first.minutes_50, first.minutes_95, first.minutes_100) == (5, 1270, 1270)
    assert (second.release_id, second.workers, second.minutes_50, second.minutes_100) == ("r-3", 1, 8, 8)


def test_a_share_that_was_never_reached_has_no_time(lake):
    fill_lake(lake)
    for key in lake.keys("fleet_spans/"):
        del lake.objects[key]
    first, _ = queries.time_to_current(DuckEngine(lake), **SCOPE).rows
    assert (first.workers, first.reached) == (3, 2)
    assert (first.minutes_50, first.minutes_95, first.minutes_100) == (5, None, None)


def test_groups_that_were_never_reached_are_told_as_they_came_out_last(engine):
    (found,) = queries.never_reached(engine, **SCOPE).rows
    assert (found.release_id, found.group_name, found.verdict) == ("r-2", "audio", Verdict.FAILED)
    assert (found.reason, found.deployment_id) == ("REVISION_MISSING", "d-3")


@pytest.mark.parametrize("verdict", Verdict)
def test_a_group_that_was_empty_was_not_to_be_reached(lake, verdict):
    row = release_row(verdict=verdict.value)
    lake.write(RELEASES.key(NOON, "r"), encode([row], ReleaseRow))
    found = queries.never_reached(DuckEngine(lake), **SCOPE).rows
    assert bool(found) is (verdict is not Verdict.EMPTY)


def test_durations_are_those_of_releases_that_held(engine):
    (found,) = queries.group_durations(engine, **SCOPE).rows
    assert (found.group_name, found.strategy, found.p50_s, found.releases) == ("video", "half", 480, 1)


def test_days_before_the_first_are_not_read(engine, lake):
    since = FIRST_DAY.date() + timedelta(days=1)
    lake.reads.clear()
    queries.summary(engine, application="shop", since=since)
    assert lake.reads == ["fleet_spans/day=2026-11-23/shop.parquet"]


def test_of_an_application_that_was_never_seen_there_is_nothing(engine):
    for ask in (queries.summary, queries.time_to_current, queries.never_reached, queries.group_durations):
        assert ask(engine, application="nobody", since=FIRST_DAY.date()).rows == ()
    assert queries.skew(engine, application="nobody", since=FIRST_DAY.date(), step=SkewStep.DAY).rows == ()
    assert queries.behind_for(engine, application="nobody", since=FIRST_DAY.date(), minutes=1).rows == ()
