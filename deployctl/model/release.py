"""A release: its plan and intent, the desired state, the stop request, and the outcome."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum

from deployctl.model.artifact import Artifact
from deployctl.model.names import (
    ApplicationName,
    AsgName,
    DeploymentId,
    GroupName,
    InstanceId,
    ReleaseId,
    Version,
)
from deployctl.model.strategy import NO_FAILURES, Budget, DeploymentConfig, Policy, Strategy
from deployctl.model.verdict import Verdict, WorkerVerdict


class GroupAction(StrEnum):
    """What a release does with a group."""

    DEPLOY = "deploy"
    EMPTY = "empty"
    DONE = "done"


@dataclass(frozen=True, slots=True, kw_only=True)
class SeenWorker:
    """A living worker when the plan was made, and the version it named itself."""

    instance_id: InstanceId
    version: Version | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ActiveDeployment:
    """The deployment in a group's one slot. `whose`: a release of ours, else its creator in CodeDeploy's word."""

    deployment_id: DeploymentId
    whose: str
    since: datetime

    def __str__(self) -> str:
        return f"{self.deployment_id} of {self.whose}, since {self.since:%H:%M:%S} UTC"


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupPlan:
    """What a release will do with one group, decided from the fleet as read.

    `artifact` has the group's new version: in a rollback each group has its own. `auto_updates_new_instances`:
    CodeDeploy brings workers launched in the middle to the version with a follow-on deployment. `known_verdict`
    is the verdict of a group whose step is DONE. `desired_now` is what the group should run until then.

    A repair deploys to the `outdated` workers only, and `workers` are those; it does so on behalf of the release
    that it `repairs`, where there was one. `ignore_stop_failures`: a stop script of the revision before may fail.
    """

    group: GroupName
    asgs: tuple[AsgName, ...]
    step: GroupAction
    artifact: Artifact
    strategy: Strategy
    config: DeploymentConfig
    workers: tuple[SeenWorker, ...]
    auto_updates_new_instances: bool
    previous_verified: Version | None
    max_failed: Budget = NO_FAILURES
    desired_now: Version | None = None
    known_verdict: Verdict | None = None
    recorded_deployment: DeploymentId | None = None
    outdated: tuple[InstanceId, ...] | None = None
    ignore_stop_failures: bool = False
    repairs: ReleaseId | None = None

    @property
    def version(self) -> Version:
        return self.artifact.manifest.version

    @property
    def intent(self) -> GroupIntent:
        return GroupIntent(
            group=self.group,
            version=self.version,
            strategy=self.strategy,
            max_failed=self.max_failed,
            desired_before=self.desired_now,
            outdated=self.outdated,
            ignore_stop_failures=self.ignore_stop_failures,
        )

    @property
    def versions_now(self) -> Mapping[str, int]:
        """Living workers by the version that they name themselves."""
        return Counter(w.version or "untagged" for w in self.workers)


class ReleaseKind(StrEnum):
    """`repair`: brings workers that are behind to the version that their group should run already."""

    RELEASE = "release"
    ROLLBACK = "rollback"
    REPAIR = "repair"


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupIntent:
    """What a release set out to do with one group, whatever the fleet looks like by now.

    `outdated` is set in a repair: the workers that it deploys to, none where it only tags or replaces some.
    """

    group: GroupName
    version: Version
    strategy: Strategy
    max_failed: Budget = NO_FAILURES
    desired_before: Version | None = None
    outdated: tuple[InstanceId, ...] | None = None
    ignore_stop_failures: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ReleaseIntent:
    """What a release set out to do: written down before anything is started, and gone on with from there.

    `version` is what it is called by; in a rollback the groups may go to versions of their own. `undoes` is set in
    a rollback that a failed release's own policy asks for: it is that release.
    """

    release_id: ReleaseId
    kind: ReleaseKind
    application: ApplicationName
    version: Version
    actor: str
    began_at: datetime
    policy: Policy
    waves: tuple[tuple[GroupIntent, ...], ...]
    undoes: ReleaseId | None = None

    @property
    def groups(self) -> tuple[GroupIntent, ...]:
        return tuple(group for wave in self.waves for group in wave)


@dataclass(frozen=True, slots=True, kw_only=True)
class ReleasePlan:
    """Everything a release will do. The dry run shows this very value.

    `version` is what it is called by; each group says which one it goes to. `waves` are released one after the
    other, the groups of one wave at once. One that `resumes` goes on with a release that `began_at` an earlier
    time.
    """

    release_id: ReleaseId
    application: ApplicationName
    version: Version
    waves: tuple[tuple[GroupPlan, ...], ...]
    planned_at: datetime
    began_at: datetime
    actor: str
    policy: Policy = field(default_factory=Policy)
    kind: ReleaseKind = ReleaseKind.RELEASE
    undoes: ReleaseId | None = None
    resumes: bool = False

    @property
    def groups(self) -> tuple[GroupPlan, ...]:
        return tuple(group for wave in self.waves for group in wave)

    @property
    def artifacts(self) -> tuple[Artifact, ...]:
        """Each artifact that it deploys, once, the newest first."""
        found = {g.artifact.key: g.artifact for g in self.groups}
        return tuple(sorted(found.values(), key=lambda a: -a.manifest.sequence))

    @property
    def intent(self) -> ReleaseIntent:
        return ReleaseIntent(
            release_id=self.release_id,
            kind=self.kind,
            application=self.application,
            version=self.version,
            actor=self.actor,
            began_at=self.began_at,
            policy=self.policy,
            waves=tuple(tuple(g.intent for g in wave) for wave in self.waves),
            undoes=self.undoes,
        )

    def with_artifact(self, artifact: Artifact) -> ReleasePlan:
        """The same plan with this artifact in every group: as it is once it has been published."""
        waves = tuple(tuple(replace(g, artifact=artifact) for g in wave) for wave in self.waves)
        return replace(self, waves=waves)


@dataclass(frozen=True, slots=True, kw_only=True)
class DesiredState:
    """What a group is supposed to run. `previous_verified` is where a rollback would go.

    `stopped` are deployments of this release that deployctl itself stopped, to deploy the group again;
    `abandoned_reason` says why it stopped the last one for good. `repairs` are the last deployments by which
    repairs brought the version to workers that were behind, the oldest first.
    """

    version: Version
    sequence: int
    release: ReleaseId
    since: datetime
    previous_verified: Version | None
    verdict: Verdict
    deployment_id: DeploymentId | None = None
    stopped: tuple[DeploymentId, ...] = ()
    abandoned_reason: str | None = None
    repairs: tuple[DeploymentId, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ReleaseInProgress:
    """The release that has begun and is not over; its intent is in its journal.

    `suspended` are the scaling processes of each Auto Scaling group that somebody else had suspended before.
    """

    release: ReleaseId
    version: Version
    kind: ReleaseKind
    actor: str
    began_at: datetime
    undoes: ReleaseId | None = None
    suspended: Mapping[AsgName, tuple[str, ...]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class ApplicationState:
    """The state object of an application: what each managed group should run, and the release under way."""

    application: ApplicationName
    groups: Mapping[GroupName, DesiredState] = field(default_factory=dict)
    in_progress: ReleaseInProgress | None = None


class StopKind(StrEnum):
    """Why somebody wants a release to stop: for good, or because a newer one or a rollback takes its place."""

    STOP = "stop"
    SUPERSEDE = "supersede"
    ROLLBACK = "rollback"


@dataclass(frozen=True, slots=True, kw_only=True)
class StopRequest:
    """Somebody's wish that a release stops; whoever runs it reads it at the next renewal of the lease."""

    release: ReleaseId
    kind: StopKind
    actor: str
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerOutcome:
    """`cause` says why the verdict is not `held`, in one line for people."""

    instance_id: InstanceId
    verdict: WorkerVerdict
    cause: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupOutcome:
    group: GroupName
    asgs: tuple[AsgName, ...]
    strategy: Strategy
    version: Version
    deployment_id: DeploymentId | None
    verdict: Verdict
    workers: tuple[WorkerOutcome, ...] = ()
    reason: str | None = None
    finished_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ReleaseOutcome:
    """How a release came out. `calls` counts AWS requests by "service:Operation".

    `throttled` counts those of them that a service has refused for being asked too often, by service.
    `rollback` is how it was taken back, where its policy asked for that. `stop` is the wish that ended it, where
    somebody had one.
    """

    release_id: ReleaseId
    application: ApplicationName
    version: Version
    verdict: Verdict
    started_at: datetime
    elapsed_s: float
    groups: tuple[GroupOutcome, ...]
    calls: Mapping[str, int] = field(default_factory=dict)
    throttled: Mapping[str, int] = field(default_factory=dict)
    kind: ReleaseKind = ReleaseKind.RELEASE
    rollback: ReleaseOutcome | None = None
    stop: StopRequest | None = None

    @property
    def is_running(self) -> bool:
        """Whether a deployment of it is under way. Another group's verdict may be worse, and so the release's."""
        return any(g.verdict is Verdict.RUNNING for g in self.groups)
