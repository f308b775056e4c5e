"""What a report shows after releases and snapshots, and what it can do without."""

from __future__ import annotations

import os
from dataclasses import replace
from datetime import timedelta

import pytest

from deployctl.errors import Failed
from deployctl.flows.report import DETAILED, LISTED, NoSnapshot, ReportNotWritten, report, save
from deployctl.model.cause import Category
from deployctl.model.names import ReleaseId
from deployctl.model.verdict import Verdict
from tests.fakes.fleet_lake import seen, span, store_snapshot, store_spans
from tests.fakes.releasing import CallRecorder, ReleaseHarness
from tests.fakes.remote_holder import RemoteHolder

HOUR = 3_600


@pytest.fixture
def harness():
    return ReleaseHarness({"audio": 3, "video": 6}, strategy="all")


def report_of(harness, *, days=7, wire=None, **ports):
    return report(harness.settings, replace(harness.ports(wire), **ports), days=days)


class Silent:
    """An engine that cannot be asked."""

    def run(self, sql, parameters=()):
        raise Failed("no such table")


def test_before_anybody_has_looked_there_is_nothing_to_report(harness):
    with pytest.raises(NoSnapshot, match="no snapshot of shop of the last 7 days") as raised:
        report_of(harness)
    assert raised.value.remedy.startswith("deployctl reconcile")


def test_it_shows_the_last_snapshot_and_takes_none(harness):
    harness.release()
    harness.reconcile()
    bad = harness.cloud.instance_ids("video")[0]
    harness.cloud.reclaim(bad)
    harness.cloud.clock.sleep(HOUR)
    wire = CallRecorder()
    found = report_of(harness, wire=wire).found
    assert found.by_category[Category.CURRENT] == 9
    assert not [c for c in wire.calls if c.startswith(("fleet.", "deployments.", "tags.", "lake.write"))]
    assert not [
        c for c in wire.calls if c.split(".")[1] in ("write", "append", "acquire", "remove", "create")
    ]


def test_a_release_is_shown_group_by_group_with_its_times_and_failed_workers(harness):
    bad = harness.cloud.instance_ids("video")[2]
    harness.cloud.inject("hook-fails", instance=bad, message="no such queue")
    began = harness.cloud.clock.now()
    harness.release()
    harness.reconcile()
    (run,) = report_of(harness).runs
    groups = {g.group: g for g in run.groups}
    assert {name: g.verdict for name, g in groups.items()} == {
        "audio": Verdict.VERIFIED,
        "video": Verdict.FAILED,
    }
    video = groups["video"]
    assert began < video.began_at < video.ended_at_of[bad] <= video.ended_at <= harness.cloud.clock.now()
    assert [w.instance_id for w in video.workers if w.cause] == [bad]
    assert groups["audio"].ended_at_of == {}


def test_without_the_lakes_history_the_times_come_from_the_journal(harness):
    harness.release()
    harness.reconcile()
    found = report_of(harness, history=Silent())
    for group in found.runs[0].groups:
        assert found.runs[0].record.began_at <= group.began_at < group.ended_at
    assert found.unread == (
        "times of deployments: no such table",
        "versions of days that are over: no such table",
    )
    assert found.counts[-1].workers == {"v2": 9}


def test_started_groups_of_a_release_in_progress_have_no_end_yet():
    harness = ReleaseHarness({"audio": 3, "video": 6}, strategy="one")
    harness.release(timeout_s=100)
    harness.reconcile()
    (run,) = report_of(harness).runs
    assert run.is_in_progress
    assert {(g.verdict, g.ended_at) for g in run.groups} == {(None, None)}
    assert all(g.began_at for g in run.groups)


def test_versions_come_from_snapshots_where_there_are_no_spans(harness):
    harness.reconcile()
    harness.cloud.clock.sleep(HOUR)
    harness.release()
    harness.reconcile()
    assert [dict(c.workers) for c in report_of(harness).counts] == [{"v1": 9}, {"v2": 9}]


def test_a_time_without_snapshots_is_a_gap(harness):
    harness.reconcile()
    harness.cloud.clock.sleep(5 * HOUR)
    harness.reconcile()
    first, gap, last = report_of(harness).counts
    assert gap.at - first.at == timedelta(minutes=90)
    assert (dict(first.workers), dict(gap.workers), dict(last.workers)) == ({"v1": 9}, {}, {"v1": 9})


