"""deployctl's own verdict on a worker and on a group. Pure; CodeDeploy's status is only one input."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from deployctl.model.deployment import Deployment, DeploymentStatus, Target, TargetStatus
from deployctl.model.fleet import Instance
from deployctl.model.names import InstanceId, Version
from deployctl.model.release import GroupOutcome, GroupPlan, WorkerOutcome
from deployctl.model.strategy import NO_FAILURES, Budget
from deployctl.model.termination_reason import TerminationReason
from deployctl.model.text import count
from deployctl.model.verdict import Verdict, WorkerVerdict


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupObservations:
    """What is known of a group once its deployments are over.

    `targets` holds each instance's latest target. `awaits_follow_on`: CodeDeploy may still deploy to workers
    launched in the meantime. `abandoned_reason` is set if this release itself stopped the deployment.
    """

    version: Version
    deployment: Deployment
    targets: Mapping[InstanceId, Target]
    instances: Sequence[Instance]
    terminations: Mapping[InstanceId, TerminationReason]
    awaits_follow_on: bool = False
    max_failed: Budget = NO_FAILURES
    abandoned_reason: str | None = None

    @property
    def was_stopped(self) -> bool:
        """The deployment was stopped, but not by this release for lack of progress."""
        return self.deployment.status is DeploymentStatus.STOPPED and self.abandoned_reason is None


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupVerdict:
    verdict: Verdict
    workers: tuple[WorkerOutcome, ...]
    reason: str | None = None


def evaluate_group(evidence: GroupObservations) -> GroupVerdict:
    """A group is verified only if every living worker runs the version and at least one succeeded.

    It is partial if no more workers failed than its budget allows. A terminated worker is excused only with
    evidence; one replaced as unhealthy counts as failed.
    """
    living = {i.instance_id: i for i in evidence.instances if i.is_alive}
    terminated = sorted(set(evidence.targets) - set(living))
    workers = (
        *(_living(living[i], evidence) for i in sorted(living)),
        *(_terminated(i, evidence) for i in terminated),
    )
    verdict = _group_verdict(Counter(w.verdict for w in workers), evidence)
    return GroupVerdict(verdict=verdict, workers=workers, reason=_reason(verdict, workers, evidence))


def _living(instance: Instance, evidence: GroupObservations) -> WorkerOutcome:
    target = evidence.targets.get(instance.instance_id)
    verdict: WorkerVerdict
    cause: str | None
    if target is not None:
        verdict, cause = _by_target(target, evidence)
    elif instance.version == evidence.version:
        verdict, cause = WorkerVerdict.VERIFIED, None
    else:
        verdict, why = _not_reached(instance, evidence)
        cause = f"on {instance.version or 'no version'}: {why}"
    return WorkerOutcome(instance.instance_id, verdict, cause)


def _not_reached(instance: Instance, evidence: GroupObservations) -> tuple[WorkerVerdict, str]:
    """A living worker on another version that was no target of any deployment."""
    deployment, state = evidence.deployment, instance.lifecycle_state or ""
    ended_at = deployment.completed_at
    if evidence.was_stopped:
        return WorkerVerdict.STOPPED, "the deployment was stopped before its turn"
    if deployment.status in (DeploymentStatus.FAILED, DeploymentStatus.STOPPED):
        return WorkerVerdict.FAILED, f"never reached: {_deployment_error(deployment)}"
    if "Standby" in state:
        return WorkerVerdict.FAILED, "in Standby: CodeDeploy does not deploy to it"
    if state.startswith("Pending") and ended_at is not None and instance.launched_at > ended_at:
        # CodeDeploy deploys the last successful revision at its launch: this version.
        return WorkerVerdict.UNKNOWN, "still launching when the deployment finished"
    if evidence.awaits_follow_on:
        return (
            WorkerVerdict.RUNNING,
            "launched during the deployment; waiting for CodeDeploy's follow-on deployment",
        )
    return WorkerVerdict.FAILED, "launched during the deployment; CodeDeploy did not deploy to it"


def _by_target(target: Target, evidence: GroupObservations) -> tuple[WorkerVerdict, str | None]:
    stopped, event = evidence.was_stopped, target.failed_or_last_event
    match target.status:
        case TargetStatus.SUCCEEDED:
            return WorkerVerdict.VERIFIED, None
        case TargetStatus.FAILED if stopped and not target.has_failed_event:
            return WorkerVerdict.STOPPED, (
                f"the deployment was stopped {f'after its {event.name}' if event else 'before it began'}"
            )
        case TargetStatus.FAILED:
            return WorkerVerdict.FAILED, str(target.failure_summary)
        case TargetStatus.SKIPPED if not stopped:
            return WorkerVerdict.FAILED, "skipped: the deployment stopped before its turn"
        case _ if stopped:
            return WorkerVerdict.STOPPED, f"the deployment was stopped while it was {target.status.value}"
        case _:
            return WorkerVerdict.FAILED, f"the deployment ended while it was {target.status.value}"


def _terminated(instance_id: InstanceId, evidence: GroupObservations) -> WorkerOutcome:
    reason = evidence.terminations.get(instance_id, TerminationReason.UNKNOWN)
    verdict = WorkerVerdict.EXCUSED if reason.is_excused else WorkerVerdict.FAILED
    return WorkerOutcome(instance_id, verdict, reason.text)


def _group_verdict(count: Counter[WorkerVerdict], evidence: GroupObservations) -> Verdict:
    if count[WorkerVerdict.RUNNING]:
        return Verdict.RUNNING
    if not count:
        return Verdict.EMPTY
    if evidence.was_stopped:
        return Verdict.STOPPED
    # After a failed deployment CodeDeploy deploys the previous version to the next instance.
    if evidence.deployment.status is not DeploymentStatus.SUCCEEDED:
        return Verdict.FAILED
    return within_budget(count, evidence.max_failed)


def within_budget(count: Counter[WorkerVerdict], max_failed: Budget) -> Verdict:
    """The verdict of a group after a successful deployment. Excused workers do not count."""
    failed = count[WorkerVerdict.FAILED]
    if not count[WorkerVerdict.VERIFIED]:
        return Verdict.FAILED
    if not failed:
        return Verdict.VERIFIED
    present = sum(count.values()) - count[WorkerVerdict.EXCUSED]
    return Verdict.PARTIAL if max_failed.allows(failed, of=present) else Verdict.FAILED


def _reason(verdict: Verdict, workers: Sequence[WorkerOutcome], evidence: GroupObservations) -> str | None:
    """In one line: the most telling failed worker, else CodeDeploy's error."""
    if verdict in (Verdict.VERIFIED, Verdict.RUNNING, Verdict.EMPTY):
        return None
    if evidence.abandoned_reason is not None:
        return evidence.abandoned_reason
    failed = [w for w in workers if w.verdict is WorkerVerdict.FAILED]
    # A skipped worker only shows that others failed.
    skipped = {i for i, t in evidence.targets.items() if t.status is TargetStatus.SKIPPED}
    attempted = [w for w in failed if w.instance_id not in skipped]
    if not evidence.targets or not failed:
        return _deployment_error(evidence.deployment)
    return summarize_failures(attempted or failed, failed=len(failed), workers=len(workers))


