"""Fleets with every kind of drift injected, through the events that cause it.

Each scenario owns one or more groups: it says what happens there before, during and after the release, and then
names the category and cause of every worker that a reconciliation must report. It knows them from what it injected
and from the simulator's own record of what happened, never from a snapshot.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from deployctl.model.artifact import Artifact
from deployctl.model.reconciliation import ReconciledWorker
from tests.fakes.cloud import APPLICATION
from tests.fakes.releasing import ReleaseHarness
from tests.fakes.scenarios.base import Label, Labels, Scenario
from tests.fakes.scenarios.failing import (
    BadBundle,
    Failing,
    FailingAndTaggedByHand,
    LaunchedAfterAFailure,
    NeverBegan,
    NothingToLaunchWith,
    RolledBackHalfway,
    RolledBackInVain,
    StoppedEarly,
    Stuck,
)
from tests.fakes.scenarios.members import (
    BeingLaunched,
    DayZeroBehind,
    Detached,
    FollowedUp,
    InStandby,
    InStandbyAndTaggedByHand,
    LaunchedAndCurrent,
    LaunchedAndNotTagged,
    LaunchedIntoAnEmptyGroup,
    LaunchedJustBefore,
    LaunchedMeanwhile,
    LaunchedWithoutTheHook,
    Lost,
    LostLater,
    Moved,
)
from tests.fakes.scenarios.releases import (
    AnotherAtWork,
    Busy,
    DeployedOutside,
    Held,
    StoppedByARequest,
    StoppedInTheConsole,
    StoppedWhileWaiting,
    Superseded,
    UnderWay,
    Unmanaged,
    Waiting,
)
from tests.fakes.scenarios.tags import Edited, NotTagged, TagSaysMore

SCENARIOS: tuple[type[Scenario], ...] = (
    Held,
    Unmanaged,
    NothingToLaunchWith,
    Failing,
    FailingAndTaggedByHand,
    StoppedEarly,
    LaunchedAfterAFailure,
    StoppedInTheConsole,
    NeverBegan,
    BadBundle,
    InStandby,
    InStandbyAndTaggedByHand,
    Detached,
    Moved,
    LaunchedIntoAnEmptyGroup,
    LaunchedMeanwhile,
    LaunchedJustBefore,
    FollowedUp,
    LaunchedWithoutTheHook,
    LaunchedAndCurrent,
    LaunchedAndNotTagged,
    BeingLaunched,
    NotTagged,
    Edited,
    TagSaysMore,
    DeployedOutside,
    AnotherAtWork,
    Lost,
    LostLater,
    Busy,
    Stuck,
    DayZeroBehind,
    StoppedByARequest,
    Superseded,
    StoppedWhileWaiting,
    RolledBackInVain,
    RolledBackHalfway,
    UnderWay,
    Waiting,
)


class InjectedFleetHarness(ReleaseHarness):
    """A harness whose fleet has groups that nothing was ever deployed to, and versions that tag no worker."""

    def publish(self, version: str, *, tags_itself: bool = True) -> Artifact:
        if version in ("v2", "v3"):
            # Just before and just after v2.
            super().publish("v1-silent" if version == "v2" else "v3-silent", tags_itself=False)
        return super().publish(version, tags_itself=tags_itself)

    def deploy_v1(self) -> None:
        for group in list(self.cloud.codedeploy.store.applications[APPLICATION].groups):
            if not group.startswith("unmanaged"):
                self.cloud.deploy(group, "v1")
        self.cloud.clock.sleep(600)
        self.cloud.calls.clear()


@dataclass(frozen=True, slots=True, kw_only=True)
class InjectedFleet:
    """A fleet with its injected drift; `labels` are every worker that must be reported."""

    harness: ReleaseHarness
    scenarios: tuple[Scenario, ...]
    labels: Labels
    found: dict[str, ReconciledWorker]

    def confusion(self) -> Counter[tuple[str, str]]:
        """How many workers that were injected as the first were found as the second."""
        counts: Counter[tuple[str, str]] = Counter()
        for instance_id in self.labels.keys() | self.found.keys():
            counts[_word(self.labels.get(instance_id)), _word(_label_of(self.found.get(instance_id)))] += 1
        return counts

    def wrong(self) -> list[str]:
        """Who was found as something else, in words."""
        lines = []
        for scenario in self.scenarios:
            for name in scenario.names():
                for instance_id, found in self.found.items():
                    injected = self.labels.get(instance_id)
                    if found.group == name and _label_of(found) != injected:
                        lines.append(
                            f"{type(scenario).__name__} {name} {instance_id}: {_word(injected)}"
                            f" was found as {_word(_label_of(found))}: {found.evidence}"
                        )
        lost = self.labels.keys() - self.found.keys()
        return [*lines, *(f"{i}: {_word(self.labels[i])} was not found at all" for i in sorted(lost))]


def _label_of(worker: ReconciledWorker | None) -> Label | None:
    return (worker.category, worker.cause) if worker is not None else None


def _word(label: Label | None) -> str:
    if label is None:
        return "not reported"
    category, cause = label
    return category.value if cause is None else f"{category.value}/{cause.value}"


def inject(seed: int, workers: int, *, kinds: Iterable[type[Scenario]] = SCENARIOS) -> InjectedFleet:
    """A fleet of about so many workers, with a mixture of scenarios by this seed, and what a reconciliation finds."""
    chance = random.Random(seed)
    return _grown(tuple(_mixture(chance, workers, tuple(kinds))), chance, seed)


def inject_each(seed: int) -> InjectedFleet:
    """A fleet with every scenario once."""
    chance = random.Random(seed)
    return _grown(tuple(_of_kind(kind, n, chance) for n, kind in enumerate(SCENARIOS)), chance, seed)


def _grown(scenarios: tuple[Scenario, ...], chance: random.Random, seed: int) -> InjectedFleet:
    harness = InjectedFleetHarness(
        {n: s.workers for s in scenarios for n in s.names()},
        strategy="all",
        strategies={n: s.strategy for s in scenarios for n in s.names()},
        seed=seed,
    )
    play(harness, scenarios, chance)
    labels: Labels = {}
    for scenario in scenarios:
        labels |= scenario.labels(harness)
    return InjectedFleet(harness=harness, scenarios=scenarios, labels=labels, found=harness.reconcile())


def play(harness: ReleaseHarness, scenarios: Iterable[Scenario], chance: random.Random) -> None:
    """Before, the fleet-wide release, after, a release that is left unfinished, and the last moments."""
    scenarios = list(scenarios)
    for scenario in scenarios:
        scenario.before(harness)
    released = [n for s in scenarios for n in s.names() if s.version == "v2"]
    for scenario in scenarios:
        scenario.just_before(harness)
    harness.cloud.clock.sleep(12)
    for scenario in scenarios:
        scenario.meanwhile(harness)
    if released:
        harness.release("v2", *released)
    for scenario in scenarios:
        scenario.after(harness)
    harness.cloud.clock.sleep(400)
    harness.publish("v-last")
    for scenario in scenarios:
        scenario.before_the_last(harness)
    unfinished = [n for s in scenarios for n in s.names() if isinstance(s, UnderWay)]
    if unfinished and chance.random() < 0.5:
        harness.release("v3", *unfinished, timeout_s=40)
    elif unfinished:
        harness.killed_at(
            chance.randint(1, 60), verb=lambda wire: harness.release("v3", *unfinished, wire=wire)
        )
    for scenario in scenarios:
        scenario.at_last(harness)
    harness.cloud.clock.sleep(25)


def _mixture(chance: random.Random, workers: int, kinds: tuple[type[Scenario], ...]) -> Iterator[Scenario]:
    """Each kind once before any comes again."""
    left, number = workers, 0
    bag: list[type[Scenario]] = []
    while left > 0:
        bag = bag or chance.sample(kinds, len(kinds))
        scenario = _of_kind(bag.pop(), number, chance)
        yield scenario
        left -= scenario.workers * len(scenario.groups)
        number += 1


def _of_kind(kind: type[Scenario], number: int, chance: random.Random) -> Scenario:
    return kind(
        name=f"{'queue' if kind.managed else 'unmanaged'}-{number:03}",
        workers=chance.randint(kind.least, kind.least + 4),
        chance=random.Random(chance.random()),
    )


def matrix(counts: Mapping[tuple[str, str], int]) -> str:
    """The non-empty cells of the confusion matrix: what was injected, how often it was found, and as what."""
    lines = [
        f"{number:7,}  {injected}{'' if injected == found else f'   FOUND AS {found}'}"
        for (injected, found), number in sorted(counts.items())
    ]
    return "\n".join(lines)
