"""Versions over time and the times of releases, from sample spans and targets with a known answer."""

from datetime import timedelta

import pytest

from deployctl.lake.duckdb_engine import DuckEngine
from deployctl.lake.history_queries import release_times, version_counts
from deployctl.model.report import GroupTimes, VersionCount
from tests.fakes.fleet_lake import NOON, released, span, store_release, store_spans, target
from tests.fakes.storage import FakeLake

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
MIDNIGHT = NOON.replace(hour=0)


@pytest.fixture
def lake():
    return FakeLake()


def counts(lake, *, days=7):
    return version_counts(DuckEngine(lake), application="shop", since=NOON - days * DAY)


def at(moment, **workers):
    return VersionCount(at=moment, workers=workers)


def test_a_lake_without_spans_has_no_version_counts(lake):
    assert counts(lake) == ()


def test_counts_are_listed_only_where_they_change_and_not_at_midnight(lake):
    turned = MIDNIGHT + 6 * HOUR
    store_spans(
        lake,
        [
            *(span(f"i-{n}", MIDNIGHT - DAY, MIDNIGHT) for n in (1, 2)),
            span("i-1", MIDNIGHT, turned),
            span("i-1", turned, MIDNIGHT + DAY, deployed_version="v2"),
            span("i-2", MIDNIGHT, MIDNIGHT + DAY),
        ],
    )
    assert counts(lake) == (
        at(MIDNIGHT - DAY, v1=2),
        at(turned, v1=1, v2=1),
        VersionCount(at=MIDNIGHT + DAY, workers={}),
    )


def test_workers_without_a_version_count_and_terminated_workers_do_not(lake):
    mute = span("i-1", MIDNIGHT, NOON, deployed_version=None, category="never-tagged")
    gone = span("i-2", MIDNIGHT, NOON, category="terminated-mid-deploy")
    store_spans(lake, [mute, gone])
    assert counts(lake)[0] == VersionCount(at=MIDNIGHT, workers={None: 1})


def test_other_applications_and_earlier_days_do_not_count(lake):
    store_spans(lake, [span("i-1", MIDNIGHT - 9 * DAY, MIDNIGHT - 8 * DAY)])
    store_spans(lake, [span("i-9", MIDNIGHT, NOON, application="blog")])
    assert counts(lake) == ()


def times(lake):
    return release_times(DuckEngine(lake), application="shop", since=NOON - DAY)


def test_a_groups_times_run_from_its_first_target_to_its_last(lake):
    targets = [target("r-1", "i-1", NOON, 100), target("r-1", "i-2", NOON - HOUR, 50)]
    store_release(lake, NOON, [released("r-1", NOON)], targets)
    assert times(lake) == {
        ("r-1", "video"): GroupTimes(began_at=NOON - HOUR - timedelta(seconds=50), ended_at=NOON)
    }


def test_failed_workers_have_the_time_at_which_each_ended(lake):
    bad = target("r-1", "i-2", NOON + HOUR, 10, status="Failed", verdict="failed")
    skipped = target("r-1", "i-3", NOON, 10, status="Skipped", started_at=None, ended_at=None)
    store_release(lake, NOON, [released("r-1", NOON)], [target("r-1", "i-1", NOON, 100), bad, skipped])
    (found,) = times(lake).values()
    assert found.ended_at_of == {"i-2": NOON + HOUR}
    assert found.ended_at == NOON + HOUR


def test_times_are_per_release_and_group_without_other_applications(lake):
    for name in ("r-1", "r-2"):
        both = [target(name, "i-1", NOON, 10), target(name, "i-2", NOON, 20, group_name="mail")]
        store_release(lake, NOON, [released(name, NOON)], both)
    other = target("r-9", "i-9", NOON, 10, application="blog")
    store_release(lake, NOON, [released("r-9", NOON, application="blog")], [other])
    assert set(times(lake)) == {(r, g) for r in ("r-1", "r-2") for g in ("video", "mail")}


def test_a_group_whose_targets_have_no_times_has_none(lake):
    unknown = target("r-1", "i-1", NOON, 10, started_at=None, ended_at=None)
    store_release(lake, NOON, [released("r-1", NOON)], [unknown])
    assert times(lake) == {("r-1", "video"): GroupTimes()}
