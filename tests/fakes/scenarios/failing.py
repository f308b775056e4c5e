"""Deployments that fail: on a worker, on the first of many, on all of them, or before they begin."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, ClassVar

from deployctl.model.cause import Category, Cause
from deployctl.model.fleet import TAG_VERSION
from deployctl.model.strategy import parse_strategy
from tests.fakes.cloud import bundle
from tests.fakes.releasing import ReleaseHarness
from tests.fakes.scenarios.base import Labels, Scenario


class NothingToLaunchWith(Scenario):
    """The group's first release fails before it begins, so CodeDeploy has nothing to give to the next launch."""

    version = None
    managed = False
    least = 1

    def after(self, harness: ReleaseHarness) -> None:
        artifact = harness.publish(f"gone-{self.name}")
        del harness.cloud.bundles.bodies[artifact.key]
        harness.release(f"gone-{self.name}", self.name)
        harness.cloud.scale(self.name, +1)

    def labels(self, harness: ReleaseHarness) -> Labels:
        first = dict.fromkeys(self.living(harness), (Category.NEVER_TAGGED, Cause.DEPLOYMENT_FAILED))
        late = (Category.LAUNCHED_AFTER_RELEASE, Cause.NOT_A_TARGET)
        return first | dict.fromkeys(self.launched(harness), late)


#: How a worker's deployment can fail, by what is injected: kind, its fields, and the cause that it is.
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

    injected: dict[str, Cause] = field(default_factory=dict)

    def before(self, harness: ReleaseHarness) -> None:
        for worker in self.of(harness, self.chance.randint(1, self.workers - 1)):
            kind, fields, cause = self.chance.choice(FAILURES)
            harness.cloud.inject(kind, instance=worker, **fields)
            self.injected[worker] = cause

    def labels(self, harness: ReleaseHarness) -> Labels:
        found = self.by_events(harness, failed=(Category.FAILED, None))
        return found | {i: (Category.FAILED, cause) for i, cause in self.injected.items()}


class FailingAndTaggedByHand(Failing):
    """A user then writes the new version onto the workers that failed."""

    def after(self, harness: ReleaseHarness) -> None:
        harness.cloud.tag(list(self.injected), {TAG_VERSION: "v2"})


@dataclass(slots=True, kw_only=True)
class StoppedEarly(Scenario):
    """The first to fail ends the deployment, and the others are skipped."""

    strategy: ClassVar[str] = "one"
    injected: dict[str, Cause] = field(default_factory=dict)

    def before(self, harness: ReleaseHarness) -> None:
        kind, fields, cause = self.chance.choice(FAILURES)
        (worker,) = self.of(harness)
        harness.cloud.inject(kind, instance=worker, **fields)
        self.injected[worker] = cause

    def labels(self, harness: ReleaseHarness) -> Labels:
        skipped = (Category.FAILED, Cause.SKIPPED_STOPPED_EARLY)
        found = self.by_events(harness, skipped=skipped, failed=(Category.FAILED, None))
        met = {i for i, label in found.items() if label == (Category.FAILED, None)}
        return found | {i: (Category.FAILED, self.injected[i]) for i in met}


class LaunchedAfterAFailure(StoppedEarly):
    """A worker that is launched after that has the version before."""

    def after(self, harness: ReleaseHarness) -> None:
        harness.cloud.scale(self.name, +1)

    def labels(self, harness: ReleaseHarness) -> Labels:
        skipped = (Category.FAILED, Cause.SKIPPED_STOPPED_EARLY)
        found = self.by_events(
            harness,
            skipped=skipped,
            failed=(Category.FAILED, None),
            never=(Category.LAUNCHED_AFTER_RELEASE, Cause.LAUNCHED_WITH_OLDER_REVISION),
        )
        return found | {
            i: (Category.FAILED, self.injected[i])
            for i, label in found.items()
            if label == (Category.FAILED, None)
        }


class NeverBegan(Scenario):
    """The bundle is gone when the deployment is to begin."""

    version = None
    least = 1

    def after(self, harness: ReleaseHarness) -> None:
        artifact = harness.publish(f"gone-{self.name}")
        del harness.cloud.bundles.bodies[artifact.key]
        harness.release(f"gone-{self.name}", self.name)

    def labels(self, harness: ReleaseHarness) -> Labels:
        return dict.fromkeys(self.living(harness), (Category.STALE, Cause.DEPLOYMENT_FAILED))


