"""The ports: what deployctl needs from outside, as Protocols. Adapters are in `aws`, fakes in the tests.

Every method may raise a DeployctlError: the adapters translate AWS's errors once, by code.
"""

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

    def monotonic_s(self) -> float: ...

    def sleep(self, seconds: float) -> None: ...


class Artifacts(Protocol):
    """Bundles and manifests on S3, never overwritten."""

    def find(self, application: ApplicationName, version: Version) -> Artifact | None:
        """The published artifact, or None. A bundle without a manifest is not published."""

    def publish(self, manifest: Manifest, bundle: Path) -> Artifact:
        """Upload the bundle, then its manifest, each only if it does not exist yet.

        Sets the manifest's `sequence` to the next free number. Safe to repeat after a crash.
        Raises: VersionTaken if another bundle has this version.
        """

    def sequences(
        self, application: ApplicationName, versions: Iterable[Version]
    ) -> dict[Version, int | None]:
        """The sequence number of each version, None without an artifact."""

    def published(self, application: ApplicationName) -> list[Artifact]:
        """Every published artifact of the application, the highest sequence first."""

    def leftovers(self, application: ApplicationName) -> list[OrphanedBundle]:
        """The bundles of versions that are not published, in the order of their names."""

    def remove(self, artifact: Artifact) -> bool:
        """Remove the manifest, then the bundle, unless they are gone or another artifact was published since.

        Returns whether the bucket still keeps the bundle, as a noncurrent version.
        """

    def discard(self, leftover: OrphanedBundle) -> bool:
        """Remove the bundle of a version that is not published, unless it was published since.

        Returns whether the bucket still keeps the bundle, as a noncurrent version.
        """


class Deployments(Protocol):
    """CodeDeploy."""

    def groups(self, application: ApplicationName) -> list[Group]:
        """Every deployment group, with its Auto Scaling groups; `tags` are left empty."""

    def ensure_config(self, config: DeploymentConfig) -> None:
        """Create this deployment configuration unless it exists."""

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
        refuses this for a group without an Auto Scaling group. `outdated_only`: to the instances that CodeDeploy
        considers outdated; check its targets. `ignore_stop_failures`: continue if ApplicationStop fails.

        Raises: GroupBusy if the group has an active deployment; CreateDeploymentUncertain if it may have started.
        """

    def list_since(self, moment: datetime) -> list[Deployment]:
        """Every deployment of the account created at or after `moment`, in no order."""

    def list_for_group(
        self,
        application: ApplicationName,
        group: GroupName,
        *,
        since: datetime | None = None,
        most: int | None = None,
    ) -> list[Deployment]:
        """The group's deployments of every creator, created `since` then, the newest first, `most` at most."""

    def get_many(self, ids: Sequence[DeploymentId]) -> dict[DeploymentId, Deployment]:
        """The current state of each deployment, 25 ids a call."""

    def targets(
        self, deployment_id: DeploymentId, instance_ids: Sequence[InstanceId] | None = None
    ) -> list[Target]:
        """The deployment's targets, all or those of these instances, 25 a call; empty before it starts."""

    def stop(self, deployment_id: DeploymentId) -> None:
        """Ask CodeDeploy to stop the deployment; does nothing if it has finished."""


class FleetReader(Protocol):
    """EC2 and Auto Scaling, read only."""

    def instances(self, asgs: Sequence[AsgName]) -> list[Instance]:
        """Every instance of these Auto Scaling groups that EC2 still describes, living or terminated.

        Reads every page or raises. Raises: UnknownAutoScalingGroup if a group does not exist.
        """

    def instance(self, instance_id: InstanceId) -> Instance | None:
        """This instance, in any Auto Scaling group or none; None if EC2 does not describe it."""

    def detached(self, groups: Sequence[GroupName], known: Collection[InstanceId]) -> list[Instance]:
        """The living instances that are tagged for one of these groups and are in no Auto Scaling group.

        `known` instances were read in a group already and are not read again.
        """

    def activities(self, asgs: Sequence[AsgName]) -> list[Activity]:
        """The last scaling activities of each of these groups, the newest first within a group."""

    def group_tags(self, asgs: Sequence[AsgName]) -> dict[AsgName, dict[str, str]]: ...

    def launch_hooks(self, asgs: Sequence[AsgName]) -> dict[AsgName, tuple[str, ...]]:
        """The names of each group's launch lifecycle hooks."""


class Scaling(Protocol):
    """Auto Scaling groups: their size, the processes that can be suspended, and replacing an instance."""

    def capacities(self, asgs: Sequence[AsgName]) -> dict[AsgName, int]:
        """The desired capacity of each group, 100 groups a call.

        Raises: UnknownAutoScalingGroup if a group does not exist.
        """

    def terminate_and_replace(self, instance_id: InstanceId) -> bool:
        """Have its group terminate the instance and launch a replacement; False if that is impossible now.

        That is if no group lists the instance, or it is leaving the group or entering Standby: check again later.
        """

    def suspended(self, asgs: Sequence[AsgName]) -> dict[AsgName, tuple[str, ...]]:
        """The suspended processes of each group, by name, 100 groups a call.

        Raises: UnknownAutoScalingGroup if a group does not exist.
        """

    def resume(self, asg: AsgName, processes: Sequence[str]) -> None:
        """Resume exactly these processes; does nothing without any."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Alarm:
    """A CloudWatch alarm. `since` is when its current state began, by CloudWatch's clock."""

    name: str
    is_firing: bool
    since: datetime
    reason: str


