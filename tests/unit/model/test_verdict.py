"""One table from a release's groups to its exit code."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deployctl.errors import ExitCode
from deployctl.model.verdict import EXIT_CODES, Verdict, worst

VERDICTS = st.sampled_from(Verdict)


@pytest.mark.parametrize(
    ("verdict", "code"),
    [
        ("empty", 0),
        ("verified", 0),
        ("partial", 6),
        ("running", 124),
        ("superseded", 1),
        ("rolled-back", 7),
        ("stopped", 1),
        ("unknown", 1),
        ("failed", 1),
    ],
)
def test_each_verdict_has_its_exit_code(verdict, code):
    assert EXIT_CODES[Verdict(verdict)] == code


def test_every_verdict_is_in_the_table():
    assert set(EXIT_CODES) == set(Verdict)


@given(st.lists(VERDICTS, min_size=1))
def test_a_release_has_the_worst_verdict_of_its_groups(verdicts):
    order = list(Verdict)
    assert order.index(worst(verdicts)) == max(order.index(verdict) for verdict in verdicts)


@given(st.lists(VERDICTS, min_size=1))
def test_a_release_exits_with_0_only_where_every_group_does(verdicts):
    every = all(EXIT_CODES[v] is ExitCode.DONE for v in verdicts)
    assert (EXIT_CODES[worst(verdicts)] is ExitCode.DONE) == every


def test_a_release_without_groups_is_empty():
    assert worst([]) is Verdict.EMPTY


def test_only_the_verdicts_verified_and_empty_count_as_verified():
    assert {v for v in Verdict if v.is_verified} == {Verdict.VERIFIED, Verdict.EMPTY}
