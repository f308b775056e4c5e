"""Tags that were never written, or were edited."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar

from deployctl.model.cause import Category, Cause
from deployctl.model.fleet import TAG_DEPLOYED_AT, TAG_GROUP, TAG_RELEASE, TAG_VERSION
from tests.fakes.releasing import ReleaseHarness
from tests.fakes.scenarios.base import Label, Labels, Scenario


@dataclass(slots=True, kw_only=True)
class NotTagged(Scenario):
    """Deployed, but both the worker and the release failed to write its tags."""

    injected: list[str] = field(default_factory=list)

    def before(self, harness: ReleaseHarness) -> None:
        self.injected = self.of(harness, self.chance.randint(1, 2))
        for worker in self.injected:
            harness.cloud.inject("no-self-tag", instance=worker)
        harness.cloud.full.update(self.injected)

    def labels(self, harness: ReleaseHarness) -> Labels:
        return self.by_events(harness) | dict.fromkeys(
            self.injected, (Category.STALE, Cause.DEPLOYED_NOT_TAGGED)
        )


#: What a user does to a worker's tags after it was deployed to, and what it is then.
EDITS: tuple[tuple[Mapping[str, str], tuple[str, ...], Label], ...] = (
    ({TAG_VERSION: "v1"}, (), (Category.STALE, Cause.TAG_EDITED)),
    ({TAG_VERSION: "v3"}, (), (Category.AHEAD, Cause.TAG_EDITED)),
    ({TAG_VERSION: "hotfix"}, (), (Category.UNKNOWN_VERSION, Cause.TAG_EDITED)),
    ({TAG_GROUP: "elsewhere"}, (), (Category.WRONG_GROUP, Cause.TAG_EDITED)),
    ({TAG_VERSION: "v1", TAG_GROUP: "elsewhere"}, (), (Category.WRONG_GROUP, Cause.TAG_EDITED)),
    ({}, (TAG_VERSION,), (Category.NEVER_TAGGED, Cause.TAG_EDITED)),
    # Without any tag it looks like one that was never written.
    (
        {},
        (TAG_VERSION, TAG_GROUP, TAG_RELEASE, TAG_DEPLOYED_AT),
        (Category.NEVER_TAGGED, Cause.DEPLOYED_NOT_TAGGED),
    ),
)


@dataclass(slots=True, kw_only=True)
class Edited(Scenario):
    """A user edits tags by hand."""

    least: ClassVar[int] = 2
    edited: Labels = field(default_factory=dict)

    def after(self, harness: ReleaseHarness) -> None:
        for worker in self.of(harness, self.chance.randint(1, self.workers)):
            written, removed, label = self.chance.choice(EDITS)
            if written:
                harness.cloud.tag([worker], written)
            if removed:
                harness.cloud.untag(worker, *removed)
            self.edited[worker] = label

    def labels(self, harness: ReleaseHarness) -> Labels:
        return self.by_events(harness) | self.edited


@dataclass(slots=True, kw_only=True)
class TagSaysMore(Scenario):
    """The release never reached the group; a user writes a newer version onto some workers."""

    version: ClassVar[str | None] = None
    least: ClassVar[int] = 2
    edited: Labels = field(default_factory=dict)

    def after(self, harness: ReleaseHarness) -> None:
        artifact = harness.publish(f"gone-{self.name}")
        del harness.cloud.bundles.bodies[artifact.key]
        harness.release(f"gone-{self.name}", self.name)
        for worker in self.of(harness, self.chance.randint(1, self.workers)):
            version, label = self.chance.choice(
                [
                    (f"gone-{self.name}", (Category.STALE, Cause.TAG_AHEAD_OF_DEPLOYMENT)),
                    (None, (Category.AHEAD, Cause.TAG_AHEAD_OF_DEPLOYMENT)),
                    ("hotfix", (Category.UNKNOWN_VERSION, Cause.NO_ARTIFACT)),
                ]
            )
            harness.cloud.tag([worker], {TAG_VERSION: version or "v-last"})
            self.edited[worker] = label

    def labels(self, harness: ReleaseHarness) -> Labels:
        behind = dict.fromkeys(self.living(harness), (Category.STALE, Cause.DEPLOYMENT_FAILED))
        return behind | self.edited
