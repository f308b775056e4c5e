"""Why a worker is not current: a closed list, each with the remedy that mends it.

Which cause a worker has is decided by `athena/queries/reconcile.sql` alone; here is only what to do about it.
"""

from __future__ import annotations

import json
import shlex
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from deployctl.model.fleet import TAG_GROUP, TAG_VERSION
from deployctl.model.names import ApplicationName
from deployctl.model.verdict import Verdict


class Category(StrEnum):
    """What a worker is, against what is desired of it: exactly one, by the first that holds."""

    NOT_MANAGED = "not-managed"
    TERMINATED_MID_DEPLOY = "terminated-mid-deploy"
    WRONG_GROUP = "wrong-group"
    CURRENT = "current"
    DEPLOYING = "deploying"
    FAILED = "failed"
    LAUNCHED_AFTER_RELEASE = "launched-after-release"
    NEVER_TAGGED = "never-tagged"
    UNKNOWN_VERSION = "unknown-version"
    AHEAD = "ahead"
    STALE = "stale"

    @property
    def is_drift(self) -> bool:
        return self not in _SETTLED


_SETTLED = frozenset(
    {Category.CURRENT, Category.DEPLOYING, Category.NOT_MANAGED, Category.TERMINATED_MID_DEPLOY}
)


class Cause(StrEnum):
    """Each is explained in docs/causes.md: what decides it, and what mends it."""

    NO_DESIRED_VERSION = "no-desired-version"
    # It is gone.
    RECLAIMED_BY_SPOT = "reclaimed-by-spot"
    CAPACITY_REBALANCING = "capacity-rebalancing"
    SCALED_IN = "scaled-in"
    REPLACED_UNHEALTHY = "replaced-unhealthy"
    TERMINATED_BY_USER = "terminated-by-user"
    # A deployment is at work on it.
    STILL_DEPLOYING = "still-deploying"
    OTHER_DEPLOYMENT_RUNNING = "other-deployment-running"
    # A deployment reached it and failed.
    AGENT_SILENT = "agent-silent"
    STOP_SCRIPT_BROKEN = "stop-script-broken"
    BUNDLE_DOWNLOAD_FAILED = "bundle-download-failed"
    APPSPEC_INVALID = "appspec-invalid"
    INSTALL_FAILED = "install-failed"
    SCRIPT_MISSING = "script-missing"
    SCRIPT_NOT_EXECUTABLE = "script-not-executable"
    SCRIPT_TIMED_OUT = "script-timed-out"
    SCRIPT_FAILED = "script-failed"
    AGENT_ERROR = "agent-error"
    WORKER_STUCK = "worker-stuck"
    # The desired release never reached it.
    SKIPPED_STOPPED_EARLY = "skipped-deployment-stopped-early"
    DEPLOYMENT_STOPPED = "deployment-stopped"
    SUPERSEDED = "superseded"
    DEPLOYMENT_GIVEN_UP = "deployment-given-up"
    DEPLOYMENT_FAILED = "deployment-failed"
    GROUP_BUSY = "group-busy"
    DEPLOYMENT_NOT_STARTED = "deployment-not-started"
    NOT_IN_RELEASE = "not-in-release"
    NOT_A_TARGET = "not-a-target"
    STANDBY = "standby"
    REJOINED_LATE = "rejoined-late"
    # It was launched after the desired version was set.
    LAUNCHED_DURING_RELEASE = "launched-during-release"
    LAUNCHED_WITH_OLDER_REVISION = "launched-with-older-revision"
    LAUNCHED_INTO_EMPTY_GROUP = "launched-into-empty-group"
    LAUNCH_HOOK_MISSING = "launch-hook-missing"
    # Its tag and its deployments disagree.
    DEPLOYED_NOT_TAGGED = "deployed-not-tagged"
    TAG_EDITED = "tag-edited"
    TAG_AHEAD_OF_DEPLOYMENT = "tag-ahead-of-deployment"
    MOVED_GROUP = "moved-group"
    DETACHED = "detached"
    # Something else put another version there.
    DEPLOYED_OUTSIDE_RELEASE = "deployed-outside-release"
    NO_ARTIFACT = "no-artifact"
    EVIDENCE_MISSING = "evidence-missing"


