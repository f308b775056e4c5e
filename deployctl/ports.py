"""What deployctl needs from the world outside, as Protocols: adapters in `aws`, fakes in the tests.

Every method may raise a DeployctlError: the adapters translate AWS's errors once, by code.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Protocol

from deployctl.model.artifact import Artifact, Manifest, OrphanedBundle
from deployctl.model.deployment import Deployment, Revision, Target
from deployctl.model.fleet import Activity, Group, Instance
from deployctl.model.names import (
    ApplicationName,
    AsgName,
    DeploymentId,
    GroupName,
    InstanceId,
    ReleaseId,
    Version,
)
from deployctl.model.release import ApplicationState, ReleaseKind, StopRequest
from deployctl.model.strategy import DeploymentConfig


class Clock(Protocol):
    def now(self) -> datetime:
        """Wall-clock time, UTC."""
        ...

    def monotonic_s(self) -> float: ...

    def sleep(self, seconds: float) -> None: ...


class Artifacts(Protocol):
    """Bundles and manifests on S3, never overwritten."""

    def find(self, application: ApplicationName, version: Version) -> Artifact | None:
        """The published artifact, or None. A bundle without a manifest is not published."""
        ...

    def publish(self, manifest: Manifest, bundle: Path) -> Artifact:
        """Upload the bundle, then its manifest, each only where nothing lies yet.

        The manifest's `sequence` is replaced by the next free one. Running it again after a crash is safe.
        Raises: VersionTaken where another bundle has this version.
        """
        ...

    def sequences(
        self, application: ApplicationName, versions: Iterable[Version]
    ) -> dict[Version, int | None]:
        """The sequence number of each version, None where it has no artifact."""
        ...

    def published(self, application: ApplicationName) -> list[Artifact]:
        """Every published artifact of the application, the highest sequence first."""
        ...

    def leftovers(self, application: ApplicationName) -> list[OrphanedBundle]:
        """The bundles of versions that are not published, in the order of their names."""
        ...

    def remove(self, artifact: Artifact) -> bool:
        """Take the manifest away, then the bundle; nothing where they are gone, or another was published since.

        Whether the bucket keeps the bundle all the same, as a noncurrent version.
        """
        ...

    def discard(self, leftover: OrphanedBundle) -> bool:
        """Remove the bundle of a version that is not published; nothing where it is by now.

        Whether the bucket keeps the bundle all the same, as a noncurrent version.
        """
        ...


class Deployments(Protocol):
    """CodeDeploy."""

    def groups(self, application: ApplicationName) -> list[Group]:
        """Every deployment group, with its Auto Scaling groups; `tags` are left empty."""
        ...

    def ensure_config(self, config: DeploymentConfig) -> None:
        """Create this deployment configuration where it is not there yet."""
        ...

    def create(
        self,
        application: ApplicationName,
        group: GroupName,
        *,
        revision: Revision,
        config: DeploymentConfig,
        description: str,
        suspend_scaling: bool = False,
        outdated_only: bool = False,
        ignore_stop_failures: bool = False,
    ) -> DeploymentId:
        """Start one deployment. Never retried after an ambiguous failure.

        `suspend_scaling`: CodeDeploy suspends the group's scaling processes that it can, and resumes them; it
        refuses that for a group without an Auto Scaling group. `outdated_only`: to the instances that CodeDeploy
        holds to be behind; look which it chose. `ignore_stop_failures`: go on where ApplicationStop fails.

        Raises: GroupBusy where the group's slot is taken; DeploymentUnclear where it may have begun.
        """
        ...

    def list_since(self, moment: datetime) -> list[Deployment]:
        """Every deployment of the account created at or after `moment`, in no order."""
        ...

    def list_for_group(
        self,
        application: ApplicationName,
        group: GroupName,
        *,
        since: datetime | None = None,
        most: int | None = None,
    ) -> list[Deployment]:
        """The group's last deployments, whoever made them, the newest first; of those created `since` then.

        All of them, unless `most` says how many.
        """
        ...

    def get_many(self, ids: Sequence[DeploymentId]) -> dict[DeploymentId, Deployment]:
        """Each deployment as it stands, 25 ids a call."""
        ...

    def targets(
        self, deployment_id: DeploymentId, instance_ids: Sequence[InstanceId] | None = None
    ) -> list[Target]:
        """The deployment's targets (all, or these that it has), 25 a call; empty before it has started."""
        ...

    def stop(self, deployment_id: DeploymentId) -> None:
        """Ask CodeDeploy to stop it; nothing where it is over."""
        ...


