"""A scenario: what happens to a group of a fleet, and what each of its workers must then be found as."""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import ClassVar

from deployctl.model.cause import Category, Cause
from tests.fakes.releasing import ReleaseHarness

Label = tuple[Category, Cause | None]


Labels = dict[str, Label]


CURRENT: Label = (Category.CURRENT, None)


DEPLOYING: Label = (Category.DEPLOYING, Cause.STILL_DEPLOYING)


ALIVE = ("pending", "running")


@dataclass(slots=True, kw_only=True)
class Scenario:
    """One thing that happens to a group. `chance` is this scenario's own luck.

    `version` is what the fleet-wide release brings here; None where the group is not part of it.
    """

    name: str
    workers: int
    chance: random.Random
    strategy: ClassVar[str] = "all"
    least: ClassVar[int] = 3
    version: ClassVar[str | None] = "v2"
    groups: ClassVar[tuple[str, ...]] = ("",)
    managed: ClassVar[bool] = True

    def names(self) -> tuple[str, ...]:
        return tuple(f"{self.name}{suffix}" for suffix in self.groups)

    def before(self, harness: ReleaseHarness) -> None:
        """What happens before the release."""

    def just_before(self, harness: ReleaseHarness) -> None:
        """What happens seconds before it."""

    def meanwhile(self, harness: ReleaseHarness) -> None:
        """What is to happen in the middle of it, counted from its beginning."""

    def after(self, harness: ReleaseHarness) -> None:
        """What happens once it is over. Minutes pass afterwards."""

    def before_the_last(self, harness: ReleaseHarness) -> None:
        """What happens just before a release that is left unfinished."""

    def at_last(self, harness: ReleaseHarness) -> None:
        """What happens moments before the look."""

    def labels(self, harness: ReleaseHarness) -> Labels:
        """Category and cause of every worker that must be reported."""
        return self.by_events(harness)

    def of(self, harness: ReleaseHarness, count: int = 1) -> list[str]:
        """Some of the group's workers."""
        return sorted(self.chance.sample(harness.cloud.instance_ids(self.name), count))

    def living(self, harness: ReleaseHarness, group: str | None = None) -> list[str]:
        asg = f"asg-{group or self.name}"
        return [i.instance_id for i in harness.cloud.fleet.instances if i.asg == asg and i.state in ALIVE]

    def launched(self, harness: ReleaseHarness) -> list[str]:
        """Those that the group launched after v1 was everywhere."""
        started = {e.fields["instance_id"] for e in harness.cloud.events("instance-launched")}
        return [i for i in self.living(harness) if i in started]

    def by_events(self, harness: ReleaseHarness, version: str | None = None, **ends: Label) -> Labels:
        """Each living worker by how the last deployment of this version ended on it.

        `ends` maps the record's kinds (`failed`, `skipped`, `interrupted`, `up`, `never`) to labels.
        """
        wanted = version or self.version
        known: dict[str, str] = dict.fromkeys(self.living(harness), "never")
        for event in harness.cloud.events(
            "worker-up", "worker-failed", "worker-skipped", "worker-interrupted"
        ):
            if event.fields["version"] == wanted and event.fields["instance_id"] in known:
                known[event.fields["instance_id"]] = event.kind.removeprefix("worker-")
        table = {"up": CURRENT, **ends}
        return {i: table[end] for i, end in known.items()}
