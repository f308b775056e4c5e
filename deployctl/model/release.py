"""A release: its plan and intent, the desired state, the stop request, and the outcome."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields, replace
from datetime import datetime
from enum import StrEnum
from typing import Any

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
from deployctl.model.verdict import Verdict, WorkerVerdict, worst


class GroupAction(StrEnum):
    """What a release does with a group: deploy, nothing to deploy to, or already decided."""

    DEPLOY = "deploy"
    EMPTY = "empty"
    DONE = "done"


@dataclass(frozen=True, slots=True, kw_only=True)
class SeenWorker:
    """A living worker when the plan was made, and the version in its tag."""

    instance_id: InstanceId
    version: Version | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ActiveDeployment:
    """A group's active deployment. `whose`: the id of our release, else CodeDeploy's creator."""

    deployment_id: DeploymentId
    whose: str
    since: datetime

    def __str__(self) -> str:
        return f"{self.deployment_id} of {self.whose}, since {self.since:%H:%M:%S} UTC"


class ReleaseKind(StrEnum):
    """`repair`: brings drifted workers to the version that their group should run already."""

    RELEASE = "release"
    ROLLBACK = "rollback"
    REPAIR = "repair"


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupIntent:
    """What a release sets out to do with one group, whatever the fleet looks like later.

    `desired_before` is what the group should run until then. `outdated` is set in a repair: the workers that it
    deploys to, none where it only tags or replaces some. `ignore_stop_failures`: an ApplicationStop script of the
    revision before may fail.
    """

    group: GroupName
    version: Version
    strategy: Strategy
    max_failed: Budget = NO_FAILURES
    desired_before: Version | None = None
    outdated: tuple[InstanceId, ...] | None = None
    ignore_stop_failures: bool = False

    def outcome(self, verdict: Verdict, asgs: tuple[AsgName, ...]) -> GroupOutcome:
        group, strategy, version = self.group, self.strategy, self.version
        return GroupOutcome(group=group, asgs=asgs, strategy=strategy, version=version, verdict=verdict)


@dataclass(frozen=True, slots=True, kw_only=True)
class ReleaseIntent:
    """What a release sets out to do: written down before anything is started, and resumed from there.

    `version` names the release; each group has its own, which may differ in a rollback. `waves` are released in
    turn, the groups of one wave at once. `undoes` is set in a rollback that a failed release's own policy asks for:
    that release.
    """

    release_id: ReleaseId
    application: ApplicationName
    version: Version
    actor: str
    began_at: datetime
    waves: tuple[tuple[GroupIntent, ...], ...]
    kind: ReleaseKind = ReleaseKind.RELEASE
    policy: Policy = field(default_factory=Policy)
    undoes: ReleaseId | None = None

    @property
    def groups(self) -> tuple[GroupIntent, ...]:
        return tuple(group for wave in self.waves for group in wave)

    def outcome_of(
        self,
        groups: Iterable[GroupOutcome],
        *,
        elapsed_s: float,
        calls: Mapping[str, int],
        verdict: Verdict | None = None,
        throttled: Mapping[str, int] | None = None,
        stop: StopRequest | None = None,
    ) -> ReleaseOutcome:
        """The release's outcome from its groups'; without a `verdict` the worst of theirs."""
        found = tuple(sorted(groups, key=lambda g: g.group))
        return ReleaseOutcome(
            release_id=self.release_id,
            application=self.application,
            version=self.version,
            verdict=verdict or worst(g.verdict for g in found),
            started_at=self.began_at,
            elapsed_s=round(elapsed_s, 3),
            groups=found,
            calls=calls,
            throttled=throttled or {},
            kind=self.kind,
            stop=stop,
        )


def intent_fields(intent: GroupIntent | ReleaseIntent) -> dict[str, Any]:
    """The values of the intent's own fields, also of a plan, which has more."""
    kind = GroupIntent if isinstance(intent, GroupIntent) else ReleaseIntent
    return {f.name: getattr(intent, f.name) for f in fields(kind)}


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupPlan(GroupIntent):
    """A group's intent, with what follows from the fleet as read.

    `auto_updates_new_instances`: CodeDeploy brings workers launched in the middle to the version with a follow-on
    deployment. `known_verdict` is the verdict of a group whose step is DONE. In a repair `workers` are the
    `outdated` ones only, and `repairs` is the release on whose behalf they are deployed to, if there was one.
    """

    asgs: tuple[AsgName, ...]
    step: GroupAction
    artifact: Artifact
    config: DeploymentConfig
    workers: tuple[SeenWorker, ...]
    auto_updates_new_instances: bool
    previous_verified: Version | None
    known_verdict: Verdict | None = None
    recorded_deployment: DeploymentId | None = None
    repairs: ReleaseId | None = None

    @property
    def versions_now(self) -> Mapping[str, int]:
        """Living workers by the version of their tag."""
        return Counter(w.version or "untagged" for w in self.workers)


