"""How long groups took, from sample releases with a known answer."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deployctl.lake.duckdb_engine import DuckEngine
from deployctl.lake.parquet import encode
from deployctl.lake.queries import durations
from deployctl.lake.schema import DEPLOYMENT_TARGETS, RELEASES
from deployctl.model.lake import DeploymentTargetRow, ReleaseRow
from deployctl.model.query_rows import DurationStats
from deployctl.model.strategy import parse_strategy
from tests.examples import examples
from tests.unit.lake.conftest import MemoryLake

NOON = datetime(2026, 11, 22, 12, 0, 0, tzinfo=UTC)
HALF = {"video": parse_strategy("half")}


def release(number, *, at=NOON, **changes):
    facts = {
        "release_id": f"r-{number}",
        "application": "shop",
        "version": f"v{number}",
        "sequence": number,
        "actor": "ci",
        "group_name": "video",
        "deployment_id": f"d-{number}",
        "strategy": "half",
        "verdict": "verified",
        "reason": None,
        "started_at": at - timedelta(hours=1),
        "finished_at": at,
        "previous_version": None,
        "workers": 2,
        "workers_verified": 2,
        "workers_excused": 0,
        "workers_failed": 0,
    }
    return ReleaseRow(**{**facts, **changes})


def target(number, began_s, ended_s, *, at=NOON, **changes):
    """Began and ended so many seconds after `at`; None: no such time is known."""
    facts = {
        "release_id": f"r-{number}",
        "application": "shop",
        "group_name": "video",
        "deployment_id": f"d-{number}",
        "instance_id": f"i-{began_s}-{ended_s}",
        "version": f"v{number}",
        "status": "Succeeded",
        "verdict": "verified",
        "event": None,
        "error_code": None,
        "script": None,
        "message": None,
        "log_tail": None,
        "started_at": None if began_s is None else at + timedelta(seconds=began_s),
        "ended_at": None if ended_s is None else at + timedelta(seconds=ended_s),
    }
    return DeploymentTargetRow(**{**facts, **changes})


class History:
    """A lake with sample releases, and the query over it."""

    def __init__(self):
        self.lake = MemoryLake()

    def add(self, number, *targets, at=NOON, **changes):
        row = release(number, at=at, **changes)
        self.lake.write(RELEASES.key(at, f"r-{number}"), encode([row], ReleaseRow))
        if targets:
            self.lake.write(DEPLOYMENT_TARGETS.key(at, f"r-{number}"), encode(targets, DeploymentTargetRow))

    def took(self, number, seconds, *, at=NOON, **changes):
        """A release with one worker that took so long."""
        group = {key: changes[key] for key in ("group_name", "application") if key in changes}
        self.add(number, target(number, 0, seconds, at=at, **group), at=at, **changes)

    def ask(self, strategies=None, *, days=30, application="shop"):
        return durations(
            DuckEngine(self.lake),
            application=application,
            since=NOON - timedelta(days=days),
            strategies=strategies or HALF,
        )


@pytest.fixture
def history():
    return History()


def test_a_lake_without_releases_has_no_durations(history):
    assert history.ask() == {}


def test_a_duration_runs_from_the_first_workers_start_to_the_last_workers_end(history):
    history.add(1, target(1, 10, 70), target(1, 40, 130), target(1, 20, 60))
    assert history.ask() == {"video": DurationStats(p50_s=120.0, p95_s=120.0, releases=1)}


def test_the_wait_for_another_deployment_does_not_count(history):
    # The release began an hour before its first worker did.
    history.add(1, target(1, 3_600, 3_660), started_at=NOON)
    assert history.ask()["video"].p50_s == 60


def test_each_percentile_is_a_duration_that_occurred(history):
    for number, seconds in enumerate((100, 20, 30, 40, 50, 60, 70, 80, 90, 10), start=1):
        history.took(number, seconds)
    assert history.ask() == {"video": DurationStats(p50_s=50.0, p95_s=100.0, releases=10)}


def test_each_group_counts_only_releases_of_its_strategy(history):
    history.took(1, 100)
    history.took(2, 900, strategy="one")
    history.took(3, 300, group_name="mail")
    asked = {"video": parse_strategy("one"), "mail": parse_strategy("half"), "pdf": parse_strategy("half")}
    assert {name: d.p50_s for name, d in history.ask(asked).items()} == {"video": 900, "mail": 300}


@pytest.mark.parametrize("verdict", ["failed", "stopped", "partial", "empty", "rolled-back"])
def test_only_verified_releases_count(history, verdict):
    history.took(1, 100)
    history.took(2, 900, verdict=verdict)
    assert history.ask()["video"] == DurationStats(p50_s=100.0, p95_s=100.0, releases=1)


def test_another_applications_releases_do_not_count(history):
    history.took(1, 100)
    history.took(2, 900, application="blog")
    assert history.ask()["video"].releases == 1
    assert history.ask(application="blog")["video"].p50_s == 900


def test_only_the_days_asked_for_are_read(history):
    history.took(1, 100, at=NOON - timedelta(days=31))
    history.took(2, 200, at=NOON - timedelta(days=30))
    history.took(3, 300)
    assert history.ask()["video"].releases == 2
    assert not any("2026-10-22" in key for key in history.lake.reads)


def test_a_worker_of_which_no_times_are_known_does_not_count(history):
    history.add(1, target(1, None, None), target(1, 0, 60), target(1, 0, None))
    assert history.ask()["video"].p50_s == 60


def test_a_release_of_which_no_times_are_known_does_not_count(history):
    history.add(1, target(1, 0, None))
    history.add(2)
    assert history.ask() == {}


def test_a_group_that_was_recorded_twice_counts_once(history):
    history.took(1, 100)
    history.lake.write(RELEASES.key(NOON, "r-1-again"), encode([release(1)], ReleaseRow))
    assert history.ask()["video"].releases == 1


@examples(suite=25, soak=500)
@given(st.lists(st.integers(1, 10_000), min_size=1, max_size=60))
def test_the_percentiles_are_by_nearest_rank(seconds):
    history = History()
    rows = [release(n) for n, _ in enumerate(seconds)]
    targets = [target(n, 0, s) for n, s in enumerate(seconds)]
    history.lake.write(RELEASES.key(NOON, "r"), encode(rows, ReleaseRow))
    history.lake.write(DEPLOYMENT_TARGETS.key(NOON, "r"), encode(targets, DeploymentTargetRow))
    ranked = sorted(seconds)
    assert history.ask()["video"] == DurationStats(
        p50_s=ranked[math.ceil(len(ranked) * 50 / 100) - 1],
        p95_s=ranked[math.ceil(len(ranked) * 95 / 100) - 1],
        releases=len(ranked),
    )
