"""The storage ports in memory, with the same promises as those on S3."""

from __future__ import annotations

import copy
import threading
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from deployctl.errors import UsageError
from deployctl.model.artifact import Artifact, Manifest, OrphanedBundle, bundle_key
from deployctl.model.names import ApplicationName, InstanceId, ReleaseId, Version
from deployctl.model.port_errors import (
    AlarmUnknown,
    ArtifactDamaged,
    JournalConflict,
    LeaseHeld,
    LeaseLost,
    StateConflict,
    VersionTaken,
)
from deployctl.model.release import ApplicationState, StopRequest
from deployctl.ports import Alarm, Clock, Holder, LeaseView, Tagged

BUCKET = "fake-bucket"
LEASE_TTL_S = 30.0


class FakeArtifacts:
    """The Artifacts port. `bundles` holds each bundle's bytes by its key.

    A test may set `left`, and `damaged`: what is wrong with a version's bundle.
    """

    def __init__(self) -> None:
        self.bundles: dict[str, bytes] = {}
        self.left: list[OrphanedBundle] = []
        self.damaged: dict[str, str] = {}
        self._sequences: Counter[ApplicationName] = Counter()
        self._published: dict[tuple[ApplicationName, Version], Artifact] = {}
        self._lock = threading.Lock()

    def find(self, application: ApplicationName, version: Version) -> Artifact | None:
        if version in self.damaged:
            raise ArtifactDamaged(version, f"s3://{BUCKET}/{version}", self.damaged[version])
        return self._published.get((application, version))

    def publish(self, manifest: Manifest, bundle: Path) -> Artifact:
        with self._lock:
            found = self.find(manifest.application, manifest.version)
            if found is None:
                return self._publish(manifest, bundle.read_bytes())
            if found.manifest.digest == manifest.digest:
                return found
            raise VersionTaken.of(found)

    def _publish(self, manifest: Manifest, body: bytes) -> Artifact:
        self._sequences[manifest.application] += 1
        sequence = self._sequences[manifest.application]
        key = bundle_key(manifest.application, manifest.version)
        artifact = Artifact(
            manifest=replace(manifest, sequence=sequence),
            bucket=BUCKET,
            key=key,
            etag=f"etag-{sequence}",
        )
        self.bundles[key] = body
        self._published[manifest.application, manifest.version] = artifact
        return artifact

    def published(self, application: ApplicationName) -> list[Artifact]:
        found = [a for (name, _), a in self._published.items() if name == application]
        return sorted(found, key=lambda a: -a.manifest.sequence)

    def leftovers(self, application: ApplicationName) -> list[OrphanedBundle]:
        return sorted((x for x in self.left if x.application == application), key=lambda x: x.version)

    def remove(self, artifact: Artifact) -> bool:
        manifest = artifact.manifest
        with self._lock:
            if self.find(manifest.application, manifest.version) == artifact:
                self.bundles.pop(artifact.key, None)
                del self._published[manifest.application, manifest.version]
        return False

    def discard(self, leftover: OrphanedBundle) -> bool:
        self.left = [x for x in self.left if x.version != leftover.version]
        return False

    def sequences(
        self, application: ApplicationName, versions: Iterable[Version]
    ) -> dict[Version, int | None]:
        found = {version: self._published.get((application, version)) for version in versions}
        return {version: artifact and artifact.manifest.sequence for version, artifact in found.items()}


class FakeStates:
    """The States port. `writes` counts those that went through."""

    def __init__(self) -> None:
        self._states: dict[ApplicationName, ApplicationState] = {}
        self._tokens: dict[ApplicationName, str] = {}
        self._lock = threading.Lock()
        self.writes = 0

    def read(self, application: ApplicationName) -> tuple[ApplicationState, str | None]:
        with self._lock:
            empty = ApplicationState(application=application)
            return self._states.get(application, empty), self._tokens.get(application)

    def write(self, state: ApplicationState, token: str | None) -> str:
        with self._lock:
            if self._tokens.get(state.application) != token:
                raise StateConflict(state.application)
            self.writes += 1
            self._states[state.application] = state
            self._tokens[state.application] = f"token-{self.writes}"
            return self._tokens[state.application]


class FakeJournal:
    """The Journal port of one application."""

    def __init__(self) -> None:
        self._entries: dict[ReleaseId, dict[int, dict[str, Any]]] = {}
        self._lock = threading.Lock()

    def append(self, release_id: ReleaseId, number: int, entry: Mapping[str, Any]) -> None:
        with self._lock:
            written = self._entries.setdefault(release_id, {})
            if number in written:
                raise JournalConflict(release_id, number)
            written[number] = copy.deepcopy(dict(entry))

    def entries(self, release_id: ReleaseId, *, after: int = 0) -> list[dict[str, Any]]:
        with self._lock:
            written = self._entries.get(release_id, {})
            return [copy.deepcopy(written[number]) for number in sorted(written) if number > after]

    def first_and_last(self, release_id: ReleaseId) -> list[dict[str, Any]]:
        every = self.entries(release_id)
        return [*every[:1], *every[1:][-1:]]

    def release_ids(self) -> list[ReleaseId]:
        with self._lock:
            return sorted(self._entries, reverse=True)


