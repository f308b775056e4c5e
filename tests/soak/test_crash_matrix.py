"""After SIGKILL at any request, a second run leaves the fleet as an undisturbed release does."""

from __future__ import annotations

import itertools

import pytest

from tests.fakes.fault_proxy import Kill, Moment, killing_proxy
from tests.soak.killed import Matrix, sample

SEED = 20_260_301
POINTS = 4


@pytest.fixture(scope="module")
def matrix(start_sandbox, tmp_path_factory):
    sandbox = start_sandbox(groups=12, workers=60, seed=61, speed=150.0)
    with killing_proxy(sandbox.endpoint) as proxy:
        yield Matrix(sandbox, proxy, tmp_path_factory.mktemp("killed") / "repo")


@pytest.mark.timeout(600)
def test_a_release_killed_at_a_sample_of_its_requests_is_finished_by_the_same_command(matrix, figures):
    matrix.try_all(sample(matrix.requests(), points=POINTS, seed=SEED))
    figures(f"killed at a sample of requests: {matrix.figures}")
    assert matrix.broken == []
    # A release that sent fewer requests than the first one was not killed.
    assert matrix.tried >= POINTS - 1


@pytest.mark.soak
@pytest.mark.timeout(7_200)
@pytest.mark.parametrize("moment", list(Moment))
def test_a_release_killed_at_any_of_its_requests_is_finished_by_the_same_command(matrix, figures, moment):
    matrix.tried, matrix.broken = 0, []
    for number in itertools.count(1):
        if not matrix.try_one(Kill(number=number, moment=moment)):
            break
    figures(f"killed at every request, {moment}: {matrix.figures}")
    assert matrix.broken == []
    assert matrix.tried > 60
