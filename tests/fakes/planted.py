"""Fleets in which everything that can go wrong has been planted, through the events by which it comes about.

Each scenario owns one or more groups: it says what happens there before, during and after the release, and then
names the category and cause of every worker that a reconciliation must report. It knows them from what it planted
and from the simulator's own record of what happened, never from a snapshot.
"""

from __future__ import annotations

import io
import random
import tarfile
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

from deployctl.model.artifact import Artifact
from deployctl.model.cause import Category, Cause, ReconciledWorker
from deployctl.model.fleet import TAG_DEPLOYED_AT, TAG_GROUP, TAG_RELEASE, TAG_VERSION
from deployctl.model.release import StopKind, parse_strategy
from tests.fakes.cloud import APPLICATION, bundle
from tests.fakes.releasing import Desk

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

    def before(self, desk: Desk) -> None:
        """What happens before the release."""

    def just_before(self, desk: Desk) -> None:
        """What happens seconds before it."""

    def meanwhile(self, desk: Desk) -> None:
        """What is to happen in the middle of it, counted from its beginning."""

    def after(self, desk: Desk) -> None:
        """What happens once it is over. Minutes pass afterwards."""

    def before_the_last(self, desk: Desk) -> None:
        """What happens just before a release that is left unfinished."""

    def at_last(self, desk: Desk) -> None:
        """What happens moments before the look."""

    def labels(self, desk: Desk) -> Labels:
        """Category and cause of every worker that must be reported."""
        return self.by_events(desk)

    def of(self, desk: Desk, count: int = 1) -> list[str]:
        """Some of the group's workers."""
        return sorted(self.chance.sample(desk.cloud.instance_ids(self.name), count))

    def living(self, desk: Desk, group: str | None = None) -> list[str]:
        asg = f"asg-{group or self.name}"
        return [i.instance_id for i in desk.cloud.fleet.instances if i.asg == asg and i.state in ALIVE]

    def launched(self, desk: Desk) -> list[str]:
        """Those that the group launched after v1 was everywhere."""
        started = {e.fields["instance_id"] for e in desk.cloud.events("instance-launched")}
        return [i for i in self.living(desk) if i in started]

    def by_events(self, desk: Desk, version: str | None = None, **ends: Label) -> Labels:
        """Each living worker by how the last deployment of this version ended on it.

        `ends` maps the record's kinds (`failed`, `skipped`, `interrupted`, `up`, `never`) to labels.
        """
        wanted = version or self.version
        known: dict[str, str] = dict.fromkeys(self.living(desk), "never")
        for event in desk.cloud.events("worker-up", "worker-failed", "worker-skipped", "worker-interrupted"):
            if event.fields["version"] == wanted and event.fields["instance_id"] in known:
                known[event.fields["instance_id"]] = event.kind.removeprefix("worker-")
        table = {"up": CURRENT, **ends}
        return {i: table[end] for i, end in known.items()}


class Held(Scenario):
    """All is well."""


class Unmanaged(Scenario):
    """Nothing was ever deployed there."""

    version = None
    managed = False
    least = 1

    def labels(self, desk: Desk) -> Labels:
        return dict.fromkeys(self.living(desk), (Category.NOT_MANAGED, Cause.NO_DESIRED_VERSION))


class NothingToLaunchWith(Scenario):
    """The group's first release fails before it begins, so CodeDeploy has nothing to give to the next launch."""

    version = None
    managed = False
    least = 1

    def after(self, desk: Desk) -> None:
        artifact = desk.publish(f"gone-{self.name}")
        del desk.cloud.bundles.bodies[artifact.key]
        desk.release(f"gone-{self.name}", self.name)
        desk.cloud.scale(self.name, +1)

    def labels(self, desk: Desk) -> Labels:
        first = dict.fromkeys(self.living(desk), (Category.NEVER_TAGGED, Cause.DEPLOYMENT_FAILED))
        late = (Category.LAUNCHED_AFTER_RELEASE, Cause.NOT_A_TARGET)
        return first | dict.fromkeys(self.launched(desk), late)