class FleetReader(Protocol):
    """EC2 and Auto Scaling, read only."""

    def instances(self, asgs: Sequence[AsgName]) -> list[Instance]:
        """Every instance of these Auto Scaling groups that EC2 still describes, living or gone.

        Every page is read, or it raises. Raises: UnknownAutoScalingGroup where one does not exist.
        """
        ...

    def instance(self, instance_id: InstanceId) -> Instance | None:
        """This instance, in whichever Auto Scaling group or none; None where EC2 does not describe it."""
        ...

    def detached(self, groups: Sequence[GroupName], known: Collection[InstanceId]) -> list[Instance]:
        """The living instances that are tagged for one of these groups and are in no Auto Scaling group.

        `known` are already seen in one, and not asked about again.
        """
        ...

    def activities(self, asgs: Sequence[AsgName]) -> list[Activity]:
        """The last scaling activities of each of these groups, the newest first within a group."""
        ...

    def termination_causes(self, asgs: Sequence[AsgName]) -> dict[InstanceId, str]:
        """Auto Scaling's Cause, in its own words, for each instance that it took out of these groups lately."""
        ...

    def group_tags(self, asgs: Sequence[AsgName]) -> dict[AsgName, dict[str, str]]: ...

    def launch_hooks(self, asgs: Sequence[AsgName]) -> dict[AsgName, tuple[str, ...]]:
        """The names of each group's launch lifecycle hooks."""
        ...


class Scaling(Protocol):
    """Auto Scaling groups: their size, the processes that can be suspended, and replacing an instance."""

    def capacities(self, asgs: Sequence[AsgName]) -> dict[AsgName, int]:
        """How many instances each group is to have, 100 groups a call.

        Raises: UnknownAutoScalingGroup where one does not exist.
        """
        ...

    def terminate_and_replace(self, instance_id: InstanceId) -> bool:
        """Have its group terminate it and launch another in its place; False where that cannot be asked now.

        That is where no group lists it any more, or it is being taken out or set aside already: look again.
        """
        ...

    def suspended(self, asgs: Sequence[AsgName]) -> dict[AsgName, tuple[str, ...]]:
        """The processes that are suspended in each group, in the order of their names, 100 groups a call.

        Raises: UnknownAutoScalingGroup where one does not exist.
        """
        ...

    def resume(self, asg: AsgName, processes: Sequence[str]) -> None:
        """Resume these processes, and no other; nothing where none is named."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Alarm:
    """A CloudWatch alarm. `since` is when it came into its present state, by CloudWatch's clock."""

    name: str
    is_firing: bool
    since: datetime
    reason: str


class Alarms(Protocol):
    def describe(self, names: Sequence[str]) -> list[Alarm]:
        """Each alarm as it stands, 100 names a call. Raises: AlarmUnknown for the first that is not there."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Tagged:
    """Which instances took their tags, which have vanished, and which refused them and why."""

    done: tuple[InstanceId, ...] = ()
    gone: tuple[InstanceId, ...] = ()
    refused: Mapping[InstanceId, str] | None = None


class Tags(Protocol):
    def tag(self, instance_ids: Sequence[InstanceId], tags: Mapping[str, str]) -> Tagged:
        """The same tags on all of these, up to 1,000 a call; a vanished one never costs the others theirs."""
        ...


class LakeReader(Protocol):
    """What an engine needs of a lake."""

    def read(self, key: str) -> bytes: ...

    def keys(self, prefix: str) -> list[str]:
        """Every object's key below this prefix, in order."""
        ...


