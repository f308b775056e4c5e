"""What is known of one worker, or of one group: the facts that `explain` puts in order."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from datetime import datetime

from deployctl.model.deployment import Deployment, Target
from deployctl.model.fleet import TAG_RELEASE, Activity, Group, Instance
from deployctl.model.names import ApplicationName, AsgName, ReleaseId, Version
from deployctl.model.reconciliation import ReconciledWorker, Reconciliation
from deployctl.model.release import DesiredState, ReleaseKind, WorkerOutcome
from deployctl.model.verdict import Verdict


@dataclass(frozen=True, slots=True, kw_only=True)
class DeploymentAttempt:
    """One deployment to the group, what it brought, and its target on the worker in question.

    `is_partial`: it was made for some workers only, by a repair, at a launch, or to follow up another.

    `version` is None where the revision is no artifact of ours, `release` where no release of ours made it.
    """

    deployment: Deployment
    version: Version | None
    release: ReleaseId | None
    target: Target | None = None
    is_partial: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ReleaseResult:
    """How one release came out in the group, and on the worker in question, by the release's own journal."""

    release: ReleaseId
    kind: ReleaseKind
    version: Version
    actor: str
    began_at: datetime
    verdict: Verdict
    reason: str | None
    ended_at: datetime | None
    worker: WorkerOutcome | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerTimeline:
    """`judged` is None for one that is gone and of which there is nothing to report.

    `attempts` and `passages` are oldest first; `untold` is how many earlier releases are known and not among these.
    """

    application: ApplicationName
    at: datetime
    instance: Instance
    group: Group
    desired: DesiredState | None
    judged: ReconciledWorker | None
    activities: tuple[Activity, ...]
    attempts: tuple[DeploymentAttempt, ...]
    passages: tuple[ReleaseResult, ...]
    omitted_releases: int = 0

    @property
    def has_tag_of_its_release(self) -> bool:
        """Whether the release that its tag names is known to have brought the version that its tag names."""
        release, version = self.instance.tags.get(TAG_RELEASE), self.instance.version
        brought = {(a.release, a.version) for a in self.attempts} | {
            (p.release, p.version) for p in self.passages
        }
        return (release, version) in brought

    @property
    def last(self) -> DeploymentAttempt | None:
        """The newest deployment that had it as a target."""
        return next((a for a in reversed(self.attempts) if a.target is not None), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupTimeline:
    """`lacks_hook` are the Auto Scaling groups without the launch hook that CodeDeploy's record names.

    `untold` is how many earlier releases are known and not among the passages.
    """

    application: ApplicationName
    at: datetime
    group: Group
    desired: DesiredState | None
    found: Reconciliation
    attempts: tuple[DeploymentAttempt, ...]
    passages: tuple[ReleaseResult, ...]
    lacks_hook: tuple[AsgName, ...]
    omitted_releases: int = 0

    @property
    def remedies(self) -> dict[str, int]:
        """Each line that mends something, with how many workers it mends; those for the whole group last."""
        counts: dict[str, int] = {}
        for worker in self.found.workers:
            if worker.remedy is not None:
                counts[worker.remedy] = counts.get(worker.remedy, 0) + 1
        return dict(sorted(counts.items(), key=lambda item: item[0].startswith("deployctl")))

    @property
    def hook_remedies(self) -> tuple[str, ...]:
        """CodeDeploy makes its hook anew where an Auto Scaling group leaves the deployment group and comes back.

        Source: CodeDeploy guide, "Integrating CodeDeploy with Amazon EC2 Auto Scaling".
        """
        if not self.lacks_hook:
            return ()
        names = [shlex.quote(n) for n in (self.application, self.group.name)]
        change = (
            f"aws deploy update-deployment-group --application-name {names[0]}"
            f" --current-deployment-group-name {names[1]} --auto-scaling-groups"
        )
        kept = [shlex.quote(a) for a in self.group.asgs if a not in self.lacks_hook]
        every = [shlex.quote(a) for a in self.group.asgs]
        return (" ".join([change, *kept]), " ".join([change, *every]))