@dataclass(frozen=True, slots=True, kw_only=True)
class ReleasePlan(ReleaseIntent):
    """Everything a release will do. The dry run shows this very value.

    One that `resumes` continues a release that `began_at` an earlier time.
    """

    waves: tuple[tuple[GroupPlan, ...], ...]
    planned_at: datetime
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
        """Without what follows from the fleet."""
        waves = tuple(tuple(GroupIntent(**intent_fields(g)) for g in wave) for wave in self.waves)
        return ReleaseIntent(**{**intent_fields(self), "waves": waves})

    def with_artifact(self, artifact: Artifact) -> ReleasePlan:
        """The same plan with this artifact in every group: as it is once it has been published."""
        version = artifact.manifest.version
        waves = tuple(
            tuple(replace(g, artifact=artifact, version=version) for g in wave) for wave in self.waves
        )
        return replace(self, waves=waves)


@dataclass(frozen=True, slots=True, kw_only=True)
class DesiredState:
    """What a group should run. `previous_verified` is the target of a rollback.

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
    """The unfinished release; its intent is in its journal.

    `suspended` are the scaling processes of each Auto Scaling group that were suspended before the release.
    """

    release: ReleaseId
    version: Version
    kind: ReleaseKind
    actor: str
    began_at: datetime
    undoes: ReleaseId | None = None
    suspended: Mapping[AsgName, tuple[str, ...]] = field(default_factory=dict)

    def __str__(self) -> str:
        began = f"{self.began_at:%Y-%m-%d %H:%M:%S} UTC"
        return f"the {self.kind.value} of {self.version} that {self.actor} began at {began}"


@dataclass(frozen=True, slots=True, kw_only=True)
class ApplicationState:
    """The state object of an application: what each managed group should run, and the release in progress."""

    application: ApplicationName
    groups: Mapping[GroupName, DesiredState] = field(default_factory=dict)
    in_progress: ReleaseInProgress | None = None


class StopKind(StrEnum):
    """Why a stop was requested: to stop for good, or because a newer release or a rollback replaces the release."""

    STOP = "stop"
    SUPERSEDE = "supersede"
    ROLLBACK = "rollback"


@dataclass(frozen=True, slots=True, kw_only=True)
class StopRequest:
    """A request to stop a release; the process running the release reads it when it renews the lock."""

    release: ReleaseId
    kind: StopKind
    actor: str
    at: datetime


@dataclass(frozen=True, slots=True)
class WorkerOutcome:
    """`cause` says in one line why the verdict is not `verified`."""

    instance_id: InstanceId
    verdict: WorkerVerdict
    cause: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupOutcome:
    """`finished_at`: when the verdict was decided, None while the group is in progress."""

    group: GroupName
    asgs: tuple[AsgName, ...]
    strategy: Strategy
    version: Version
    verdict: Verdict
    deployment_id: DeploymentId | None = None
    workers: tuple[WorkerOutcome, ...] = ()
    reason: str | None = None
    finished_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ReleaseOutcome:
    """The outcome of a release. `calls` counts AWS requests by "service:Operation".

    `throttled` counts the requests that AWS throttled, by service. `rollback` is the outcome of the automatic
    rollback, if any. `stop` is the request that stopped the release, if any.
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
        """Whether a deployment of it is in progress; the release's verdict may already be worse."""
        return any(g.verdict is Verdict.RUNNING for g in self.groups)