#: How a worker's deployment can fail, by what is planted: kind, its fields, and the cause that it is.
FAILURES: tuple[tuple[str, dict[str, Any], Cause], ...] = (
    *(
        ("hook-fails", {"event": event, "exit_code": code, "message": "no such queue"}, Cause.SCRIPT_FAILED)
        for event, code in (
            *(("BeforeInstall", 1), ("AfterInstall", 3)),
            *(("ApplicationStart", 77), ("ValidateService", 255)),
        )
    ),
    ("hook-fails", {"event": "ApplicationStop"}, Cause.STOP_SCRIPT_BROKEN),
    ("hook-hangs", {"event": "ApplicationStop"}, Cause.STOP_SCRIPT_BROKEN),
    ("hook-hangs", {"event": "AfterInstall"}, Cause.SCRIPT_TIMED_OUT),
    ("hook-hangs", {"event": "ValidateService"}, Cause.SCRIPT_TIMED_OUT),
    ("script-missing", {"event": "ApplicationStart"}, Cause.SCRIPT_MISSING),
    ("agent-restarts", {"event": "ApplicationStart"}, Cause.AGENT_ERROR),
    ("bundle-fails", {"message": "Access Denied"}, Cause.BUNDLE_DOWNLOAD_FAILED),
    ("agent-silent", {}, Cause.AGENT_SILENT),
)  # fmt: skip


@dataclass(slots=True, kw_only=True)
class Failing(Scenario):
    """Some workers meet a fault of their own, the others do not."""

    planted: dict[str, Cause] = field(default_factory=dict)

    def before(self, desk: Desk) -> None:
        for worker in self.of(desk, self.chance.randint(1, self.workers - 1)):
            kind, fields, cause = self.chance.choice(FAILURES)
            desk.cloud.plant(kind, instance=worker, **fields)
            self.planted[worker] = cause

    def labels(self, desk: Desk) -> Labels:
        found = self.by_events(desk, failed=(Category.FAILED, None))
        return found | {i: (Category.FAILED, cause) for i, cause in self.planted.items()}


class FailingAndTaggedByHand(Failing):
    """Somebody then writes the new version onto the workers that failed."""

    def after(self, desk: Desk) -> None:
        desk.cloud.tag(list(self.planted), {TAG_VERSION: "v2"})


@dataclass(slots=True, kw_only=True)
class StoppedEarly(Scenario):
    """The first to fail ends the deployment, and the others are skipped."""

    strategy: ClassVar[str] = "one"
    planted: dict[str, Cause] = field(default_factory=dict)

    def before(self, desk: Desk) -> None:
        kind, fields, cause = self.chance.choice(FAILURES)
        (worker,) = self.of(desk)
        desk.cloud.plant(kind, instance=worker, **fields)
        self.planted[worker] = cause

    def labels(self, desk: Desk) -> Labels:
        skipped = (Category.FAILED, Cause.SKIPPED_STOPPED_EARLY)
        found = self.by_events(desk, skipped=skipped, failed=(Category.FAILED, None))
        met = {i for i, label in found.items() if label == (Category.FAILED, None)}
        return found | {i: (Category.FAILED, self.planted[i]) for i in met}


class LaunchedAfterAFailure(StoppedEarly):
    """A worker that is launched after that has the version before."""

    def after(self, desk: Desk) -> None:
        desk.cloud.scale(self.name, +1)

    def labels(self, desk: Desk) -> Labels:
        skipped = (Category.FAILED, Cause.SKIPPED_STOPPED_EARLY)
        found = self.by_events(
            desk,
            skipped=skipped,
            failed=(Category.FAILED, None),
            never=(Category.LAUNCHED_AFTER_RELEASE, Cause.LAUNCHED_WITH_OLDER_REVISION),
        )
        return found | {
            i: (Category.FAILED, self.planted[i])
            for i, label in found.items()
            if label == (Category.FAILED, None)
        }


class StoppedInTheConsole(Scenario):
    """Somebody stops the deployment in the console."""

    strategy = "one"
    least = 4

    def meanwhile(self, desk: Desk) -> None:
        desk.cloud.at(self.chance.uniform(70, 150), lambda: desk.cloud.stop_in_console(self.name))

    def labels(self, desk: Desk) -> Labels:
        stopped = (Category.FAILED, Cause.DEPLOYMENT_STOPPED)
        return self.by_events(desk, skipped=stopped, interrupted=stopped)


class NeverBegan(Scenario):
    """The bundle is gone when the deployment is to begin."""

    version = None
    least = 1

    def after(self, desk: Desk) -> None:
        artifact = desk.publish(f"gone-{self.name}")
        del desk.cloud.bundles.bodies[artifact.key]
        desk.release(f"gone-{self.name}", self.name)

    def labels(self, desk: Desk) -> Labels:
        return dict.fromkeys(self.living(desk), (Category.STALE, Cause.DEPLOYMENT_FAILED))


