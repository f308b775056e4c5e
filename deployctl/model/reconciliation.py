"""A reconciliation: every worker of a snapshot compared with what its group should run."""

from collections import Counter
from dataclasses import dataclass
from datetime import datetime

from deployctl.model.cause import Category, Cause
from deployctl.model.group_finding import GroupFinding
from deployctl.model.names import ApplicationName
from deployctl.model.remedy import remedy
from deployctl.model.verdict import Verdict


@dataclass(frozen=True, slots=True, kw_only=True)
class ReconciledWorker:
    """One row of `reconcile.sql`.

    `deployed_version` is the worker's own tag. `minutes_behind` counts from the moment when the worker should have
    been current: 0 for a current worker, None where that means nothing. `desired_verdict` is the group's outcome of
    the desired version, `previous_version` the version verified there before. `version_failed_here`: the desired
    version failed on a worker of the group by its own fault. `is_in_progress`: the desired release is unfinished;
    `in_progress_release` is the application's unfinished release, `in_progress_kind` whether that is a release, a
    rollback or a repair. `home_asg` is where a detached worker belongs, if known.
    `active_deployment_id` is the group's active deployment if that is not the desired release's;
    `active_deployment_version` is None if its revision is not our artifact. `peers` are the other living workers of
    the group, `current_peers` the current ones among them.
    """

    instance_id: str
    group: str
    asg: str
    category: Category
    cause: Cause | None
    evidence: str | None
    deployed_version: str | None
    desired_version: str | None
    desired_verdict: Verdict | None
    previous_version: str | None
    version_failed_here: bool = False
    is_in_progress: bool = False
    in_progress_release: str | None = None
    in_progress_kind: str | None = None
    home_asg: str | None = None
    active_deployment_id: str | None = None
    active_deployment_creator: str | None = None
    active_deployment_version: str | None = None
    peers: int = 0
    current_peers: int = 0
    minutes_behind: int | None
    snapshot_at: datetime

    @property
    def remedy(self) -> str | None:
        """The shell command that fixes the worker, if any."""
        return remedy(self)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reconciliation:
    """Every worker of one snapshot, in order of group and instance, and the bytes that the query scanned.

    `findings` are those of groups as a whole. `is_unattended`: no process is running the release in progress.
    """

    application: ApplicationName
    snapshot_id: str
    snapshot_at: datetime
    engine: str
    bytes_scanned: int
    query_id: str | None
    workers: tuple[ReconciledWorker, ...]
    findings: tuple[GroupFinding, ...] = ()
    is_unattended: bool = False

    @property
    def by_category(self) -> dict[Category, int]:
        """The number of workers in every category, 0 included."""
        counted = Counter(worker.category for worker in self.workers)
        return {category: counted[category] for category in Category}

    @property
    def drifted(self) -> int:
        return sum(worker.category.is_drift for worker in self.workers)

    @property
    def current_by_files(self) -> int:
        """The current workers on which only the installed files were checked, since no unit runs the application."""
        return sum(w.category is Category.CURRENT and w.evidence is not None for w in self.workers)

    @property
    def desired_versions(self) -> dict[str, tuple[str, ...]]:
        """The groups by the version that each should run, the version of most groups first."""
        groups: dict[str, dict[str, None]] = {}
        for worker in self.workers:
            if worker.desired_version is not None:
                groups.setdefault(worker.desired_version, {})[worker.group] = None
        return {v: tuple(names) for v, names in sorted(groups.items(), key=lambda item: -len(item[1]))}
