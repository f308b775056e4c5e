"""Releases that are verified, stopped, waiting or in progress; and deployments outside a release."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from deployctl.model.cause import Category, Cause
from deployctl.model.release import StopKind
from tests.fakes.cloud import APPLICATION
from tests.fakes.releasing import ReleaseHarness
from tests.fakes.scenarios.base import CURRENT, DEPLOYING, Labels, Scenario


class Held(Scenario):
    """All is well."""


class Unmanaged(Scenario):
    """Nothing was ever deployed there."""

    version = None
    managed = False
    least = 1

    def labels(self, harness: ReleaseHarness) -> Labels:
        return dict.fromkeys(self.living(harness), (Category.NOT_MANAGED, Cause.NO_DESIRED_VERSION))


class StoppedInTheConsole(Scenario):
    """A user stops the deployment in the console."""

    strategy = "one"
    least = 4

    def meanwhile(self, harness: ReleaseHarness) -> None:
        harness.cloud.at(self.chance.uniform(70, 150), lambda: harness.cloud.stop_in_console(self.name))

    def labels(self, harness: ReleaseHarness) -> Labels:
        stopped = (Category.FAILED, Cause.DEPLOYMENT_STOPPED)
        return self.by_events(harness, skipped=stopped, interrupted=stopped)


@dataclass(slots=True, kw_only=True)
class DeployedOutside(Scenario):
    """A user deploys another version in the console, which tags its workers or does not."""

    least: ClassVar[int] = 1
    newer: bool = False

    def after(self, harness: ReleaseHarness) -> None:
        self.newer = self.chance.random() < 0.5
        harness.cloud.deploy(
            self.name, self.chance.choice(["v3", "v3-silent"] if self.newer else ["v1", "v1-silent"])
        )

    def labels(self, harness: ReleaseHarness) -> Labels:
        category = Category.AHEAD if self.newer else Category.STALE
        return dict.fromkeys(self.living(harness), (category, Cause.DEPLOYED_OUTSIDE_RELEASE))


class AnotherAtWork(Scenario):
    """A foreign deployment of another version is active in a drifted group."""

    version = None
    least = 1

    def after(self, harness: ReleaseHarness) -> None:
        artifact = harness.publish(f"gone-{self.name}")
        del harness.cloud.bundles.bodies[artifact.key]
        harness.release(f"gone-{self.name}", self.name)

    def at_last(self, harness: ReleaseHarness) -> None:
        harness.cloud.deploy(self.name, "v1")

    def labels(self, harness: ReleaseHarness) -> Labels:
        return dict.fromkeys(self.living(harness), (Category.STALE, Cause.OTHER_DEPLOYMENT_RUNNING))


@dataclass(slots=True, kw_only=True)
class Busy(Scenario):
    """A foreign deployment holds the group for longer than the release waits."""

    least: ClassVar[int] = 2
    stuck: str = ""

    def before(self, harness: ReleaseHarness) -> None:
        (self.stuck,) = self.of(harness)
        harness.cloud.inject("hook-stuck", instance=self.stuck, event="BeforeInstall", times=1)
        harness.cloud.deploy(self.name, "v1")

    def labels(self, harness: ReleaseHarness) -> Labels:
        busy = dict.fromkeys(self.living(harness), (Category.STALE, Cause.GROUP_BUSY))
        active = harness.cloud.codedeploy.store.applications[APPLICATION].groups[self.name].holders
        return busy | ({self.stuck: (Category.STALE, Cause.OTHER_DEPLOYMENT_RUNNING)} if active else {})


class StoppedByARequest(Scenario):
    """A user asks the release of this group to stop, for good or for a newer one."""

    strategy = "one"
    version = None
    least = 3
    kind: ClassVar[StopKind] = StopKind.STOP
    cause: ClassVar[Cause] = Cause.DEPLOYMENT_STOPPED

    def after(self, harness: ReleaseHarness) -> None:
        harness.cloud.at(self.chance.uniform(5, 100), lambda: harness.ask_to_stop(self.kind))
        harness.release("v2", self.name)

    def labels(self, harness: ReleaseHarness) -> Labels:
        label = (Category.FAILED, self.cause)
        return self.by_events(harness, "v2", skipped=label, interrupted=label)


class Superseded(StoppedByARequest):
    kind = StopKind.SUPERSEDE
    cause = Cause.SUPERSEDED


class StoppedWhileWaiting(Scenario):
    """The release is stopped while the group still waits for its slot."""

    version = None
    least = 2

    def after(self, harness: ReleaseHarness) -> None:
        harness.cloud.deploy(self.name, "v1")
        harness.cloud.at(20, harness.ask_to_stop)
        harness.release("v2", self.name)

    def labels(self, harness: ReleaseHarness) -> Labels:
        return dict.fromkeys(self.living(harness), (Category.STALE, Cause.DEPLOYMENT_STOPPED))


class UnderWay(Scenario):
    """In the middle of a release as we look, or of one whose process was killed."""

    strategy = "one"
    version = None
    least = 4

    def labels(self, harness: ReleaseHarness) -> Labels:
        if self.name not in harness.state.groups:
            return dict.fromkeys(self.living(harness), CURRENT)
        if len(harness.cloud.deployments_of(self.name)) == 1:
            return dict.fromkeys(self.living(harness), (Category.STALE, Cause.DEPLOYMENT_NOT_STARTED))
        return self.by_events(harness, "v3", never=DEPLOYING)


class Waiting(UnderWay):
    """The same, behind a foreign deployment."""

    def before_the_last(self, harness: ReleaseHarness) -> None:
        harness.cloud.deploy(self.name, "v1")

    def labels(self, harness: ReleaseHarness) -> Labels:
        if self.name not in harness.state.groups:
            return dict.fromkeys(self.living(harness), CURRENT)
        up = {
            e.fields["instance_id"]
            for e in harness.cloud.events("worker-up")
            if e.at > harness.state.groups[self.name].since
        }
        return {
            i: (Category.STALE, Cause.DEPLOYMENT_NOT_STARTED if i in up else Cause.OTHER_DEPLOYMENT_RUNNING)
            for i in self.living(harness)
        }
