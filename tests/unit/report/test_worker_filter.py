"""The selected workers, their order, and which of them fail a pipeline."""

import csv
import io
import itertools
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deployctl.model.cause import Category, Cause
from deployctl.model.verdict import Verdict
from deployctl.report.csv_output import COLUMNS, cell, write_csv
from deployctl.report.json_output import reconcile_json
from deployctl.report.reconcile_table import fleet_lines
from deployctl.report.style import UNICODE
from deployctl.report.worker_filter import Sort, WorkerFilter
from tests.examples import examples
from tests.fakes.lake_rows import finding_row


@pytest.fixture
def fleet(make):
    return [
        make.stale("i-1", "video", minutes_behind=5),
        make.stale("i-2", "audio", minutes_behind=90),
        make.worker("i-3", "audio", Category.FAILED, cause=Cause.SCRIPT_FAILED, minutes_behind=40),
        make.worker("i-4", "video"),
        make.worker("i-5", "video", Category.DEPLOYING, cause=Cause.STILL_DEPLOYING, minutes_behind=60),
    ]


def ids(workers):
    return [w.instance_id for w in workers]


def test_the_default_filter_selects_every_worker(fleet):
    assert set(ids(WorkerFilter().of(fleet))) == {"i-1", "i-2", "i-3", "i-4", "i-5"}


def test_a_category_selects_only_its_workers(fleet):
    assert ids(WorkerFilter(categories=frozenset({Category.FAILED})).of(fleet)) == ["i-3"]


@pytest.mark.parametrize(
    ("seconds", "meant"), [(300, {"i-1", "i-2", "i-3"}), (1_800, {"i-2", "i-3"}), (6_000, set())]
)
def test_stale_for_selects_drift_of_that_age(fleet, seconds, meant):
    assert set(ids(WorkerFilter(stale_for_s=seconds).of(fleet))) == meant


@pytest.mark.parametrize(
    ("sort", "first"),
    [
        (Sort.GROUP, "i-3"),
        (Sort.AGE, "i-2"),
        (Sort.CATEGORY, "i-3"),
        (Sort.CAUSE, "i-3"),
        (Sort.INSTANCE, "i-1"),
    ],
)
def test_workers_have_the_requested_order(fleet, sort, first):
    assert ids(WorkerFilter(sort=sort).of(fleet))[0] == first


def test_a_limit_shortens_the_list_and_does_not_change_the_exit_code(make, fleet):
    selection = WorkerFilter(sort=Sort.AGE, limit=1)
    assert ids(selection.of(fleet)) == ["i-2"]
    assert selection.fails(make.found(*fleet))


def test_only_the_given_categories_cause_failure(make, fleet):
    assert WorkerFilter().fails(make.found(*fleet))
    assert WorkerFilter(fail_on=frozenset({Category.FAILED})).fails(make.found(*fleet))
    assert not WorkerFilter(fail_on=frozenset({Category.AHEAD})).fails(make.found(*fleet))
    assert WorkerFilter(fail_on=frozenset({Category.DEPLOYING})).fails(make.found(*fleet))


def test_workers_outside_the_filter_cause_no_failure(make, fleet):
    assert not WorkerFilter(stale_for_s=6_000).fails(make.found(*fleet))
    assert not WorkerFilter(categories=frozenset({Category.CURRENT})).fails(make.found(*fleet))


def test_a_finding_of_a_group_causes_failure_whatever_workers_are_selected(make, fleet):
    found = replace(make.found(*fleet), findings=(finding_row(),))
    assert WorkerFilter(categories=frozenset({Category.CURRENT}), fail_on=frozenset({Category.AHEAD})).fails(
        found
    )


def table(make, fleet, **selection):
    lines = fleet_lines(
        make.found(*fleet), now=make.now, columns=120, glyphs=UNICODE, selection=WorkerFilter(**selection)
    )
    return [line.plain for line in lines]


def test_the_table_counts_all_workers_and_lists_the_selected_ones(make, fleet):
    lines = table(make, fleet, stale_for_s=1_800, limit=1, sort=Sort.AGE)
    assert lines[0].startswith("✗ 3 of 5 workers")
    assert "1 of 2 matching workers listed: behind for 30m00s or longer" in lines
    assert [line for line in lines if "  i-" in line and "i-2" not in line] == []


def test_a_filter_without_matches_says_so(make, fleet):
    assert "no worker matches: ahead" in table(make, fleet, categories=frozenset({Category.AHEAD}))


def test_a_category_without_drift_can_be_listed(make, fleet):
    assert any(
        "i-4" in line and "as desired" in line
        for line in table(make, fleet, categories=frozenset({Category.CURRENT}))
    )


def test_groups_sorted_by_age_follow_their_first_worker(make, fleet):
    lines = "\n".join(table(make, [*fleet, make.stale("i-6", "mail", minutes_behind=500)], sort=Sort.AGE))
    assert lines.index("mail  1 of") < lines.index("audio  2 of") < lines.index("video  1 of")


def test_the_json_counts_all_workers_and_has_the_selected_ones(make, fleet):
    written = reconcile_json(
        make.found(*fleet), WorkerFilter(categories=frozenset({Category.STALE}), sort=Sort.AGE, limit=1)
    )
    assert written["summary"]["workers"] == 5
    assert written["summary"]["selected"] == 2
    assert [w["instance_id"] for w in written["workers"]] == ["i-2"]


def written(workers):
    stream = io.StringIO()
    write_csv(stream, workers)
    return stream.getvalue()


def test_csv_has_a_header_and_one_line_per_worker(make, fleet):
    rows = list(csv.DictReader(io.StringIO(written(fleet))))
    assert list(rows[0]) == list(COLUMNS)
    assert [r["instance_id"] for r in rows] == ["i-1", "i-2", "i-3", "i-4", "i-5"]
    assert rows[0]["minutes_behind"] == "5"
    assert rows[3]["cause"] == ""


def test_csv_keeps_commas_quotes_and_line_breaks_in_their_cell(make):
    text = written([make.stale("i-1", evidence='said "no, no"\nand left', desired_verdict=Verdict.VERIFIED)])
    assert text.count("\n") == 2
    (row,) = csv.DictReader(io.StringIO(text))
    assert row["evidence"] == 'said "no, no" and left'


@pytest.mark.parametrize("evil", ["=1+1", "+1", "-2+3", "@SUM(A1)", "\t=1", "\r=1", " =1", "\x1b[31m=1"])
def test_no_cell_is_a_formula(make, evil):
    (row,) = csv.DictReader(io.StringIO(written([make.stale("i-1", evidence=evil, group=evil)])))
    assert row["evidence"].startswith("'")
    assert row["group"].startswith("'")


@examples(suite=200, soak=5_000)
@given(st.text(max_size=30))
def test_any_text_becomes_a_cell_of_one_line_without_a_formula(text):
    shown = cell(text)
    assert not shown.lstrip().startswith(("=", "+", "-", "@"))
    assert "\n" not in shown
    assert "\r" not in shown
    (row,) = csv.reader(io.StringIO(written_row(shown)))
    assert row == [shown, "x"]


def written_row(shown):
    stream = io.StringIO()
    csv.writer(stream, lineterminator="\n").writerow([shown, "x"])
    return stream.getvalue()


def test_numbers_stay_numbers():
    assert list(itertools.starmap(cell, [(5,), (None,), (-3,)])) == [5, None, -3]
