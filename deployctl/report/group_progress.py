"""How far a group is and what is wrong with it, read from the release's state."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from deployctl.execute.release_state import GroupState, Phase
from deployctl.model.deployment import DeploymentStatus, Target, TargetStatus
from deployctl.model.release import GroupAction, GroupOutcome
from deployctl.model.verdict import Verdict, WorkerVerdict
from deployctl.report.formatting import sanitize

# Of a group that was left out there is nothing to see: what is to be looked at lies in another.
_QUIET = (Verdict.VERIFIED, Verdict.EMPTY, Verdict.RUNNING, Verdict.NOT_STARTED, Verdict.SUPERSEDED)
_ENDED_BADLY = (DeploymentStatus.FAILED, DeploymentStatus.STOPPED)


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """Workers of one group or of many. `bad` failed or were skipped; `moving` are being deployed to."""

    done: int = 0
    bad: int = 0
    moving: int = 0
    total: int = 0


def progress(group: GroupState) -> Progress:
    """By deployctl's own verdicts once they are there, before that by CodeDeploy's counts, first by the plan."""
    if group.outcome is not None and group.outcome.workers:
        return final_counts(group.outcome)
    if (
        group.plan.step is GroupAction.DONE
        and group.outcome is not None
        and group.outcome.verdict.is_verified
    ):
        return Progress(done=len(group.plan.workers), total=len(group.plan.workers))
    c = group.counts
    return Progress(
        done=c.succeeded,
        bad=c.failed + c.skipped,
        moving=c.in_progress + c.ready,
        total=c.total or len(group.plan.workers),
    )


def final_counts(outcome: GroupOutcome) -> Progress:
    """By the workers' own verdicts; one that is excused counts neither way."""
    verdicts = [w.verdict for w in outcome.workers if w.verdict is not WorkerVerdict.EXCUSED]
    return Progress(
        done=verdicts.count(WorkerVerdict.VERIFIED),
        bad=verdicts.count(WorkerVerdict.FAILED),
        moving=verdicts.count(WorkerVerdict.RUNNING),
        total=len(verdicts),
    )


def total_progress(parts: Iterable[Progress]) -> Progress:
    every = list(parts)
    return Progress(
        done=sum(p.done for p in every),
        bad=sum(p.bad for p in every),
        moving=sum(p.moving for p in every),
        total=sum(p.total for p in every),
    )


def is_troubled(group: GroupState) -> bool:
    """Whether somebody should look: a worker failed, the deployment ended badly, or the verdict says so."""
    if group.outcome is not None:
        return group.outcome.verdict not in _QUIET
    return bool(group.counts.failed or group.counts.skipped) or group.status in _ENDED_BADLY


def state_word(group: GroupState) -> str:
    """The verdict once there is one (`held`, `failed`, …), else the phase (`running`, `queued`, `waiting`)."""
    if group.outcome is not None:
        return group.outcome.verdict.value
    return group.phase.value if group.phase is not Phase.FINISHED else Verdict.UNKNOWN.value


@dataclass(frozen=True, slots=True, kw_only=True)
class FailureNote:
    """Why a group is in trouble: one line of facts and, where the worker printed one, its last log line."""

    facts: str
    log: str | None = None


def failure_note(group: GroupState) -> FailureNote:
    """The first failed target in its own words, else the outcome's reason, else the deployment's status."""
    failed = failed_targets(group.targets.values())
    if failed:
        return _of_target(failed[0], others=len(failed) - 1)
    if group.outcome is not None and group.outcome.reason:
        return FailureNote(facts=sanitize(group.outcome.reason))
    status = group.status.value if group.status else state_word(group)
    return FailureNote(facts=f"the deployment is {status}; no worker said why")


def failed_targets(targets: Iterable[Target]) -> list[Target]:
    """Those that failed, the ones that say where first, then by instance."""
    failed = [t for t in targets if t.status is TargetStatus.FAILED]
    return sorted(failed, key=lambda t: (t.failed_or_last_event is None, t.instance_id))


def target_facts(target: Target) -> FailureNote:
    """The target's failure summary, cleaned."""
    summary = target.failure_summary
    return FailureNote(
        facts=sanitize(summary.facts), log=sanitize(summary.detail) if summary.detail else None
    )


def _of_target(target: Target, *, others: int) -> FailureNote:
    found = target_facts(target)
    besides = f" (and {others} more)" if others else ""
    return FailureNote(facts=f"{sanitize(target.instance_id)}{besides} {found.facts}", log=found.log)
