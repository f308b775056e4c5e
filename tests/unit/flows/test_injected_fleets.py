"""Fleets with everything injected in them that can go wrong: each worker is found as what it was injected as."""

from __future__ import annotations

from collections import Counter

import pytest

from deployctl.model.cause import Category, Cause
from tests.fakes.injected_fleets import SCENARIOS, inject, inject_each, matrix

#: A worker that could not be explained would be a gap: only one that is gone may be.
UNEXPLAINED = {(Category.TERMINATED_MID_DEPLOY, Cause.EVIDENCE_MISSING)}


def check(injected):
    assert injected.wrong() == []
    assert injected.labels.keys() == injected.found.keys()
    unexplained = {
        (w.category, w.cause) for w in injected.found.values() if w.cause is Cause.EVIDENCE_MISSING
    }
    assert unexplained <= UNEXPLAINED


@pytest.fixture(scope="module")
def each():
    return [inject_each(seed) for seed in range(3)]


def test_every_scenario_is_distinguished(each):
    for injected in each:
        check(injected)


def test_every_category_is_injected(each):
    assert {category for injected in each for category, _ in injected.labels.values()} == set(Category)


def test_every_scenario_that_is_meant_to_be_is_a_scenario(each):
    assert {type(s) for s in each[0].scenarios} == set(SCENARIOS)


@pytest.mark.parametrize("seed", range(4))
def test_a_random_mixture_is_distinguished(seed):
    check(inject(seed, 60))


def test_the_same_seed_injects_the_same_fleet():
    one, other = inject(3, 30), inject(3, 30)
    assert one.labels == other.labels


@pytest.mark.soak
@pytest.mark.timeout(3_600)
def test_a_hundred_fleets_of_300_are_distinguished(capsys):
    counts: Counter[tuple[str, str]] = Counter()
    wrong: list[str] = []
    causes = set()
    for seed in range(100):
        injected = inject(seed, 300)
        counts += injected.confusion()
        wrong += [f"seed {seed}: {line}" for line in injected.wrong()]
        causes |= {cause for _, cause in injected.labels.values() if cause is not None}
    with capsys.disabled():
        print(f"\n{matrix(counts)}\n{sum(counts.values()):,} workers, {len(wrong)} found as something else")
    assert wrong == []
    # The agent gives a script the run bit that it lacks; only one on a file system without run bits would fail.
    assert causes == set(Cause) - {Cause.SCRIPT_NOT_EXECUTABLE}