@dataclass(slots=True, kw_only=True)
class BadBundle(Scenario):
    """The bundle itself is at fault, on every worker."""

    version: ClassVar[str | None] = None
    least: ClassVar[int] = 1
    cause: Cause | None = None

    def after(self, desk: Desk) -> None:
        name = f"bad-{self.name}"
        artifact = desk.publish(name)
        self.cause, make = self.chance.choice(BAD_BUNDLES)
        desk.cloud.bundles.bodies[artifact.key] = make(name)
        desk.release(name, self.name)

    def labels(self, desk: Desk) -> Labels:
        return self.by_events(desk, f"bad-{self.name}", failed=(Category.FAILED, self.cause)) | (
            dict.fromkeys(self.living(desk), (Category.FAILED, self.cause))
        )


def _changed(version: str, change: Callable[[dict[str, bytes]], object], *, mode: int = 0o755) -> bytes:
    """The usual bundle with other files."""
    with tarfile.open(fileobj=io.BytesIO(bundle(version)), mode="r:gz") as archive:
        files = {m.name: _read(archive, m) for m in archive.getmembers()}
    change(files)
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz", compresslevel=1) as archive:
        for name, content in files.items():
            info = tarfile.TarInfo(name)
            info.size, info.mode = len(content), mode
            archive.addfile(info, io.BytesIO(content))
    return out.getvalue()


def _read(archive: tarfile.TarFile, member: tarfile.TarInfo) -> bytes:
    file = archive.extractfile(member)
    return file.read() if file is not None else b""


def _name_a_file_that_is_not_there(files: dict[str, bytes]) -> None:
    lines = b"files:\n  - source: nowhere\n    destination: /opt/x\n"
    files["appspec.yml"] = files["appspec.yml"].replace(b"hooks:\n", lines + b"hooks:\n")


def _with_appspec(change: Callable[[bytes], bytes]) -> Callable[[str], bytes]:
    def make(version: str) -> bytes:
        return _changed(version, lambda files: files.update({"appspec.yml": change(files["appspec.yml"])}))

    return make


BAD_BUNDLES: tuple[tuple[Cause, Callable[[str], bytes]], ...] = (
    (Cause.APPSPEC_INVALID, lambda v: _changed(v, lambda files: files.pop("appspec.yml"))),
    (Cause.APPSPEC_INVALID, _with_appspec(lambda text: b"\xef\xbb\xbf" + text)),
    (Cause.APPSPEC_INVALID, _with_appspec(lambda text: text.replace(b"hooks:", b"hooks: [nothing]\nx:"))),
    (Cause.APPSPEC_INVALID, _with_appspec(lambda text: b'version: "0.0"\n' + text)),
    (Cause.SCRIPT_MISSING, lambda v: _changed(v, lambda files: files.pop("hooks/AfterInstall.sh"))),
    (Cause.SCRIPT_NOT_EXECUTABLE, lambda v: _changed(v, lambda files: None, mode=0o644)),
    (Cause.INSTALL_FAILED, lambda v: _changed(v, _name_a_file_that_is_not_there)),
)


@dataclass(slots=True, kw_only=True)
class InStandby(Scenario):
    """Some are in Standby while it is released; of those, some come back later."""

    least: ClassVar[int] = 4
    aside: list[str] = field(default_factory=list)
    back: list[str] = field(default_factory=list)

    def before(self, desk: Desk) -> None:
        self.aside = self.of(desk, 2)
        for worker in self.aside:
            desk.cloud.set_aside(worker)

    def after(self, desk: Desk) -> None:
        self.back = self.aside[: self.chance.randint(0, 2)]
        for worker in self.back:
            desk.cloud.bring_back(worker)

    def labels(self, desk: Desk) -> Labels:
        aside = self.by_events(desk, never=(Category.STALE, Cause.STANDBY))
        return aside | dict.fromkeys(self.back, (Category.STALE, Cause.REJOINED_LATE))


class InStandbyAndTaggedByHand(InStandby):
    """Somebody writes the new version onto those that were left out."""

    def after(self, desk: Desk) -> None:
        desk.cloud.tag(self.aside, {TAG_VERSION: "v2"})

    def labels(self, desk: Desk) -> Labels:
        return self.by_events(desk, never=(Category.STALE, Cause.TAG_AHEAD_OF_DEPLOYMENT))


@dataclass(slots=True, kw_only=True)
class Detached(Scenario):
    """One leaves the group alive, and no release reaches it."""

    gone: str = ""

    def before(self, desk: Desk) -> None:
        (self.gone,) = self.of(desk)
        desk.cloud.detach(self.gone, shrink=self.chance.random() < 0.5)

    def labels(self, desk: Desk) -> Labels:
        return self.by_events(desk) | {self.gone: (Category.WRONG_GROUP, Cause.DETACHED)}