@dataclass(frozen=True, slots=True, kw_only=True)
class ReconciledWorker:
    """One worker as `reconcile.sql` judged it.

    `deployed_version` is the worker's own word, its tag. `minutes_behind` counts from the moment it should
    have been current, 0 for a current one, None where that means nothing. `desired_verdict` is how the
    desired version came out in the group, and `previous_version` the one that held there before.
    `version_failed_here`: it failed on some worker of the group by a fault of its own. `is_in_progress`: the desired
    release is not over; `under_way_release` is the one that is not, whichever, and `under_way_kind` whether that is a
    release, a rollback or a repair. `home_asg` is where a detached worker belongs, None where that is not known.
    `slot_deployment_id` is at work in the group and not the desired release's; `slot_version` is None where its
    revision is no artifact of ours. `peers` are the other living workers of the group, `current_peers` those of them
    that are as desired.
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
    under_way_release: str | None = None
    under_way_kind: str | None = None
    home_asg: str | None = None
    slot_deployment_id: str | None = None
    slot_creator: str | None = None
    slot_version: str | None = None
    peers: int = 0
    current_peers: int = 0
    minutes_behind: int | None
    snapshot_at: datetime

    @property
    def remedy(self) -> str | None:
        """A shell line, see the function of this name."""
        return remedy(self)


def remedy(worker: ReconciledWorker) -> str | None:
    """The command that mends this worker, or None where there is nothing to mend or only to wait.

    A version that failed in the group by its own fault is never spread: there the remedy is to go back to the
    one that held before, or a corrected version (which `NEXT` stands for).
    """
    if worker.cause is None or worker.cause in _PASSES or worker.category in _LEFT_ALONE:
        return None
    return _BY_CAUSE.get(worker.cause, _release)(worker)


def blames_version(cause: Cause) -> bool:
    """Whether it is the version itself, or the release that brought it, that failed on such a worker."""
    return cause in _VERSION_TO_BLAME


def settle_command(worker: ReconciledWorker) -> str:
    """The command that brings a group on whose workers all run the desired version, which did not hold there."""
    return _release(worker)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reconciliation:
    """Every worker of one snapshot as judged, in order of group and instance, and what that took to read."""

    application: ApplicationName
    snapshot_id: str
    snapshot_at: datetime
    engine: str
    bytes_scanned: int
    query_id: str | None
    workers: tuple[ReconciledWorker, ...]

    @property
    def by_category(self) -> dict[Category, int]:
        """Workers by category, every category in its own order, 0 where there are none."""
        counted = Counter(worker.category for worker in self.workers)
        return {category: counted[category] for category in Category}

    @property
    def drifted(self) -> int:
        return sum(worker.category.is_drift for worker in self.workers)


def _release(worker: ReconciledWorker) -> str:
    """The desired version again; the one before where that version itself is to blame.

    `--existing` releases what is published: the repository has mostly moved on since.
    """
    if worker.desired_version is None:
        return _next_version(worker, "the version that this group should run")
    version, verdict = worker.desired_version, worker.desired_verdict or Verdict.UNKNOWN
    if worker.is_in_progress:
        return _with_note("deployctl attach", f"goes on with the release of {version}")
    if verdict.is_acceptable or not _is_to_blame(worker):
        again = f"deployctl release {version} --existing --group {_glob(worker.group)} --redeploy"
        return _with_note(again, f"or, {_if_only_it(worker)}") if _failed_alone(worker) else again
    if worker.previous_version is not None and worker.previous_version != version:
        otherwise = _if_only_it(worker) if _failed_alone(worker) else _CORRECTED
        back = f"deployctl rollback --to {worker.previous_version} --group {_glob(worker.group)}"
        return _with_note(back, f"back to the last that held here; or {otherwise}")
    if _is_it_to_blame(worker):
        return _replace_instance(worker)
    return _next_version(worker, f"a corrected version under a new name; {version} did not hold here")


def _failed_alone(worker: ReconciledWorker) -> bool:
    """A deployment failed on it by a fault that may be its own: the version runs on every other of the group."""
    return worker.cause in _FAILED_ON_IT and 0 < worker.current_peers == worker.peers


def _is_it_to_blame(worker: ReconciledWorker) -> bool:
    """What the group was rolled back to, and held there before, failed on it too, while most others run it."""
    rolled_back = worker.previous_version is not None and worker.previous_version == worker.desired_version
    return rolled_back and worker.cause in _FAILED_ON_IT and worker.current_peers * 2 > worker.peers


def _if_only_it(worker: ReconciledWorker) -> str:
    return f"if only this worker is bad, replace it: {_terminate(worker)}"


def _is_to_blame(worker: ReconciledWorker) -> bool:
    """The desired version failed here by its own fault, or the release was ended because it failed elsewhere."""
    return (
        worker.version_failed_here
        or worker.cause in _VERSION_TO_BLAME
        or worker.desired_verdict is Verdict.NOT_STARTED
    )


def _next_version(worker: ReconciledWorker, what: str) -> str:
    return _with_note(f"deployctl release NEXT --group {_glob(worker.group)}", f"NEXT: {what}")


def _replace_instance(worker: ReconciledWorker) -> str:
    return _with_note(_terminate(worker), "the Auto Scaling group launches another in its place")


def _ignore_stop_script(worker: ReconciledWorker) -> str:
    """A repair does, where the version may be spread; else every deployment would run the same broken script."""
    verdict = worker.desired_verdict or Verdict.UNKNOWN
    if worker.desired_version is None or worker.is_in_progress or not verdict.is_acceptable:
        return _replace_instance(worker)
    return _with_note(
        f"deployctl reconcile --fix --group {_glob(worker.group)}", "overlooks that its stop script fails"
    )


def _terminate(worker: ReconciledWorker) -> str:
    return (
        "aws autoscaling terminate-instance-in-auto-scaling-group"
        f" --instance-id {worker.instance_id} --no-should-decrement-desired-capacity"
    )


def _retag(worker: ReconciledWorker) -> str:
    tags = [
        {"Key": TAG_VERSION, "Value": worker.desired_version},
        {"Key": TAG_GROUP, "Value": worker.group},
    ]
    return f"aws ec2 create-tags --resources {worker.instance_id} --tags {shlex.quote(json.dumps(tags))}"


def _leave_standby(worker: ReconciledWorker) -> str:
    return _with_note(
        f"aws autoscaling exit-standby --instance-ids {worker.instance_id}"
        f" --auto-scaling-group-name {shlex.quote(worker.asg)}",
        "then reconcile again",
    )


def _resume_newer(worker: ReconciledWorker) -> str:
    """While the release that superseded the desired one is under way, it is what brings this group on."""
    if worker.under_way_release is not None and not worker.is_in_progress:
        return _with_note("deployctl attach", "goes on with the release that superseded this one")
    return _release(worker)


def _terminate_detached(worker: ReconciledWorker) -> str:
    asg = shlex.quote(worker.home_asg) if worker.home_asg else "ASG"
    attach = f"aws autoscaling attach-instances --instance-ids {worker.instance_id}"
    return _with_note(
        f"aws ec2 terminate-instances --instance-ids {worker.instance_id}",
        f"no release reaches it; to keep it: {attach} --auto-scaling-group-name {asg}",
    )


def _release_and_fix_hook(worker: ReconciledWorker) -> str:
    asg = shlex.quote(worker.asg)
    note = f"and add {asg} to the deployment group anew, or the next launch is missed too"
    line = _release(worker)
    return line if "   # " in line else _with_note(line, note)


def _with_note(command: str, note: str) -> str:
    """A shell comment, so that the whole line may be pasted."""
    return f"{command}   # {note}"


def _glob(group: str) -> str:
    """The glob that matches this group alone, quoted for a shell."""
    escaped = "".join(f"[{c}]" if c in "*?[" else c for c in group)
    return shlex.quote(escaped)


_CORRECTED = "release a corrected version under a new name"
_FAULTS = frozenset(
    {
        Cause.APPSPEC_INVALID,
        Cause.INSTALL_FAILED,
        Cause.SCRIPT_MISSING,
        Cause.SCRIPT_NOT_EXECUTABLE,
        Cause.SCRIPT_TIMED_OUT,
        Cause.SCRIPT_FAILED,
    }
)
_VERSION_TO_BLAME = _FAULTS | {Cause.SKIPPED_STOPPED_EARLY, Cause.DEPLOYMENT_FAILED}
#: The worker itself may be why: its disk, its network, what else is installed there.
_FAILED_ON_IT = _FAULTS | {Cause.BUNDLE_DOWNLOAD_FAILED, Cause.AGENT_ERROR}
_LEFT_ALONE = _SETTLED - {Category.NOT_MANAGED}
_PASSES = frozenset({Cause.STILL_DEPLOYING, Cause.OTHER_DEPLOYMENT_RUNNING})
_BY_CAUSE: dict[Cause, Callable[[ReconciledWorker], str]] = {
    Cause.AGENT_SILENT: _replace_instance,
    Cause.STOP_SCRIPT_BROKEN: _ignore_stop_script,
    Cause.DEPLOYED_NOT_TAGGED: _retag,
    Cause.TAG_EDITED: _retag,
    Cause.STANDBY: _leave_standby,
    Cause.WORKER_STUCK: _replace_instance,
    Cause.DETACHED: _terminate_detached,
    Cause.SUPERSEDED: _resume_newer,
    Cause.LAUNCH_HOOK_MISSING: _release_and_fix_hook,
}
