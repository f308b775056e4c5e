"""No configuration ever lets more workers go down than was asked for."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deployctl.model.strategy import (
    ALL_AT_ONCE,
    HALF_AT_A_TIME,
    ONE_AT_A_TIME,
    DeploymentConfig,
    Strategy,
    config_for,
    max_unavailable,
    parse_strategy,
)

TEXTS = ["one", "half", "all", *(f"{n}%" for n in range(5, 100, 5))]
SIZES = st.integers(1, 1_000)


def asked(text: str, workers: int) -> float:
    """How many may be down, read off the words alone."""
    return {"one": 1, "half": workers / 2, "all": workers}.get(text) or int(text.rstrip("%")) * workers / 100


def lets_down(config: DeploymentConfig, workers: int) -> int:
    """How many CodeDeploy takes down at a time: all but the healthy minimum, a percentage of which rounds up."""
    if config.name == "CodeDeployDefault.OneAtATime":
        return 1
    percent = {"CodeDeployDefault.HalfAtATime": 50, "CodeDeployDefault.AllAtOnce": 0}.get(config.name)
    healthy = config.min_healthy_percent if percent is None else percent
    assert healthy is not None
    return workers - -(-workers * healthy // 100)


@given(st.sampled_from(TEXTS), SIZES)
def test_no_more_workers_go_down_than_the_strategy_allows(text, workers):
    down = lets_down(config_for(parse_strategy(text), workers), workers)
    assert down <= max(1, asked(text, workers))


@given(st.sampled_from(TEXTS), SIZES)
def test_at_least_one_worker_may_go_down(text, workers):
    assert lets_down(config_for(parse_strategy(text), workers), workers) >= 1


@given(st.sampled_from(TEXTS), SIZES)
def test_codedeploy_takes_as_many_workers_down_as_planned(text, workers):
    strategy = parse_strategy(text)
    assert lets_down(config_for(strategy, workers), workers) == max_unavailable(strategy, workers)


@given(st.sampled_from(TEXTS), SIZES)
def test_one_configuration_serves_all_groups_of_a_percentage(text, workers):
    config = config_for(parse_strategy(text), workers)
    if config.min_healthy_percent is not None:
        assert config.name == f"deployctl-fleet-percent-{config.min_healthy_percent}"
        assert config.min_healthy_percent % 5 == 0


@pytest.mark.parametrize("text", TEXTS)
def test_a_group_of_one_goes_one_at_a_time(text):
    assert config_for(parse_strategy(text), 1) == ONE_AT_A_TIME


@pytest.mark.parametrize(
    ("text", "workers", "config"),
    [
        ("one", 9, ONE_AT_A_TIME),
        ("half", 9, HALF_AT_A_TIME),
        ("half", 3, ONE_AT_A_TIME),
        ("all", 9, ALL_AT_ONCE),
    ],
)
def test_codedeploys_own_configurations_are_used_where_they_fit(text, workers, config):
    assert config_for(parse_strategy(text), workers) == config


def test_a_strategy_without_workers_still_has_a_configuration():
    assert config_for(Strategy(parse_strategy("25%").kind, 25), 0) == ONE_AT_A_TIME