@dataclass(slots=True, kw_only=True)
class Moved(Scenario):
    """One is moved into another group: before the release, which then reaches it there, or after it."""

    groups: ClassVar[tuple[str, ...]] = ("", "-other")
    gone: str = ""
    late: bool = False

    def before(self, desk: Desk) -> None:
        (self.gone,) = self.of(desk)
        self.late = self.chance.random() < 0.7
        if not self.late:
            self._move(desk)

    def after(self, desk: Desk) -> None:
        if self.late:
            self._move(desk)

    def _move(self, desk: Desk) -> None:
        desk.cloud.detach(self.gone)
        desk.cloud.clock.sleep(10)
        desk.cloud.attach(f"{self.name}-other", self.gone)
        desk.cloud.clock.sleep(10)

    def labels(self, desk: Desk) -> Labels:
        both = self.by_events(desk) | dict.fromkeys(self.living(desk, f"{self.name}-other"), CURRENT)
        moved = (Category.WRONG_GROUP, Cause.MOVED_GROUP) if self.late else CURRENT
        return both | {self.gone: moved}


class LaunchedIntoAnEmptyGroup(Scenario):
    """The group is empty when it is released, so nothing is deployed; then a worker is launched."""

    least = 1

    def before(self, desk: Desk) -> None:
        asg = f"asg-{self.name}"
        desk.cloud.fleet.set_desired(asg, 0)
        desk.cloud.clock.sleep(120)

    def after(self, desk: Desk) -> None:
        desk.cloud.scale(self.name, +self.workers)

    def labels(self, desk: Desk) -> Labels:
        label = (Category.LAUNCHED_AFTER_RELEASE, Cause.LAUNCHED_INTO_EMPTY_GROUP)
        return dict.fromkeys(self.living(desk), label)


class LaunchedMeanwhile(Scenario):
    """A worker is launched in the middle and gets the version before; CodeDeploy is told not to follow up."""

    strategy = "one"
    least = 4

    def before(self, desk: Desk) -> None:
        desk.cloud.codedeploy.update_deployment_group(
            {
                "applicationName": APPLICATION,
                "currentDeploymentGroupName": self.name,
                "outdatedInstancesStrategy": "IGNORE",
            }
        )

    def meanwhile(self, desk: Desk) -> None:
        desk.cloud.at(30, lambda: desk.cloud.scale(self.name, +1))

    def labels(self, desk: Desk) -> Labels:
        late = (Category.LAUNCHED_AFTER_RELEASE, Cause.LAUNCHED_DURING_RELEASE)
        return self.by_events(desk, never=late)


class FollowedUp(Scenario):
    """The same, and CodeDeploy follows up: it is current in the end."""

    strategy = "one"

    def meanwhile(self, desk: Desk) -> None:
        desk.cloud.at(30, lambda: desk.cloud.scale(self.name, +1))


class LaunchedJustBefore(LaunchedMeanwhile):
    """Launched seconds before the release, and not yet in service when its deployment begins."""

    def just_before(self, desk: Desk) -> None:
        desk.cloud.scale(self.name, +1)

    def meanwhile(self, desk: Desk) -> None:
        pass

    def labels(self, desk: Desk) -> Labels:
        return self.by_events(desk, never=(Category.STALE, Cause.LAUNCHED_DURING_RELEASE))


class LaunchedWithoutTheHook(Scenario):
    """Somebody removes CodeDeploy's lifecycle hook; the next worker gets nothing at its launch."""

    def after(self, desk: Desk) -> None:
        desk.cloud.fleet.groups[f"asg-{self.name}"].hooks.clear()
        desk.cloud.scale(self.name, +1)

    def labels(self, desk: Desk) -> Labels:
        return self.by_events(desk, never=(Category.LAUNCHED_AFTER_RELEASE, Cause.LAUNCH_HOOK_MISSING))


class LaunchedAndCurrent(Scenario):
    """Launched after a release that held: it gets the version at its launch."""

    least = 2

    def after(self, desk: Desk) -> None:
        desk.cloud.scale(self.name, +self.chance.randint(1, 2))


