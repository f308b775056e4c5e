"""A release by its own record: what its journal says of it."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from deployctl.model.deployment import Deployment, Target
from deployctl.model.names import ApplicationName, DeploymentId, GroupName, ReleaseId, Version
from deployctl.model.release import GroupOutcome, ReleaseIntent, StopRequest, WorkerOutcome
from deployctl.model.verdict import Verdict


@dataclass(frozen=True, slots=True, kw_only=True)
class BakeRecord:
    """A wave whose deployments are over, and whose workers are watched until then."""

    wave: int
    at: datetime
    until: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class ReleaseRecord:
    """What a journal says of its release. Those of deployctl 0.1 have no `intent`.

    `wave` is the last one that has begun, counted from 1; `waves_at` says when each did, and `begun` are the groups
    of all that have. `settled` has the verdict of those in which nothing was to be done. `deployments` are each
    group's, the oldest first. `baking` is of the present wave. `verdict` and `finished_at` are set once it is over.
    """

    release_id: ReleaseId
    version: Version
    began_at: datetime
    last_at: datetime
    intent: ReleaseIntent | None = None
    wave: int = 0
    waves_at: Mapping[int, datetime] = field(default_factory=dict)
    begun: frozenset[GroupName] = frozenset()
    settled: Mapping[GroupName, Verdict] = field(default_factory=dict)
    deployments: Mapping[GroupName, tuple[DeploymentId, ...]] = field(default_factory=dict)
    outcomes: Mapping[GroupName, GroupOutcome] = field(default_factory=dict)
    baking: BakeRecord | None = None
    stop: StopRequest | None = None
    verdict: Verdict | None = None
    finished_at: datetime | None = None

    @property
    def groups(self) -> tuple[GroupName, ...]:
        """Every group that it set out for, as far as the journal says."""
        return tuple(g.group for g in self.intent.groups) if self.intent else tuple(sorted(self.begun))

    @property
    def versions_before(self) -> Mapping[Version | None, int]:
        """How many groups were to run which version before; None: none was desired there."""
        return Counter(g.desired_before for g in self.intent.groups) if self.intent else {}


@dataclass(frozen=True, slots=True, kw_only=True)
class ReleaseSummary:
    """One line of the history. Without a `record` its journal could not be read, and `unreadable` says why."""

    release_id: ReleaseId
    record: ReleaseRecord | None
    is_in_progress: bool = False
    unreadable: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class History:
    """The newest releases, the newest first; `number` is how many there are in all."""

    application: ApplicationName
    at: datetime
    releases: tuple[ReleaseSummary, ...]
    number: int


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupLogs:
    """What is to be read of one group: the targets that did not succeed, in their own words.

    `deployment` is None where CodeDeploy no longer knows it, or none was made. `elsewhere` are workers that did
    not hold and were no target. `unread` says why targets are missing, where they are.
    """

    group: GroupName
    version: Version
    outcome: GroupOutcome | None
    deployment_id: DeploymentId | None
    deployment: Deployment | None = None
    targets: tuple[Target, ...] = ()
    elsewhere: tuple[WorkerOutcome, ...] = ()
    unread: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ReleaseLogs:
    """`groups` are those that there is something to read of; `others` is how many more the release has."""

    record: ReleaseRecord
    groups: tuple[GroupLogs, ...]
    others: int
