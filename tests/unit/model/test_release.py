"""Strategies as people write them, and the mark by which a deployment is found again."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deployctl.model.names import ReleaseId, Version
from deployctl.model.release_marker import deployment_description, release_id_in
from deployctl.model.strategy import (
    InvalidBudget,
    InvalidStrategy,
    Strategy,
    StrategyKind,
    parse_budget,
    parse_strategy,
)

MAX_DESCRIPTION_CHARS = 256


@pytest.mark.parametrize("text", ["one", "half", "all", *(f"{n}%" for n in range(5, 100, 5))])
def test_a_strategy_reads_back_as_written(text):
    assert str(parse_strategy(text)) == text


def test_100_percent_is_all():
    assert parse_strategy("100%") == Strategy(StrategyKind.ALL)


@pytest.mark.parametrize("text", ["", "two", "0%", "7%", "105%", "-5%", "25", "25 %", "One", "%", "5.0%"])
def test_anything_else_is_refused_with_the_choices(text):
    with pytest.raises(InvalidStrategy) as refused:
        parse_strategy(text)
    assert "one, half, all" in refused.value.message


@given(st.text(max_size=10))
def test_reading_a_strategy_gives_one_or_an_error_of_ours(text):
    try:
        strategy = parse_strategy(text)
    except InvalidStrategy:
        return
    assert (strategy.percent is not None) == (strategy.kind is StrategyKind.PERCENT)


@pytest.mark.parametrize("text", ["0", "7", "0%", "10%", "100%"])
def test_a_budget_reads_back_as_written(text):
    assert str(parse_budget(text)) == text


@pytest.mark.parametrize("text", ["", "-1", "101%", "1.5", "x", "٥", "1000000"])
def test_an_invalid_budget_is_refused(text):
    with pytest.raises(InvalidBudget):
        parse_budget(text)


@pytest.mark.parametrize(
    ("text", "failed", "of", "allowed"),
    [("0", 0, 6, True), ("0", 1, 6, False), ("2", 2, 6, True), ("10%", 1, 19, True), ("10%", 2, 19, False)],
)
def test_a_budget_in_percent_is_rounded_down(text, failed, of, allowed):
    assert parse_budget(text).allows(failed, of=of) is allowed


VERSIONS = st.from_regex(r"\A[A-Za-z0-9][A-Za-z0-9._+-]{0,63}\Z").map(Version)


@given(VERSIONS)
def test_a_release_is_found_by_its_marker(version):
    release = ReleaseId("r-20260301T120000-abcdef")
    assert release_id_in(deployment_description(release, version)) == release


@given(VERSIONS)
def test_a_marker_fits_codedeploys_description(version):
    assert (
        len(deployment_description(ReleaseId("r-20260301T120000-abcdef"), version)) <= MAX_DESCRIPTION_CHARS
    )


@pytest.mark.parametrize(
    "text", ["", "Rollback of deployment d-1", "by hand: deployctl release=r-1 version=v1"]
)
def test_a_description_that_is_no_marker_belongs_to_no_release(text):
    assert release_id_in(text) is None