class Alarms(Protocol):
    def describe(self, names: Sequence[str]) -> list[Alarm]:
        """The current state of each alarm, 100 names a call. Raises: AlarmUnknown for the first missing one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tagged:
    """The instances that were tagged, those that no longer exist, and why EC2 refused the others."""

    done: tuple[InstanceId, ...] = ()
    gone: tuple[InstanceId, ...] = ()
    refused: Mapping[InstanceId, str] | None = None


class Tags(Protocol):
    def tag(self, instance_ids: Sequence[InstanceId], tags: Mapping[str, str]) -> Tagged:
        """Set the same tags on all instances, up to 1,000 a call, even if some no longer exist."""


class LakeReader(Protocol):
    """The read side of the lake, for the query engines."""

    def read(self, key: str) -> bytes: ...

    def keys(self, prefix: str) -> list[str]:
        """Every object's key below this prefix, in order."""


class Lake(LakeReader, Protocol):
    """The Parquet objects that Athena reads: each is written whole or not at all."""

    def write(self, key: str, body: bytes) -> None:
        """Write one object below the lake's root, such as `fleet_snapshots/snap_hour=…/x.parquet`."""

    def remove(self, key: str) -> None:
        """Remove one object, if it exists."""


@dataclass(frozen=True, slots=True, kw_only=True)
class QueryResult:
    """Rows as dicts of plain values, and the bytes that the engine scanned."""

    rows: list[dict[str, Any]]
    bytes_scanned: int
    engine: str
    query_id: str | None = None


class QueryEngine(Protocol):
    def run(self, sql: str, parameters: Sequence[str | int] = ()) -> QueryResult:
        """Run one query of `athena/queries`; `parameters` fill its `?` in order."""


class StateStore(Protocol):
    """The desired versions: one object an application, changed by compare-and-swap."""

    def read(self, application: ApplicationName) -> tuple[ApplicationState, str | None]:
        """The state and its token; an empty state and None if there is none yet."""

    def write(self, state: ApplicationState, token: str | None) -> str:
        """Replace the state that `token` stands for; the new token. Raises: StateConflict."""


class Journal(Protocol):
    """The journal of a release: numbered entries, each written once."""

    def append(self, release_id: ReleaseId, number: int, entry: Mapping[str, Any]) -> None:
        """Write entry `number`. Raises: JournalConflict if another process has written it."""

    def entries(self, release_id: ReleaseId, *, after: int = 0) -> list[dict[str, Any]]:
        """Every entry with a number above `after`, in order; none without a journal."""

    def first_and_last(self, release_id: ReleaseId) -> list[dict[str, Any]]:
        """The first entry (the intent) and the last (the progress); one entry if there is only one."""

    def release_ids(self) -> list[ReleaseId]:
        """Every release that has a journal, the newest first: release ids sort by time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Holder:
    """The process that holds the lease, and the `release`, `version` and `kind` that it runs."""

    actor: str
    host: str
    pid: int
    release: str
    version: str
    acquired_at: datetime
    kind: ReleaseKind = ReleaseKind.RELEASE


@dataclass(frozen=True, slots=True, kw_only=True)
class LeaseView:
    """The lease as every process reads it. `expires_in_s`: until another process can take it; 0: now.

    `renewed_ago_s`: since the holder's last renewal; a running holder renews every 10 s.
    """

    holder: Holder
    expires_in_s: float
    renewed_ago_s: float


class Lease(Protocol):
    """One release an application at a time."""

    def acquire(self, holder: Holder) -> None:
        """Take the lease and keep it renewed. Raises: LeaseHeld, which names the holder."""

    def check(self) -> None:
        """Raises: LeaseLost if this process may no longer hold it."""

    def release(self) -> None:
        """Release the lease, if this process holds it."""

    def view(self) -> LeaseView | None:
        """The lease and its holder, even if the holder may have died; None if the lease is free."""

    def force_release(self, *, by: str, release: ReleaseId | None = None) -> LeaseView | None:
        """Take the lease from its holder, and return its last view; the holder starts nothing after its next renewal.

        The holder reads `by`. With `release`, only if the lease is held for that release.
        Raises: LeaseHeld if another process holds it now.
        """

    def request_stop(self, request: StopRequest) -> None:
        """Leave a stop request for the current holder, if it holds the lease for the request's release.

        A later holder ignores it, even if that holder resumes the same release. The first request counts.
        """

    def stop_request(self) -> StopRequest | None:
        """The stop request left for this holder, as of its last renewal. Sends nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ThrottleStats:
    """The requests that a service has throttled, and the requests per second that deployctl now sends."""

    refused: int
    per_s: float


def never_throttled() -> Mapping[str, ThrottleStats]:
    return {}


@dataclass(frozen=True, slots=True, kw_only=True)
class Ports:
    """Everything that a command needs from outside, chosen once in `wiring`. `calls` counts AWS requests so far.

    `throttled` has the services, by IAM's names, that have throttled so far. `engine` queries one snapshot,
    `history` days and weeks: it may scan more, and times out sooner.
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