@dataclass(slots=True, kw_only=True)
class LaunchedAndNotTagged(Scenario):
    """Launched after it, and the worker cannot tag itself."""

    least: ClassVar[int] = 2

    def after(self, desk: Desk) -> None:
        desk.cloud.plant("no-self-tag", group=self.name)
        desk.cloud.scale(self.name, +self.chance.randint(1, 3))

    def labels(self, desk: Desk) -> Labels:
        late = (Category.LAUNCHED_AFTER_RELEASE, Cause.DEPLOYED_NOT_TAGGED)
        return self.by_events(desk) | dict.fromkeys(self.launched(desk), late)


class BeingLaunched(Scenario):
    """A worker is being launched as we look."""

    least = 2

    def at_last(self, desk: Desk) -> None:
        desk.cloud.scale(self.name, +1)

    def labels(self, desk: Desk) -> Labels:
        coming = (Category.LAUNCHED_AFTER_RELEASE, Cause.STILL_DEPLOYING)
        return self.by_events(desk, never=coming)


@dataclass(slots=True, kw_only=True)
class NotTagged(Scenario):
    """Deployed, but neither the worker nor the release could write its tags."""

    planted: list[str] = field(default_factory=list)

    def before(self, desk: Desk) -> None:
        self.planted = self.of(desk, self.chance.randint(1, 2))
        for worker in self.planted:
            desk.cloud.plant("no-self-tag", instance=worker)
        desk.cloud.full.update(self.planted)

    def labels(self, desk: Desk) -> Labels:
        return self.by_events(desk) | dict.fromkeys(self.planted, (Category.STALE, Cause.DEPLOYED_NOT_TAGGED))


#: What somebody does to a worker's tags after it was deployed to, and what it is then.
EDITS: tuple[tuple[Mapping[str, str], tuple[str, ...], Label], ...] = (
    ({TAG_VERSION: "v1"}, (), (Category.STALE, Cause.TAG_EDITED)),
    ({TAG_VERSION: "v3"}, (), (Category.AHEAD, Cause.TAG_EDITED)),
    ({TAG_VERSION: "hotfix"}, (), (Category.UNKNOWN_VERSION, Cause.TAG_EDITED)),
    ({TAG_GROUP: "elsewhere"}, (), (Category.WRONG_GROUP, Cause.TAG_EDITED)),
    ({TAG_VERSION: "v1", TAG_GROUP: "elsewhere"}, (), (Category.WRONG_GROUP, Cause.TAG_EDITED)),
    ({}, (TAG_VERSION,), (Category.NEVER_TAGGED, Cause.TAG_EDITED)),
    # Without any tag there is nothing to tell it from one that was never written.
    (
        {},
        (TAG_VERSION, TAG_GROUP, TAG_RELEASE, TAG_DEPLOYED_AT),
        (Category.NEVER_TAGGED, Cause.DEPLOYED_NOT_TAGGED),
    ),
)


@dataclass(slots=True, kw_only=True)
class Edited(Scenario):
    """Somebody edits tags by hand."""

    least: ClassVar[int] = 2
    edited: Labels = field(default_factory=dict)

    def after(self, desk: Desk) -> None:
        for worker in self.of(desk, self.chance.randint(1, self.workers)):
            written, removed, label = self.chance.choice(EDITS)
            if written:
                desk.cloud.tag([worker], written)
            if removed:
                desk.cloud.untag(worker, *removed)
            self.edited[worker] = label

    def labels(self, desk: Desk) -> Labels:
        return self.by_events(desk) | self.edited


@dataclass(slots=True, kw_only=True)
class TagSaysMore(Scenario):
    """The release never reached the group; somebody writes a newer version onto some workers."""

    version: ClassVar[str | None] = None
    least: ClassVar[int] = 2
    edited: Labels = field(default_factory=dict)

    def after(self, desk: Desk) -> None:
        artifact = desk.publish(f"gone-{self.name}")
        del desk.cloud.bundles.bodies[artifact.key]
        desk.release(f"gone-{self.name}", self.name)
        for worker in self.of(desk, self.chance.randint(1, self.workers)):
            version, label = self.chance.choice(
                [
                    (f"gone-{self.name}", (Category.STALE, Cause.TAG_AHEAD_OF_DEPLOYMENT)),
                    (None, (Category.AHEAD, Cause.TAG_AHEAD_OF_DEPLOYMENT)),
                    ("hotfix", (Category.UNKNOWN_VERSION, Cause.NO_ARTIFACT)),
                ]
            )
            desk.cloud.tag([worker], {TAG_VERSION: version or "v-last"})
            self.edited[worker] = label

    def labels(self, desk: Desk) -> Labels:
        behind = dict.fromkeys(self.living(desk), (Category.STALE, Cause.DEPLOYMENT_FAILED))
        return behind | self.edited