def summarize_failures(failures: Sequence[WorkerOutcome], *, failed: int, workers: int) -> str:
    """A group's reason by the first of these workers."""
    first = failures[0]
    return f"{failed} of {count(workers, 'worker')}: {first.instance_id}: {first.cause}"


def _deployment_error(deployment: Deployment) -> str:
    """CodeDeploy's error code and message."""
    code = deployment.error_code or deployment.status.value
    message = f": {deployment.error_message}" if deployment.error_message else ""
    return f"{deployment.deployment_id}: {code}{message}"


def untouched_workers(group: GroupPlan) -> tuple[WorkerOutcome, ...]:
    """The workers of a group that this run has not deployed to, by their tags at the plan."""
    return tuple(
        WorkerOutcome(w.instance_id, WorkerVerdict.VERIFIED)
        if w.version == group.version
        else WorkerOutcome(
            w.instance_id, WorkerVerdict.UNKNOWN, f"runs {w.version or 'no version'}; not part of this run"
        )
        for w in group.workers
    )


def untouched_outcome(group: GroupPlan, verdict: Verdict, reason: str | None = None) -> GroupOutcome:
    """The outcome of a group that this run has not deployed to."""
    return replace(
        group.outcome(verdict, group.asgs),
        deployment_id=group.recorded_deployment,
        workers=untouched_workers(group),
        reason=reason,
    )