class Lake(LakeReader, Protocol):
    """The Parquet objects that Athena reads: written whole or not at all, never changed in part."""

    def write(self, key: str, body: bytes) -> None:
        """Write one object below the lake's root, such as `fleet_snapshots/snap_hour=…/x.parquet`."""
        ...

    def remove(self, key: str) -> None:
        """Take one object away; nothing where it is gone."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class QueryResult:
    """Rows as dicts of plain values, and what the engine read to get them."""

    rows: list[dict[str, Any]]
    bytes_scanned: int
    engine: str
    query_id: str | None = None


class QueryEngine(Protocol):
    def run(self, sql: str, parameters: Sequence[str | int] = ()) -> QueryResult:
        """Run one query of `athena/queries`; `parameters` fill its `?` in order."""
        ...


class StateStore(Protocol):
    """The desired versions: one object an application, changed by compare-and-swap."""

    def read(self, application: ApplicationName) -> tuple[ApplicationState, str | None]:
        """The state and the token of what was read; an empty state and None where there is none yet."""
        ...

    def write(self, state: ApplicationState, token: str | None) -> str:
        """Write over exactly what was read; the new token. Raises: StateChanged."""
        ...


class Journal(Protocol):
    """A release's own record: numbered entries, each written once."""

    def append(self, release_id: ReleaseId, number: int, entry: Mapping[str, Any]) -> None:
        """Write entry `number`. Raises: JournalTaken where somebody else has written it."""
        ...

    def entries(self, release_id: ReleaseId, *, after: int = 0) -> list[dict[str, Any]]:
        """Every entry whose number is above `after`, in order; none of a release that has no journal."""
        ...

    def first_and_last(self, release_id: ReleaseId) -> list[dict[str, Any]]:
        """The first entry and the last: what it set out to do, and how far it is. One where there is one."""
        ...

    def release_ids(self) -> list[ReleaseId]:
        """Every release that has a journal, the newest first: release ids sort by time."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Holder:
    """Who holds the lease. `release`, `version` and `kind` say what for."""

    actor: str
    host: str
    pid: int
    release: str
    version: str
    acquired_at: datetime
    kind: ReleaseKind = ReleaseKind.RELEASE


@dataclass(frozen=True, slots=True, kw_only=True)
class LeaseView:
    """The lease as anybody sees it. `free_in_s` is when it can be taken should its holder be dead; 0: now.

    `heard_s` is how long ago the holder renewed it: one that lives does so every 10 s.
    """

    holder: Holder
    expires_in_s: float
    renewed_ago_s: float


class Lease(Protocol):
    """One release an application at a time."""

    def acquire(self, holder: Holder) -> None:
        """Take the lease and keep it renewed. Raises: LeaseHeld, which names the holder."""
        ...

    def check(self) -> None:
        """Raises: LeaseLost where it can no longer be relied on."""
        ...

    def release(self) -> None:
        """Give it back; nothing where it is not held."""
        ...

    def view(self) -> LeaseView | None:
        """Who holds it, whether alive or not known to be dead; None where it is free."""
        ...

    def force_release(self, *, by: str, release: ReleaseId | None = None) -> LeaseView | None:
        """Free it, whoever holds it: that one starts nothing more from its next renewal on. Whose it was.

        `by` is what that one is told. With `release`, it is taken only where it is held for that one.
        Raises: LeaseHeld where somebody else holds it by now.
        """
        ...

    def request_stop(self, request: StopRequest) -> None:
        """Leave a stop request for who holds the lease now; nothing where that is not for the request's release.

        No later holder is meant, even one that goes on with the same release. The first request counts.
        """
        ...

    def stop_request(self) -> StopRequest | None:
        """The stop request left for this holder, as of its last renewal. Sends nothing."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class ThrottleStats:
    """What a service has refused for being asked too often: how many requests, and how many a second it gets now."""

    refused: int
    per_s: float


def never_throttled() -> Mapping[str, ThrottleStats]:
    return {}


@dataclass(frozen=True, slots=True, kw_only=True)
class Ports:
    """Everything a verb may need from outside, chosen once in `wiring`. `calls` counts AWS requests so far.

    `throttled` has the services, by IAM's names, that have throttled so far.
    `engine` is for one snapshot, `history` for days and weeks: that one may scan more, and gives up sooner.
    """

    clock: Clock
    artifacts: Artifacts
    deployments: Deployments
    fleet: FleetReader
    tags: Tags
    lake: Lake
    states: StateStore
    journal: Journal
    lease: Lease
    scaling: Scaling
    alarms: Alarms
    engine: QueryEngine
    history: QueryEngine
    calls: Callable[[], Mapping[str, int]]
    throttled: Callable[[], Mapping[str, ThrottleStats]] = never_throttled