@dataclass(slots=True, kw_only=True)
class DeployedOutside(Scenario):
    """Somebody deploys another version in the console, which tags its workers or does not."""

    least: ClassVar[int] = 1
    newer: bool = False

    def after(self, desk: Desk) -> None:
        self.newer = self.chance.random() < 0.5
        desk.cloud.deploy(
            self.name, self.chance.choice(["v3", "v3-silent"] if self.newer else ["v1", "v1-silent"])
        )

    def labels(self, desk: Desk) -> Labels:
        category = Category.AHEAD if self.newer else Category.STALE
        return dict.fromkeys(self.living(desk), (category, Cause.DEPLOYED_OUTSIDE_RELEASE))


class AnotherAtWork(Scenario):
    """Somebody's deployment of another version is at work on a group that is behind."""

    version = None
    least = 1

    def after(self, desk: Desk) -> None:
        artifact = desk.publish(f"gone-{self.name}")
        del desk.cloud.bundles.bodies[artifact.key]
        desk.release(f"gone-{self.name}", self.name)

    def at_last(self, desk: Desk) -> None:
        desk.cloud.deploy(self.name, "v1")

    def labels(self, desk: Desk) -> Labels:
        return dict.fromkeys(self.living(desk), (Category.STALE, Cause.OTHER_DEPLOYMENT_RUNNING))


@dataclass(slots=True, kw_only=True)
class Lost(Scenario):
    """Some are lost in the middle of it, for four reasons; who replaces them is current in the end."""

    strategy: ClassVar[str] = "one"
    least: ClassVar[int] = 4
    lost: dict[str, Cause] = field(default_factory=dict)

    def meanwhile(self, desk: Desk) -> None:
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
            # Nobody finds it gone, so that no activity tells of it.
            desk.cloud.fleet.suspend(f"asg-{self.name}", ["HealthCheck"])
        desk.cloud.at(self.chance.uniform(20, 45), lambda: self._lose(desk, cause))

    def _lose(self, desk: Desk, cause: Cause) -> None:
        down = [
            e.fields["instance_id"]
            for e in desk.cloud.events("worker-down")
            if e.fields["group"] == self.name and e.fields["version"] == "v2"
        ]
        (worker,) = down[-1:]
        self.lost[worker] = cause
        match cause:
            case Cause.RECLAIMED_BY_SPOT:
                desk.cloud.reclaim(worker)
            case Cause.REPLACED_UNHEALTHY:
                desk.cloud.set_unhealthy(worker)
            case Cause.SCALED_IN:
                slots = desk.cloud.fleet.groups[f"asg-{self.name}"].slots
                for instance_id, slot in slots.items():
                    slot.protected = instance_id != worker
                desk.cloud.scale(self.name, -1)
            case _:
                desk.cloud.fleet.terminate([worker])

    def labels(self, desk: Desk) -> Labels:
        gone = {i: (Category.TERMINATED_MID_DEPLOY, cause) for i, cause in self.lost.items()}
        finished = {
            e.fields["instance_id"]
            for e in desk.cloud.events("worker-up")
            if e.fields["version"] == "v2" and e.fields["group"] == self.name
        }
        # One that nobody finds gone stays in the group, and every new attempt waits for it in vain.
        given_up = (Category.FAILED, Cause.DEPLOYMENT_GIVEN_UP)
        found = self.by_events(desk, skipped=given_up, interrupted=given_up)
        if Cause.EVIDENCE_MISSING not in self.lost.values():
            assert set(found.values()) == {CURRENT}
        return found | {i: label for i, label in gone.items() if i not in finished}


class LostLater(Scenario):
    """Some are lost after it: nothing is to be said of them."""

    def after(self, desk: Desk) -> None:
        desk.cloud.reclaim(*self.of(desk))
        desk.cloud.scale(self.name, -1)


@dataclass(slots=True, kw_only=True)
class Busy(Scenario):
    """Somebody's deployment holds the group for longer than the release waits."""

    least: ClassVar[int] = 2
    stuck: str = ""

    def before(self, desk: Desk) -> None:
        (self.stuck,) = self.of(desk)
        desk.cloud.plant("hook-stuck", instance=self.stuck, event="BeforeInstall", times=1)
        desk.cloud.deploy(self.name, "v1")

    def labels(self, desk: Desk) -> Labels:
        busy = dict.fromkeys(self.living(desk), (Category.STALE, Cause.GROUP_BUSY))
        at_work = desk.cloud.codedeploy.store.applications[APPLICATION].groups[self.name].holders
        return busy | ({self.stuck: (Category.STALE, Cause.OTHER_DEPLOYMENT_RUNNING)} if at_work else {})


