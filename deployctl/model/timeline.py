"""The facts about one worker or one group that `explain` puts in order."""

from dataclasses import dataclass
from datetime import datetime

from deployctl.model.deployment import Deployment, Target
from deployctl.model.fleet import TAG_RELEASE, Activity, Group, Instance
from deployctl.model.names import ApplicationName, ReleaseId, Version
from deployctl.model.reconciliation import ReconciledWorker, Reconciliation
from deployctl.model.release import DesiredState, ReleaseKind, WorkerOutcome
from deployctl.model.verdict import Verdict


@dataclass(frozen=True, slots=True, kw_only=True)
class DeploymentAttempt:
    """One deployment to the group, its version, and its target on the worker in question.

    `is_partial`: for some workers only, by a repair, at a launch, or as a follow-on deployment. `version` is None if
    the revision is not our artifact, `release` is None if no release of ours made the deployment.
    """

    deployment: Deployment
    version: Version | None
    release: ReleaseId | None
    target: Target | None = None
    is_partial: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ReleaseResult:
    """The outcome of one release in the group and on the worker in question, from the release's journal."""

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
class Timeline:
    """`attempts` and `passages` are oldest first; `omitted_releases` counts the known earlier releases."""

    application: ApplicationName
    at: datetime
    group: Group
    desired: DesiredState | None
    attempts: tuple[DeploymentAttempt, ...]
    passages: tuple[ReleaseResult, ...]
    omitted_releases: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerTimeline(Timeline):
    """`judged` is None for a terminated worker without anything to report."""

    instance: Instance
    judged: ReconciledWorker | None
    activities: tuple[Activity, ...]

    @property
    def has_tag_of_its_release(self) -> bool:
        """Whether the release in its tag is known to have deployed the version in its tag."""
        release, version = self.instance.tags.get(TAG_RELEASE), self.instance.version
        brought = {(a.release, a.version) for a in self.attempts} | {
            (p.release, p.version) for p in self.passages
        }
        return (release, version) in brought

    @property
    def last(self) -> DeploymentAttempt | None:
        """The newest deployment with this worker as a target."""
        return next((a for a in reversed(self.attempts) if a.target is not None), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupTimeline(Timeline):
    found: Reconciliation

    @property
    def remedies(self) -> dict[str, int]:
        """Each remedy with the number of workers that it fixes, 0 for that of a finding of the group.

        Those for the whole group come last.
        """
        counts = {f.remedy: 0 for f in self.found.findings if f.remedy is not None}
        for worker in self.found.workers:
            if worker.remedy is not None:
                counts[worker.remedy] = counts.get(worker.remedy, 0) + 1
        return dict(sorted(counts.items(), key=lambda item: item[0].startswith("deployctl")))