def test_looks_that_were_passed_over_make_no_gap(harness):
    now = harness.cloud.clock.now()
    # Every half hour for thirteen days, and a day without any look before the last.
    for number in range(13 * 48):
        store_snapshot(harness.lake, [seen("i-1")], now - timedelta(days=14) + number * timedelta(minutes=30))
    harness.reconcile()
    found = report_of(harness, days=14)
    assert found.counts_every > timedelta(minutes=90)
    (gap,) = [c.at for c in found.counts if not c.workers]
    assert timedelta(hours=20) < now - gap < timedelta(days=1)


def test_snapshots_continue_the_spans_without_overlap(harness):
    now = harness.cloud.clock.now()
    midnight = now.replace(hour=0, minute=0, second=0, microsecond=0)
    harness.reconcile()
    store_spans(harness.lake, [span(f"i-{n}", midnight - timedelta(days=1), midnight) for n in range(4)])
    found = report_of(harness).counts
    assert [(c.at, dict(c.workers)) for c in found[:2]] == [
        (midnight - timedelta(days=1), {"v1": 4}),
        (midnight, {}),
    ]
    assert [dict(c.workers) for c in found[2:]] == [{"v1": 9}]
    # A day that was compacted as far as it has come is not counted twice.
    store_spans(harness.lake, [span(f"i-{n}", midnight, now + timedelta(hours=1)) for n in range(4)])
    assert [dict(c.workers) for c in report_of(harness).counts] == [{"v1": 4}, {}]


def released(harness, *, verdict="verified"):
    elsewhere = RemoteHolder(harness, ["video"], version="v2")
    elsewhere.begin()
    elsewhere.note("outcomes", groups=[])
    elsewhere.finish(verdict)
    harness.cloud.clock.sleep(1)
    return elsewhere.release_id


def test_releases_of_the_requested_days_are_listed_and_the_newest_shown_in_detail(harness):
    old = released(harness)
    harness.cloud.clock.sleep(48 * HOUR)
    ids = [released(harness) for _ in range(DETAILED + 2)]
    harness.reconcile()
    found = report_of(harness, days=1)
    assert [p.release_id for p in found.releases] == ids[::-1]
    assert [r.record.release_id for r in found.runs] == ids[::-1][:DETAILED]
    assert old in [p.release_id for p in report_of(harness, days=3).releases]


def test_the_last_release_is_shown_however_old_it_is(harness):
    only = released(harness)
    harness.cloud.clock.sleep(90 * 24 * HOUR)
    harness.reconcile()
    assert [p.release_id for p in report_of(harness, days=1).releases] == [only]


def test_however_many_releases_there_were_so_many_journals_are_read(harness):
    for _ in range(LISTED + 10):
        released(harness)
    harness.reconcile()
    wire = CallRecorder()
    found = report_of(harness, wire=wire)
    assert len(found.releases) == LISTED
    assert (wire.calls.count("journal.first_and_last"), wire.calls.count("journal.entries")) == (
        LISTED,
        DETAILED,
    )


def test_a_journal_that_cannot_be_read_costs_itself_alone(harness):
    good = released(harness)
    harness.journal.append(ReleaseId("r-99999999T000000-bad"), 1, {"kind": "?"})
    harness.reconcile()
    found = report_of(harness)
    assert [p.release_id for p in found.releases] == [good]
    assert any("r-99999999T000000-bad" in why for why in found.unread)


def test_a_page_is_written_over_the_one_before_whole_or_not_at_all(tmp_path):
    file = tmp_path / "report.html"
    save(file, b"old")
    save(file, b"new")
    assert file.read_bytes() == b"new"
    assert list(tmp_path.iterdir()) == [file]


def test_a_page_can_go_into_a_pipe(tmp_path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    save(pipe, b"page")
    assert os.read(reader, 100) == b"page"
    os.close(reader)


@pytest.mark.parametrize(
    ("path", "why"), [("missing/report.html", "no such file or directory"), (".", "is a directory")]
)
def test_where_nothing_can_be_written_it_says_why(tmp_path, path, why):
    with pytest.raises(ReportNotWritten, match=why):
        save(tmp_path / path, b"page")
    assert list(tmp_path.iterdir()) == []
