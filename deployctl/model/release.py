"""A release: strategies, the plan, what is desired, and how it came out."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from deployctl.errors import UsageError
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
from deployctl.model.verdict import Verdict, WorkerVerdict

PERCENT_STEP = 5


class InvalidStrategy(UsageError):
    pass


class StrategyKind(StrEnum):
    ONE = "one"
    HALF = "half"
    ALL = "all"
    PERCENT = "percent"


@dataclass(frozen=True, slots=True)
class Strategy:
    """How many workers of a group may be down at a time. `percent` is set for PERCENT only, in steps of 5."""

    kind: StrategyKind
    percent: int | None = None

    def __str__(self) -> str:
        return f"{self.percent}%" if self.kind is StrategyKind.PERCENT else self.kind.value


def parse_strategy(text: str) -> Strategy:
    """`one`, `half`, `all`, or `N%` with N from 5 to 100 in steps of 5. Raises: InvalidStrategy."""
    if text in ("one", "half", "all"):
        return Strategy(StrategyKind(text))
    percent = re.fullmatch(r"(\d{1,3})%", text)
    if percent is not None:
        n = int(percent[1])
        if n == 100:
            return Strategy(StrategyKind.ALL)
        if n % PERCENT_STEP == 0 and 0 < n < 100:
            return Strategy(StrategyKind.PERCENT, n)
    raise InvalidStrategy(
        f"strategy {text!r} is none of one, half, all, or N% in steps of {PERCENT_STEP}",
        noun=text,
        remedy="use one, half, all, or a percentage such as 25%",
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class DeploymentConfig:
    """CodeDeploy's deployment configuration; those that deployctl makes itself say `min_healthy_percent`."""

    name: str
    min_healthy_percent: int | None = None


class Step(StrEnum):
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
class GroupPlan:
    """What will be done with one group, decided from the fleet as seen.

    `follows_up`: CodeDeploy brings workers launched in the middle to the version with a follow-on deployment.
    `recorded` is the verdict that stands already where the step is DONE.
    """

    group: GroupName
    asgs: tuple[AsgName, ...]
    step: Step
    strategy: Strategy
    config: DeploymentConfig
    workers: tuple[SeenWorker, ...]
    follows_up: bool
    previous_held: Version | None
    recorded: Verdict | None = None
    recorded_deployment: DeploymentId | None = None

    @property
    def versions_now(self) -> Mapping[str, int]:
        """Living workers by the version that they name themselves."""
        return Counter(w.version or "untagged" for w in self.workers)


@dataclass(frozen=True, slots=True, kw_only=True)
class ReleasePlan:
    """Everything a release will do. The dry run shows this very value.

    `waves` are released one after the other, the groups of one wave at once. One that `resumes` goes on with a
    release that `began_at` an earlier time.
    """

    release_id: ReleaseId
    application: ApplicationName
    version: Version
    artifact: Artifact
    waves: tuple[tuple[GroupPlan, ...], ...]
    planned_at: datetime
    began_at: datetime
    resumes: bool = False

    @property
    def groups(self) -> tuple[GroupPlan, ...]:
        return tuple(group for wave in self.waves for group in wave)


def mark(release_id: ReleaseId, version: Version) -> str:
    """The description of every deployment of a release: a re-run finds its deployments by it.

    CreateDeployment has no idempotency token, so this is what keeps a second deployment from being started.
    """
    return f"deployctl release={release_id} version={version}"


def release_of(description: str) -> ReleaseId | None:
    """The release whose mark this is, or None."""
    found = re.match(r"deployctl release=(\S+) ", description)
    return ReleaseId(found[1]) if found else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Desired:
    """What a group is supposed to run. `previous_held` is where a rollback would go.

    `stopped` are deployments of this release that deployctl itself stopped, to deploy the group again.
    """

    version: Version
    sequence: int
    release: ReleaseId
    since: datetime
    previous_held: Version | None
    verdict: Verdict
    deployment_id: DeploymentId | None = None
    stopped: tuple[DeploymentId, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ApplicationState:
    """The state object of an application: what each managed group should run."""

    application: ApplicationName
    groups: Mapping[GroupName, Desired] = field(default_factory=dict)


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
    deployment_id: DeploymentId | None
    verdict: Verdict
    workers: tuple[WorkerOutcome, ...] = ()
    reason: str | None = None
    finished_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ReleaseOutcome:
    """How a release came out. `calls` counts AWS requests by "service:Operation"."""

    release_id: ReleaseId
    application: ApplicationName
    version: Version
    verdict: Verdict
    started_at: datetime
    elapsed_s: float
    groups: tuple[GroupOutcome, ...]
    calls: Mapping[str, int] = field(default_factory=dict)
