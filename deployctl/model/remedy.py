"""The remedy of a worker that drifted: the shell command that fixes it."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import TYPE_CHECKING

from deployctl.model.cause import Category, Cause
from deployctl.model.command import only, quoted, shell_command, with_note
from deployctl.model.fleet import TAG_GROUP, TAG_VERSION
from deployctl.model.verdict import Verdict

if TYPE_CHECKING:
    from deployctl.model.reconciliation import ReconciledWorker


def remedy(worker: ReconciledWorker) -> str | None:
    """The shell command that fixes this worker, or None if there is nothing to fix or only to wait.

    A version that failed in the group by its own fault is never deployed further: the remedy goes back to the
    version verified before, or to a fixed build (which `NEXT` stands for).
    """
    if worker.cause is None or worker.cause in _RESOLVES_ITSELF or worker.category in _SKIPPED:
        return None
    return _BY_CAUSE.get(worker.cause, _release)(worker)


def blames_version(cause: Cause | None) -> bool:
    """Whether the version itself, or its release, failed on a worker with this cause."""
    return cause in _VERSION_TO_BLAME


def settle_command(worker: ReconciledWorker) -> str:
    """The command for a group whose workers all run the desired version, which is not verified there."""
    return _release(worker)


def _release(worker: ReconciledWorker) -> str:
    """Release the desired version again, or the previous version if the desired version is to blame.

    `--existing` releases the published artifact: the repository has mostly changed since.
    """
    if worker.desired_version is None:
        return _next_version(worker, "the version that this group should run")
    version, verdict = worker.desired_version, worker.desired_verdict or Verdict.UNKNOWN
    if worker.is_in_progress:
        return with_note("deployctl attach", f"resumes the release of {version}")
    # The version failed here by its own fault, or its release stopped because it failed elsewhere.
    is_version_to_blame = (
        worker.version_failed_here or blames_version(worker.cause) or verdict is Verdict.NOT_STARTED
    )
    if verdict.is_acceptable or not is_version_to_blame:
        again = shell_command(
            "deployctl", "release", version, "--existing", "--group", only(worker.group), "--redeploy"
        )
        return with_note(again, f"or, {_replace_if_alone(worker)}") if _failed_alone(worker) else again
    if worker.previous_version is not None and worker.previous_version != version:
        otherwise = _replace_if_alone(worker) if _failed_alone(worker) else _RELEASE_FIX
        back = shell_command(
            "deployctl", "rollback", "--to", worker.previous_version, "--group", only(worker.group)
        )
        return with_note(back, f"back to the last version verified here; or {otherwise}")
    # The version that the group was rolled back to failed on this worker too, while most others run it.
    most_run_it = worker.current_peers * 2 > worker.peers
    if worker.previous_version == version and worker.cause in _FAILED_ON_WORKER and most_run_it:
        return _replace_instance(worker)
    return _next_version(worker, f"a fixed build under a new version name: {version} failed here")


def _failed_alone(worker: ReconciledWorker) -> bool:
    """Only this worker failed, perhaps by its own fault: every other worker of the group runs the version."""
    return worker.cause in _FAILED_ON_WORKER and 0 < worker.current_peers == worker.peers


def _replace_if_alone(worker: ReconciledWorker) -> str:
    return f"if only this worker is bad, replace it: {_terminate(worker)}"


def _next_version(worker: ReconciledWorker, what: str) -> str:
    return with_note(
        shell_command("deployctl", "release", "NEXT", "--group", only(worker.group)), f"NEXT: {what}"
    )


def _replace_instance(worker: ReconciledWorker) -> str:
    return with_note(_terminate(worker), "the Auto Scaling group launches a replacement")


def _ignore_stop_script(worker: ReconciledWorker) -> str:
    """A repair ignores the script if the version may be deployed; a release would run the broken script again."""
    verdict = worker.desired_verdict or Verdict.UNKNOWN
    if worker.desired_version is None or worker.is_in_progress or not verdict.is_acceptable:
        return _replace_instance(worker)
    return with_note(
        shell_command("deployctl", "reconcile", "--fix", "--group", only(worker.group)),
        "ignores the failing ApplicationStop script",
    )


def _terminate(worker: ReconciledWorker) -> str:
    command = ("aws", "autoscaling", "terminate-instance-in-auto-scaling-group")
    keep = "--no-should-decrement-desired-capacity"
    return shell_command(*command, "--instance-id", worker.instance_id, keep)


def _retag(worker: ReconciledWorker) -> str:
    tags = [
        {"Key": TAG_VERSION, "Value": worker.desired_version},
        {"Key": TAG_GROUP, "Value": worker.group},
    ]
    words = ("--resources", worker.instance_id, "--tags", json.dumps(tags))
    return shell_command("aws", "ec2", "create-tags", *words)


def _leave_standby(worker: ReconciledWorker) -> str:
    words = ("--instance-ids", worker.instance_id, "--auto-scaling-group-name", worker.asg)
    return with_note(shell_command("aws", "autoscaling", "exit-standby", *words), "then reconcile again")


def _resume_newer(worker: ReconciledWorker) -> str:
    """While the release that superseded the desired release is in progress, resume that."""
    if worker.in_progress_release is not None and not worker.is_in_progress:
        return with_note("deployctl attach", "resumes the release that superseded this one")
    return _release(worker)


def _terminate_detached(worker: ReconciledWorker) -> str:
    these = ("--instance-ids", worker.instance_id)
    asg = ("--auto-scaling-group-name", worker.home_asg or "ASG")
    attach = shell_command("aws", "autoscaling", "attach-instances", *these, *asg)
    return with_note(
        shell_command("aws", "ec2", "terminate-instances", *these),
        f"no release reaches a detached worker; to keep it: {attach}",
    )


def _release_and_fix_hook(worker: ReconciledWorker) -> str:
    asg = quoted(worker.asg)
    note = f"then remove and re-add {asg} in the deployment group to restore its launch hook"
    line = _release(worker)
    return line if "   # " in line else with_note(line, note)


_RELEASE_FIX = "release a fixed build under a new version name"
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
#: The worker itself may be at fault: its disk, its network, other software on it.
_FAILED_ON_WORKER = _FAULTS | {Cause.BUNDLE_DOWNLOAD_FAILED, Cause.AGENT_ERROR}
_SKIPPED = {c for c in Category if not c.is_drift} - {Category.NOT_MANAGED}
_RESOLVES_ITSELF = frozenset({Cause.STILL_DEPLOYING, Cause.OTHER_DEPLOYMENT_RUNNING})
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
