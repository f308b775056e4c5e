"""After a release: one honest sentence, and for each group in trouble why and what to type."""

import pytest

from deployctl.model.release import WorkerOutcome
from deployctl.model.verdict import Verdict, WorkerVerdict
from deployctl.report.look import UNICODE
from deployctl.report.verdict import summary, verdict_line


def told(outcome):
    return [line.plain for line in summary(outcome, glyphs=UNICODE)]


def held(make, number):
    return [make.group_outcome(f"held-{n:03}") for n in range(number)]


def test_one_failed_group_among_many_is_named_with_its_share(make):
    bad = make.group_outcome("mail-send", Verdict.FAILED, held=5, failed=["ApplicationStart: ScriptFailed"])
    outcome = make.outcome(*held(make, 49), bad)
    assert verdict_line(outcome) == "v123 held on 49 of 50 groups; failed on mail-send (1 of 6 workers)"


def test_a_release_that_holds_everywhere_says_how_many_workers_and_how_long(make):
    assert verdict_line(make.outcome(*held(make, 50))) == "v123 held on all 50 groups, 300 workers, in 5m12s"
    assert told(make.outcome(*held(make, 50))) == ["v123 held on all 50 groups, 300 workers, in 5m12s"]


@pytest.mark.parametrize(
    ("groups", "line"),
    [
        ([("a", Verdict.EMPTY)], "v123 is desired on 1 group; none has a worker yet"),
        ([("a", Verdict.HELD), ("b", Verdict.EMPTY)], "v123 held on 1 of 2 groups; 1 without workers"),
        ([("a", Verdict.HELD), ("b", Verdict.RUNNING)], "v123 held on 1 of 2 groups; still running on b"),
        (
            [("a", Verdict.PARTLY), ("b", Verdict.ROLLED_BACK), ("c", Verdict.STOPPED)],
            "v123 held on 0 of 3 groups; stopped on c; rolled back on b; held partly on a",
        ),
        ([], "v123 held on 0 of 0 groups"),
    ],
)
def test_every_verdict_has_its_words(make, groups, line):
    assert verdict_line(make.outcome(*(make.group_outcome(*g, held=0) for g in groups))) == line


def test_a_troubled_group_has_its_workers_cause_and_next_command(make):
    bad = make.group_outcome("mail send", Verdict.FAILED, held=4, failed=["disk full", "disk full"])
    assert told(make.outcome(bad, *held(make, 1)))[:2] == [
        "✗ mail send failed (2 of 6 workers): i-mail send-bad0, i-mail send-bad1: disk full",
        "    → deployctl reconcile --group 'mail send'",
    ]


def test_a_failure_without_workers_gives_the_reason_of_the_group(make):
    bad = make.group_outcome("mail", Verdict.FAILED, held=0, reason="d-1: IAM_ROLE_MISSING")
    assert told(make.outcome(bad))[0] == "✗ mail failed: d-1: IAM_ROLE_MISSING"


def test_a_worker_that_was_excused_is_no_reason(make):
    group = make.group_outcome("mail", Verdict.FAILED, held=4, failed=["disk full"])
    gone = WorkerOutcome(instance_id="i-gone", verdict=WorkerVerdict.EXCUSED, cause="reclaimed by spot")
    group = type(group)(
        **{name: getattr(group, name) for name in group.__slots__} | {"workers": (*group.workers, gone)}
    )
    assert "i-gone" not in told(make.outcome(group))[0]
    assert "1 of 6 workers" in told(make.outcome(group))[0]


def test_of_a_group_still_running_nothing_is_to_be_looked_up(make):
    lines = told(make.outcome(make.group_outcome("mail", Verdict.RUNNING, held=0)))
    assert len(lines) == 2
    assert "mail running" in lines[0]


def test_five_hundred_groups_in_trouble_stay_short(make):
    bad = [make.group_outcome(f"bad-{n:03}", Verdict.FAILED, held=0, failed=["x"] * 20) for n in range(57)]
    lines = told(make.outcome(*bad, *held(make, 443)))
    assert len(lines) == 42
    assert lines[-2] == "and 37 more: deployctl reconcile"
    assert lines[-1] == (
        "v123 held on 443 of 500 groups; failed on bad-000 (20 of 20 workers), bad-001 (20 of 20 workers),"
        " bad-002 (20 of 20 workers), and 54 more"
    )
    assert max(map(len, lines)) < 200