@dataclass(slots=True, kw_only=True)
class Stuck(Scenario):
    """A script that no timeout ends stands still until the release gives the deployment up."""

    strategy: ClassVar[str] = "one"
    version: ClassVar[str | None] = "v2"
    stuck: str = ""

    def before(self, desk: Desk) -> None:
        (self.stuck,) = self.of(desk)
        desk.cloud.plant("hook-stuck", instance=self.stuck, event="AfterInstall")

    def labels(self, desk: Desk) -> Labels:
        given_up = (Category.STALE, Cause.DEPLOYMENT_GIVEN_UP)
        found = self.by_events(desk, never=given_up)
        return found | {self.stuck: (Category.STALE, Cause.WORKER_STUCK)}


class DayZeroBehind(Scenario):
    """deployctl has never released there; some worker missed what CodeDeploy last deployed."""

    version = None
    least = 2

    def before(self, desk: Desk) -> None:
        hooks = desk.cloud.fleet.groups[f"asg-{self.name}"].hooks
        kept = dict(hooks)
        hooks.clear()
        desk.cloud.scale(self.name, +1)
        desk.cloud.clock.sleep(120)
        hooks.update(kept)

    def labels(self, desk: Desk) -> Labels:
        missed = (Category.NEVER_TAGGED, Cause.NOT_IN_RELEASE)
        return dict.fromkeys(self.living(desk), CURRENT) | dict.fromkeys(self.launched(desk), missed)


class StoppedByARequest(Scenario):
    """Somebody asks the release of this group to stop, for good or for a newer one."""

    strategy = "one"
    version = None
    least = 3
    kind: ClassVar[StopKind] = StopKind.STOP
    cause: ClassVar[Cause] = Cause.DEPLOYMENT_STOPPED

    def after(self, desk: Desk) -> None:
        desk.cloud.at(self.chance.uniform(5, 100), lambda: desk.ask_to_stop(self.kind))
        desk.release("v2", self.name)

    def labels(self, desk: Desk) -> Labels:
        label = (Category.FAILED, self.cause)
        return self.by_events(desk, "v2", skipped=label, interrupted=label)


class Superseded(StoppedByARequest):
    kind = StopKind.SUPERSEDE
    cause = Cause.SUPERSEDED


class StoppedWhileWaiting(Scenario):
    """The release is stopped while the group still waits for its slot."""

    version = None
    least = 2

    def after(self, desk: Desk) -> None:
        desk.cloud.deploy(self.name, "v1")
        desk.cloud.at(20, desk.ask_to_stop)
        desk.release("v2", self.name)

    def labels(self, desk: Desk) -> Labels:
        return dict.fromkeys(self.living(desk), (Category.STALE, Cause.DEPLOYMENT_STOPPED))


@dataclass(slots=True, kw_only=True)
class RolledBackInVain(Scenario):
    """A release fails on one worker, and going back fails there too: its old tag says all is well."""

    version: ClassVar[str | None] = None
    bad: str = ""

    def after(self, desk: Desk) -> None:
        (self.bad,) = self.of(desk)
        desk.cloud.plant("hook-fails", instance=self.bad, event="ValidateService", times=2)
        desk.release("v2", self.name)
        desk.rollback(self.name, to="v1")

    def labels(self, desk: Desk) -> Labels:
        return self.by_events(desk, "v1", failed=(Category.FAILED, Cause.SCRIPT_FAILED))


@dataclass(slots=True, kw_only=True)
class RolledBackHalfway(Scenario):
    """A release fails on two; going back fails on one of them, and the other, which the new version has run on, is
    not reached: its old tag says all is well.
    """

    version: ClassVar[str | None] = None

    def after(self, desk: Desk) -> None:
        for worker in self.of(desk, 2):
            desk.cloud.plant("hook-fails", instance=worker, event="ValidateService", times=2)
        desk.release("v2", self.name)
        desk.rule(self.name, strategy=parse_strategy("one"))
        desk.rollback(self.name, to="v1")

    def labels(self, desk: Desk) -> Labels:
        skipped = (Category.FAILED, Cause.SKIPPED_STOPPED_EARLY)
        return self.by_events(desk, "v1", failed=(Category.FAILED, Cause.SCRIPT_FAILED), skipped=skipped)


