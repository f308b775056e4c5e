"""Compaction and pruning of the lake, as text."""

from __future__ import annotations

from datetime import date, timedelta

from deployctl.model.lake_maintenance import CompactedDay, LakePrune
from deployctl.model.setup_check import SetupCheck
from deployctl.report.lake_maintenance import check_json, check_lines, compacted_line, prune_lines
from deployctl.report.style import UNICODE

DAY = date(2026, 11, 22)
AGES = {"keep_raw": timedelta(days=30), "keep_spans": timedelta(days=730)}


def pruned(**changes):
    facts = {"snapshots": (), "snapshot_bytes": 0, "spans": (), "held_back": ()}
    return LakePrune(**{**facts, **changes})


def said(prune, *, done=True):
    return [line.plain for line in prune_lines("shop", prune, **AGES, done=done, glyphs=UNICODE)]


def test_a_finished_day_and_the_current_day_are_labelled_differently():
    facts = {"snapshots": 96, "workers": 300, "spans": 1, "size_bytes": 12_100}
    whole = compacted_line(CompactedDay(day=DAY, is_whole=True, **facts))
    assert whole == "compacted 2026-11-22: 1 span of 300 workers from 96 snapshots, 12.1 kB"
    so_far = compacted_line(CompactedDay(day=DAY, is_whole=False, **facts))
    assert so_far.startswith("compacted 2026-11-22 so far: ")
    assert (
        compacted_line(CompactedDay(day=DAY, is_whole=True, was_there=True)) == "2026-11-22 already compacted"
    )


def test_a_prune_lists_removed_days_and_a_dry_run_those_to_remove():
    plan = pruned(snapshots=("a", "b"), snapshot_bytes=27_000, spans=("c",))
    assert said(plan) == [
        "removed 2 snapshots older than 30 days (27.0 kB) and 1 day of spans older than 730 days, of shop"
    ]
    assert said(plan, done=False)[0].startswith("would remove 2 snapshots")


def test_kept_days_are_named_with_the_command_that_makes_them_removable():
    days = tuple(DAY + timedelta(days=n) for n in range(7))
    _, why, remedy = said(pruned(held_back=days))
    assert why.startswith("snapshots kept, because these days are not compacted yet: 2026-11-22, ")
    assert why.endswith("and 2 more days")
    assert remedy == "→ deployctl athena compact"


def test_each_remedy_is_printed_once():
    found = [
        SetupCheck(noun="workgroup shop"),
        SetupCheck(noun="table a", wrong="is not there", remedy="deployctl athena setup"),
        SetupCheck(noun="table b", wrong="is not there", remedy="deployctl athena setup"),
    ]
    lines = [line.plain for line in check_lines(found, glyphs=UNICODE)]
    assert lines[0] == "✗ 2 of 3 Athena checks failed"
    assert lines[-1] == "→ deployctl athena setup"
    assert len(lines) == 5
    assert check_json(found)["is_right"] is False
