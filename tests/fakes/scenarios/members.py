"""Workers that come and go, are set aside, or change hands."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

from deployctl.model.cause import Category, Cause
from deployctl.model.fleet import TAG_VERSION
from tests.fakes.cloud import APPLICATION
from tests.fakes.releasing import ReleaseHarness
from tests.fakes.scenarios.base import CURRENT, Labels, Scenario


@dataclass(slots=True, kw_only=True)
class InStandby(Scenario):
    """Some are in Standby while it is released; of those, some come back later."""

    least: ClassVar[int] = 4
    aside: list[str] = field(default_factory=list)
    back: list[str] = field(default_factory=list)

    def before(self, harness: ReleaseHarness) -> None:
        self.aside = self.of(harness, 2)
        for worker in self.aside:
            harness.cloud.set_aside(worker)

    def after(self, harness: ReleaseHarness) -> None:
        self.back = self.aside[: self.chance.randint(0, 2)]
        for worker in self.back:
            harness.cloud.bring_back(worker)

    def labels(self, harness: ReleaseHarness) -> Labels:
        aside = self.by_events(harness, never=(Category.STALE, Cause.STANDBY))
        return aside | dict.fromkeys(self.back, (Category.STALE, Cause.REJOINED_LATE))


class InStandbyAndTaggedByHand(InStandby):
    """A user writes the new version onto those that were left out."""

    def after(self, harness: ReleaseHarness) -> None:
        harness.cloud.tag(self.aside, {TAG_VERSION: "v2"})

    def labels(self, harness: ReleaseHarness) -> Labels:
        return self.by_events(harness, never=(Category.STALE, Cause.TAG_AHEAD_OF_DEPLOYMENT))


@dataclass(slots=True, kw_only=True)
class Detached(Scenario):
    """One leaves the group alive, and no release reaches it."""

    gone: str = ""

    def before(self, harness: ReleaseHarness) -> None:
        (self.gone,) = self.of(harness)
        harness.cloud.detach(self.gone, shrink=self.chance.random() < 0.5)

    def labels(self, harness: ReleaseHarness) -> Labels:
        return self.by_events(harness) | {self.gone: (Category.WRONG_GROUP, Cause.DETACHED)}


@dataclass(slots=True, kw_only=True)
class Moved(Scenario):
    """One is moved into another group: before the release, which then reaches it there, or after it."""

    groups: ClassVar[tuple[str, ...]] = ("", "-other")
    gone: str = ""
    late: bool = False

    def before(self, harness: ReleaseHarness) -> None:
        (self.gone,) = self.of(harness)
        self.late = self.chance.random() < 0.7
        if not self.late:
            self._move(harness)

    def after(self, harness: ReleaseHarness) -> None:
        if self.late:
            self._move(harness)

    def _move(self, harness: ReleaseHarness) -> None:
        harness.cloud.detach(self.gone)
        harness.cloud.clock.sleep(10)
        harness.cloud.attach(f"{self.name}-other", self.gone)
        harness.cloud.clock.sleep(10)

    def labels(self, harness: ReleaseHarness) -> Labels:
        both = self.by_events(harness) | dict.fromkeys(self.living(harness, f"{self.name}-other"), CURRENT)
        moved = (Category.WRONG_GROUP, Cause.MOVED_GROUP) if self.late else CURRENT
        return both | {self.gone: moved}


class LaunchedIntoAnEmptyGroup(Scenario):
    """The group is empty when it is released, so nothing is deployed; then a worker is launched."""

    least = 1

    def before(self, harness: ReleaseHarness) -> None:
        asg = f"asg-{self.name}"
        harness.cloud.fleet.set_desired(asg, 0)
        harness.cloud.clock.sleep(120)

    def after(self, harness: ReleaseHarness) -> None:
        harness.cloud.scale(self.name, +self.workers)

    def labels(self, harness: ReleaseHarness) -> Labels:
        label = (Category.LAUNCHED_AFTER_RELEASE, Cause.LAUNCHED_INTO_EMPTY_GROUP)
        return dict.fromkeys(self.living(harness), label)


class LaunchedMeanwhile(Scenario):
    """A worker is launched in the middle and gets the version before; CodeDeploy is set not to follow up."""

    strategy = "one"
    least = 4

    def before(self, harness: ReleaseHarness) -> None:
        harness.cloud.codedeploy.update_deployment_group(
            {
                "applicationName": APPLICATION,
                "currentDeploymentGroupName": self.name,
                "outdatedInstancesStrategy": "IGNORE",
            }
        )

    def meanwhile(self, harness: ReleaseHarness) -> None:
        harness.cloud.at(30, lambda: harness.cloud.scale(self.name, +1))

    def labels(self, harness: ReleaseHarness) -> Labels:
        late = (Category.LAUNCHED_AFTER_RELEASE, Cause.LAUNCHED_DURING_RELEASE)
        return self.by_events(harness, never=late)


class FollowedUp(Scenario):
    """The same, and CodeDeploy follows up: it is current in the end."""

    strategy = "one"

    def meanwhile(self, harness: ReleaseHarness) -> None:
        harness.cloud.at(30, lambda: harness.cloud.scale(self.name, +1))


class LaunchedJustBefore(LaunchedMeanwhile):
    """Launched seconds before the release, and not yet in service when its deployment begins."""

    def just_before(self, harness: ReleaseHarness) -> None:
        harness.cloud.scale(self.name, +1)

    def meanwhile(self, harness: ReleaseHarness) -> None:
        pass

    def labels(self, harness: ReleaseHarness) -> Labels:
        return self.by_events(harness, never=(Category.STALE, Cause.LAUNCHED_DURING_RELEASE))


class LaunchedWithoutTheHook(Scenario):
    """A user removes CodeDeploy's lifecycle hook; the next worker gets nothing at its launch."""

    def after(self, harness: ReleaseHarness) -> None:
        harness.cloud.fleet.groups[f"asg-{self.name}"].hooks.clear()
        harness.cloud.scale(self.name, +1)

    def labels(self, harness: ReleaseHarness) -> Labels:
        return self.by_events(harness, never=(Category.LAUNCHED_AFTER_RELEASE, Cause.LAUNCH_HOOK_MISSING))


