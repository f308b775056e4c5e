"""A day's snapshots become spans: one span for as long as nothing changed and snapshots were taken."""

from __future__ import annotations

from collections import defaultdict
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deployctl.lake.spans import SPEAKS_FOR, build_spans
from deployctl.model.cause import Category, Cause
from deployctl.model.reconciliation import ReconciledWorker, Reconciliation

MIDNIGHT = datetime(2026, 11, 22, tzinfo=UTC)
NEXT = MIDNIGHT + timedelta(days=1)


def at(minutes):
    return MIDNIGHT + timedelta(minutes=minutes)


def worker(instance_id="i-1", **changes):
    facts = {
        "group": "video",
        "asg": "video-asg",
        "category": Category.CURRENT,
        "cause": None,
        "evidence": None,
        "deployed_version": "v2",
        "desired_version": "v2",
        "desired_verdict": None,
        "previous_version": None,
        "version_failed_here": False,
        "is_in_progress": False,
        "in_progress_release": None,
        "minutes_behind": 0,
        "snapshot_at": MIDNIGHT,
    }
    return ReconciledWorker(instance_id=instance_id, **{**facts, **changes})


def stale(instance_id="i-1", **changes):
    facts = {"category": Category.STALE, "cause": Cause.NOT_A_TARGET, "deployed_version": "v1"}
    return worker(instance_id, **{**facts, **changes})


def snapshot(minutes, *workers):
    return Reconciliation(
        application="shop",
        snapshot_id=f"s-{minutes}",
        snapshot_at=at(minutes),
        engine="duckdb",
        bytes_scanned=0,
        query_id=None,
        workers=workers,
    )


def spans(*snapshots, begins=MIDNIGHT, ends=NEXT):
    """Worker, category, and from which minute of the day to which."""
    rows = build_spans(snapshots, application="shop", begins=begins, ends=ends)
    return [(r.instance_id, r.category, minute(r.began_at), minute(r.ended_at)) for r in rows]


def minute(moment):
    return (moment - MIDNIGHT).total_seconds() / 60


def test_an_unchanged_worker_has_one_span():
    found = spans(snapshot(60, worker()), snapshot(75, worker()), snapshot(90, worker()))
    assert found == [("i-1", "current", 60, 90 + 90)]


def test_a_span_ends_when_a_snapshot_shows_a_change():
    found = spans(
        snapshot(60, stale()), snapshot(75, stale()), snapshot(90, worker()), snapshot(105, worker())
    )
    assert found == [("i-1", "stale", 60, 90), ("i-1", "current", 90, 195)]


@pytest.mark.parametrize(
    "change",
    [
        {"desired_version": "v3"},
        {"deployed_version": "v0"},
        {"category": Category.AHEAD},
        {"cause": Cause.STANDBY},
        {"group": "audio"},
        {"asg": "other-asg"},
    ],
    ids=lambda change: next(iter(change)),
)
def test_each_thing_that_a_span_is_unbroken_in_breaks_it(change):
    assert len(spans(snapshot(60, stale()), snapshot(75, stale(**change)))) == 2


@pytest.mark.parametrize("change", [{"evidence": "other words"}, {"minutes_behind": 15}])
def test_a_fact_that_changes_in_every_snapshot_ends_no_span(change):
    assert len(spans(snapshot(60, stale()), snapshot(75, stale(**change)))) == 1


def test_a_terminated_workers_span_ends_with_the_first_snapshot_without_it():
    found = spans(snapshot(60, worker("i-1"), worker("i-2")), snapshot(75, worker("i-2")))
    assert found == [("i-1", "current", 60, 75), ("i-2", "current", 60, 165)]


def test_a_worker_that_returns_unchanged_has_two_spans():
    found = spans(snapshot(60, worker()), snapshot(75), snapshot(90, worker()))
    assert found == [("i-1", "current", 60, 75), ("i-1", "current", 90, 180)]


def test_a_time_without_snapshots_is_in_no_span():
    found = spans(snapshot(60, worker()), snapshot(60 + 24 * 15, worker()))
    assert found == [("i-1", "current", 60, 150), ("i-1", "current", 420, 510)]


def test_the_last_snapshot_of_a_day_counts_until_its_end():
    assert spans(snapshot(24 * 60 - 15, worker())) == [("i-1", "current", 24 * 60 - 15, 24 * 60)]


def test_the_last_snapshot_before_midnight_starts_the_days_first_span():
    found = spans(snapshot(-10, stale()), snapshot(5, stale()), snapshot(20, worker()))
    assert found == [("i-1", "stale", 0, 20), ("i-1", "current", 20, 110)]


def test_a_snapshot_long_before_midnight_does_not_count():
    assert spans(snapshot(-91, stale()), snapshot(5, worker())) == [("i-1", "current", 5, 95)]


def test_the_same_instance_in_two_groups_has_spans_in_both():
    found = build_spans(
        [snapshot(60, worker(group="audio"), worker(group="video"))],
        application="shop",
        begins=MIDNIGHT,
        ends=NEXT,
    )
    assert [r.group_name for r in found] == ["audio", "video"]


def test_minutes_are_rounded():
    (row,) = build_spans([snapshot(60, worker())], application="shop", begins=MIDNIGHT, ends=at(62.6))
    assert row.minutes == 3


def test_without_snapshots_there_are_no_spans():
    assert spans() == []


SNAPSHOTS = st.lists(
    st.tuples(
        st.integers(min_value=-120, max_value=24 * 60 - 1),
        st.dictionaries(st.sampled_from(["i-1", "i-2", "i-3"]), st.booleans()),
    ),
    max_size=12,
    unique_by=lambda pair: pair[0],
).map(
    lambda snapshots: [
        snapshot(m, *(worker(i) if ok else stale(i) for i, ok in w.items())) for m, w in sorted(snapshots)
    ]
)


@given(SNAPSHOTS)
def test_spans_show_at_every_moment_what_the_last_snapshot_before_showed(snapshots):
    rows = build_spans(snapshots, application="shop", begins=MIDNIGHT, ends=NEXT)
    for moment in range(0, 24 * 60, 7):
        seen = [x for x in snapshots if x.snapshot_at <= at(moment) < x.snapshot_at + SPEAKS_FOR]
        expected = {w.instance_id: w.category.value for w in seen[-1].workers} if seen else {}
        assert shown(rows, at(moment)) == expected


def shown(rows, moment):
    there = [r for r in rows if r.began_at <= moment < r.ended_at]
    assert len(there) == len({r.instance_id for r in there})
    return {r.instance_id: r.category for r in there}


@given(SNAPSHOTS)
def test_neighbouring_spans_differ_and_none_is_empty(snapshots):
    by_worker = defaultdict(list)
    for row in build_spans(snapshots, application="shop", begins=MIDNIGHT, ends=NEXT):
        assert MIDNIGHT <= row.began_at < row.ended_at <= NEXT
        by_worker[row.instance_id].append(row)
    for rows in by_worker.values():
        for before, after in pairwise(rows):
            assert before.ended_at < after.began_at or before.category != after.category