class UnderWay(Scenario):
    """In the middle of a release as we look, or of one whose process was killed."""

    strategy = "one"
    version = None
    least = 4

    def labels(self, desk: Desk) -> Labels:
        if self.name not in desk.state.groups:
            return dict.fromkeys(self.living(desk), CURRENT)
        if len(desk.cloud.deployments_of(self.name)) == 1:
            return dict.fromkeys(self.living(desk), (Category.STALE, Cause.DEPLOYMENT_NOT_STARTED))
        return self.by_events(desk, "v3", never=DEPLOYING)


class Waiting(UnderWay):
    """The same, behind somebody else's deployment."""

    def before_the_last(self, desk: Desk) -> None:
        desk.cloud.deploy(self.name, "v1")

    def labels(self, desk: Desk) -> Labels:
        if self.name not in desk.state.groups:
            return dict.fromkeys(self.living(desk), CURRENT)
        up = {
            e.fields["instance_id"]
            for e in desk.cloud.events("worker-up")
            if e.at > desk.state.groups[self.name].since
        }
        return {
            i: (Category.STALE, Cause.DEPLOYMENT_NOT_STARTED if i in up else Cause.OTHER_DEPLOYMENT_RUNNING)
            for i in self.living(desk)
        }


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


class PlantedDesk(Desk):
    """A desk whose fleet has groups that nothing was ever deployed to, and versions that do not tag their workers."""

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
class Planted:
    """A fleet with what was planted in it; `labels` are every worker that must be reported."""

    desk: Desk
    scenarios: tuple[Scenario, ...]
    labels: Labels
    found: dict[str, ReconciledWorker]

    def confusion(self) -> Counter[tuple[str, str]]:
        """How many workers that were planted as the first were found as the second."""
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
                    planted = self.labels.get(instance_id)
                    if found.group == name and _label_of(found) != planted:
                        lines.append(
                            f"{type(scenario).__name__} {name} {instance_id}: {_word(planted)}"
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


def plant(seed: int, workers: int, *, kinds: Iterable[type[Scenario]] = SCENARIOS) -> Planted:
    """A fleet of about so many workers, with a mixture of scenarios by this seed, and what a reconciliation finds."""
    chance = random.Random(seed)
    return _grown(tuple(_mixture(chance, workers, tuple(kinds))), chance, seed)


def plant_each(seed: int) -> Planted:
    """A fleet with every scenario once."""
    chance = random.Random(seed)
    return _grown(tuple(_of_kind(kind, n, chance) for n, kind in enumerate(SCENARIOS)), chance, seed)


def _grown(scenarios: tuple[Scenario, ...], chance: random.Random, seed: int) -> Planted:
    desk = PlantedDesk(
        {n: s.workers for s in scenarios for n in s.names()},
        strategy="all",
        strategies={n: s.strategy for s in scenarios for n in s.names()},
        seed=seed,
    )
    play(desk, scenarios, chance)
    labels: Labels = {}
    for scenario in scenarios:
        labels |= scenario.labels(desk)
    return Planted(desk=desk, scenarios=scenarios, labels=labels, found=desk.reconcile())


def play(desk: Desk, scenarios: Iterable[Scenario], chance: random.Random) -> None:
    """Before, the fleet-wide release, after, a release that is left unfinished, and the last moments."""
    scenarios = list(scenarios)
    for scenario in scenarios:
        scenario.before(desk)
    released = [n for s in scenarios for n in s.names() if s.version == "v2"]
    for scenario in scenarios:
        scenario.just_before(desk)
    desk.cloud.clock.sleep(12)
    for scenario in scenarios:
        scenario.meanwhile(desk)
    if released:
        desk.release("v2", *released)
    for scenario in scenarios:
        scenario.after(desk)
    desk.cloud.clock.sleep(400)
    desk.publish("v-last")
    for scenario in scenarios:
        scenario.before_the_last(desk)
    unfinished = [n for s in scenarios for n in s.names() if isinstance(s, UnderWay)]
    if unfinished and chance.random() < 0.5:
        desk.release("v3", *unfinished, timeout_s=40)
    elif unfinished:
        desk.killed_at(chance.randint(1, 60), verb=lambda wire: desk.release("v3", *unfinished, wire=wire))
    for scenario in scenarios:
        scenario.at_last(desk)
    desk.cloud.clock.sleep(25)


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
    """The confusion matrix by its cells that are not empty: what was planted, how often it was found, and as what."""
    lines = [
        f"{number:7,}  {planted}{'' if planted == found else f'   FOUND AS {found}'}"
        for (planted, found), number in sorted(counts.items())
    ]
    return "\n".join(lines)