class FakeLake:
    """The Lake port. `objects` holds each object's bytes by its key."""

    def __init__(self) -> None:
        self.objects: dict[str, bytes] = {}

    def write(self, key: str, body: bytes) -> None:
        self.objects[key] = body

    def read(self, key: str) -> bytes:
        if key not in self.objects:
            raise UsageError(f"there is no {key}", noun=key)
        return self.objects[key]

    def keys(self, prefix: str) -> list[str]:
        return sorted(key for key in self.objects if key.startswith(prefix))

    def remove(self, key: str) -> None:
        self.objects.pop(key, None)


@dataclass(slots=True)
class LeaseTable:
    """What all leases of one account share: who holds each, until when on the clock's monotonic time."""

    clock: Clock
    held: dict[ApplicationName, tuple[FakeLease, Holder]] = field(default_factory=dict)
    until_s: dict[ApplicationName, float] = field(default_factory=dict)
    asked: dict[ApplicationName, tuple[FakeLease, StopRequest]] = field(default_factory=dict)


class FakeLease:
    """The Lease port, renewed until `die` is called."""

    def __init__(self, table: LeaseTable, application: ApplicationName) -> None:
        self._table = table
        self._application = application

    def acquire(self, holder: Holder) -> None:
        found = self._table.held.get(self._application)
        if found is not None and found[0] is not self and not self._is_free():
            raise self._held_by(found[1])
        self._table.held[self._application] = (self, holder)
        self._table.until_s[self._application] = float("inf")
        self._table.asked.pop(self._application, None)

    def _held_by(self, other: Holder) -> LeaseHeld:
        return LeaseHeld(
            self._application,
            actor=other.actor,
            host=other.host,
            pid=other.pid,
            version=other.version,
            acquired_at=other.acquired_at,
            free_after_s=LEASE_TTL_S,
        )

    def _is_free(self) -> bool:
        return self._table.clock.monotonic_s() >= self._table.until_s[self._application]

    def check(self) -> None:
        found = self._table.held.get(self._application)
        if found is None or found[0] is not self:
            raise LeaseLost(self._application, "this process does not hold it")
        if self._is_free():
            raise LeaseLost(self._application, "it could not be renewed in time")

    def release(self) -> None:
        found = self._table.held.get(self._application)
        if found is not None and found[0] is self:
            del self._table.held[self._application]

    def view(self) -> LeaseView | None:
        found = self._table.held.get(self._application)
        if found is None or self._is_free():
            return None
        left_s = self._table.until_s[self._application] - self._table.clock.monotonic_s()
        free_in_s = min(left_s, LEASE_TTL_S)
        return LeaseView(holder=found[1], expires_in_s=free_in_s, renewed_ago_s=LEASE_TTL_S - free_in_s)

    def force_release(self, *, by: str, release: ReleaseId | None = None) -> LeaseView | None:
        seen = self.view()
        if seen is not None and release not in (None, seen.holder.release):
            raise self._held_by(seen.holder)
        self._table.held.pop(self._application, None)
        return seen

    def request_stop(self, request: StopRequest) -> None:
        seen = self.view()
        if seen is not None and seen.holder.release == request.release:
            found = self._table.held[self._application][0], request
            self._table.asked.setdefault(self._application, found)

    def stop_request(self) -> StopRequest | None:
        found = self._table.asked.get(self._application)
        return found[1] if found is not None and found[0] is self else None

    def die(self) -> None:
        """Renew no more, as a process that was killed."""
        self._table.until_s[self._application] = self._table.clock.monotonic_s() + LEASE_TTL_S


class FakeTags:
    """The Tags port. `tags` holds what lies on each instance; `gone` and `full` are to be set by a test."""

    def __init__(self, instance_ids: Iterable[InstanceId] = ()) -> None:
        self.tags: dict[InstanceId, dict[str, str]] = {i: {} for i in instance_ids}
        self.full: set[InstanceId] = set()
        self.calls = 0

    def tag(self, instance_ids: Sequence[InstanceId], tags: Mapping[str, str]) -> Tagged:
        self.calls += 1
        wanted = list(dict.fromkeys(instance_ids))
        done = tuple(i for i in wanted if i in self.tags and i not in self.full)
        for instance_id in done:
            self.tags[instance_id].update(tags)
        return Tagged(
            done=done,
            gone=tuple(i for i in wanted if i not in self.tags),
            refused={i: "TagLimitExceeded" for i in wanted if i in self.full} or None,
        )


class FakeAlarms:
    """The Alarms port. `alarms` are to be set by a test."""

    def __init__(self) -> None:
        self.alarms: dict[str, Alarm] = {}

    def describe(self, names: Sequence[str]) -> list[Alarm]:
        wanted = list(dict.fromkeys(names))
        for name in wanted:
            if name not in self.alarms:
                raise AlarmUnknown(name, tuple(get_close_matches(name, self.alarms, n=3, cutoff=0.4)))
        return [self.alarms[name] for name in wanted]