@dataclass(slots=True, kw_only=True)
class BadBundle(Scenario):
    """The bundle itself is at fault, on every worker."""

    version: ClassVar[str | None] = None
    least: ClassVar[int] = 1
    cause: Cause | None = None

    def after(self, harness: ReleaseHarness) -> None:
        name = f"bad-{self.name}"
        artifact = harness.publish(name)
        self.cause, make = self.chance.choice(BAD_BUNDLES)
        harness.cloud.bundles.bodies[artifact.key] = make(name)
        harness.release(name, self.name)

    def labels(self, harness: ReleaseHarness) -> Labels:
        return self.by_events(harness, f"bad-{self.name}", failed=(Category.FAILED, self.cause)) | (
            dict.fromkeys(self.living(harness), (Category.FAILED, self.cause))
        )


def _changed(version: str, change: Callable[[dict[str, bytes]], object]) -> bytes:
    """The usual bundle with other files."""
    with tarfile.open(fileobj=io.BytesIO(bundle(version)), mode="r:gz") as archive:
        files = {m.name: _read(archive, m) for m in archive.getmembers()}
    change(files)
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz", compresslevel=1) as archive:
        for name, content in files.items():
            info = tarfile.TarInfo(name)
            info.size, info.mode = len(content), 0o755
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
    (Cause.APPSPEC_INVALID, _with_appspec(lambda text: text.replace(b"version: 0.0", b'version: "0.0"'))),
    (Cause.SCRIPT_MISSING, lambda v: _changed(v, lambda files: files.pop("hooks/AfterInstall.sh"))),
    (Cause.INSTALL_FAILED, lambda v: _changed(v, _name_a_file_that_is_not_there)),
)


@dataclass(slots=True, kw_only=True)
class Stuck(Scenario):
    """A script that no timeout ends stands still until the release gives the deployment up."""

    strategy: ClassVar[str] = "one"
    version: ClassVar[str | None] = "v2"
    stuck: str = ""

    def before(self, harness: ReleaseHarness) -> None:
        (self.stuck,) = self.of(harness)
        harness.cloud.inject("hook-stuck", instance=self.stuck, event="AfterInstall")

    def labels(self, harness: ReleaseHarness) -> Labels:
        abandoned_reason = (Category.STALE, Cause.DEPLOYMENT_GIVEN_UP)
        found = self.by_events(harness, never=abandoned_reason)
        return found | {self.stuck: (Category.STALE, Cause.WORKER_STUCK)}


@dataclass(slots=True, kw_only=True)
class RolledBackInVain(Scenario):
    """A release fails on one worker, and going back fails there too: its old tag says all is well."""

    version: ClassVar[str | None] = None
    bad: str = ""

    def after(self, harness: ReleaseHarness) -> None:
        (self.bad,) = self.of(harness)
        harness.cloud.inject("hook-fails", instance=self.bad, event="ValidateService", times=2)
        harness.release("v2", self.name)
        harness.rollback(self.name, to="v1")

    def labels(self, harness: ReleaseHarness) -> Labels:
        return self.by_events(harness, "v1", failed=(Category.FAILED, Cause.SCRIPT_FAILED))


@dataclass(slots=True, kw_only=True)
class RolledBackHalfway(Scenario):
    """A release fails on two; going back fails on one of them, and the other, which the new version has run on, is
    not reached: its old tag says all is well.
    """

    version: ClassVar[str | None] = None

    def after(self, harness: ReleaseHarness) -> None:
        for worker in self.of(harness, 2):
            harness.cloud.inject("hook-fails", instance=worker, event="ValidateService", times=2)
        harness.release("v2", self.name)
        harness.rule(self.name, strategy=parse_strategy("one"))
        harness.rollback(self.name, to="v1")

    def labels(self, harness: ReleaseHarness) -> Labels:
        skipped = (Category.FAILED, Cause.SKIPPED_STOPPED_EARLY)
        return self.by_events(harness, "v1", failed=(Category.FAILED, Cause.SCRIPT_FAILED), skipped=skipped)