class LaunchedAndCurrent(Scenario):
    """Launched after a release that held: it gets the version at its launch."""

    least = 2

    def after(self, harness: ReleaseHarness) -> None:
        harness.cloud.scale(self.name, +self.chance.randint(1, 2))


@dataclass(slots=True, kw_only=True)
class LaunchedAndNotTagged(Scenario):
    """Launched after it, and the worker cannot tag itself."""

    least: ClassVar[int] = 2

    def after(self, harness: ReleaseHarness) -> None:
        harness.cloud.inject("no-self-tag", group=self.name)
        harness.cloud.scale(self.name, +self.chance.randint(1, 3))

    def labels(self, harness: ReleaseHarness) -> Labels:
        late = (Category.LAUNCHED_AFTER_RELEASE, Cause.DEPLOYED_NOT_TAGGED)
        return self.by_events(harness) | dict.fromkeys(self.launched(harness), late)


class BeingLaunched(Scenario):
    """A worker is being launched as we look."""

    least = 2

    def at_last(self, harness: ReleaseHarness) -> None:
        harness.cloud.scale(self.name, +1)

    def labels(self, harness: ReleaseHarness) -> Labels:
        coming = (Category.LAUNCHED_AFTER_RELEASE, Cause.STILL_DEPLOYING)
        return self.by_events(harness, never=coming)


@dataclass(slots=True, kw_only=True)
class Lost(Scenario):
    """Some are lost in the middle of it, for four reasons; who replaces them is current in the end."""

    strategy: ClassVar[str] = "one"
    least: ClassVar[int] = 4
    lost: dict[str, Cause] = field(default_factory=dict)

    def meanwhile(self, harness: ReleaseHarness) -> None:
        cause = self.chance.choice(
            [
                Cause.RECLAIMED_BY_SPOT,
                Cause.SCALED_IN,
                Cause.REPLACED_UNHEALTHY,
                Cause.TERMINATED_BY_USER,
                Cause.EVIDENCE_MISSING,
            ]
        )
        if cause is Cause.EVIDENCE_MISSING:
            # No health check finds it, so that no activity names it.
            harness.cloud.fleet.suspend(f"asg-{self.name}", ["HealthCheck"])
        harness.cloud.at(self.chance.uniform(20, 45), lambda: self._lose(harness, cause))

    def _lose(self, harness: ReleaseHarness, cause: Cause) -> None:
        down = [
            e.fields["instance_id"]
            for e in harness.cloud.events("worker-down")
            if e.fields["group"] == self.name and e.fields["version"] == "v2"
        ]
        (worker,) = down[-1:]
        self.lost[worker] = cause
        match cause:
            case Cause.RECLAIMED_BY_SPOT:
                harness.cloud.reclaim(worker)
            case Cause.REPLACED_UNHEALTHY:
                harness.cloud.set_unhealthy(worker)
            case Cause.SCALED_IN:
                slots = harness.cloud.fleet.groups[f"asg-{self.name}"].slots
                for instance_id, slot in slots.items():
                    slot.protected = instance_id != worker
                harness.cloud.scale(self.name, -1)
            case _:
                harness.cloud.fleet.terminate([worker])

    def labels(self, harness: ReleaseHarness) -> Labels:
        gone = {i: (Category.TERMINATED_MID_DEPLOY, cause) for i, cause in self.lost.items()}
        finished = {
            e.fields["instance_id"]
            for e in harness.cloud.events("worker-up")
            if e.fields["version"] == "v2" and e.fields["group"] == self.name
        }
        # An unnoticed terminated instance stays in the group, and every new attempt waits for it.
        abandoned_reason = (Category.FAILED, Cause.DEPLOYMENT_GIVEN_UP)
        found = self.by_events(harness, skipped=abandoned_reason, interrupted=abandoned_reason)
        if Cause.EVIDENCE_MISSING not in self.lost.values():
            assert set(found.values()) == {CURRENT}
        return found | {i: label for i, label in gone.items() if i not in finished}


class LostLater(Scenario):
    """Some are lost after it: nothing is to be said of them."""

    def after(self, harness: ReleaseHarness) -> None:
        harness.cloud.reclaim(*self.of(harness))
        harness.cloud.scale(self.name, -1)


class DayZeroBehind(Scenario):
    """deployctl has never released there; some worker missed what CodeDeploy last deployed."""

    version = None
    least = 2

    def before(self, harness: ReleaseHarness) -> None:
        hooks = harness.cloud.fleet.groups[f"asg-{self.name}"].hooks
        kept = dict(hooks)
        hooks.clear()
        harness.cloud.scale(self.name, +1)
        harness.cloud.clock.sleep(120)
        hooks.update(kept)

    def labels(self, harness: ReleaseHarness) -> Labels:
        missed = (Category.NEVER_TAGGED, Cause.NOT_IN_RELEASE)
        return dict.fromkeys(self.living(harness), CURRENT) | dict.fromkeys(self.launched(harness), missed)
