"""A group's progress and why it fails, read from the release's state."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from rich.text import Text

from deployctl.execute.release_state import GroupState, Phase
from deployctl.model.deployment import DeploymentStatus, Target, TargetStatus
from deployctl.model.release import GroupAction, GroupOutcome
from deployctl.model.verdict import Verdict, WorkerVerdict
from deployctl.report.formatting import sanitize
from deployctl.report.style import Glyphs, bar

# A skipped group shows nothing: the cause is in another group.
_QUIET = (Verdict.VERIFIED, Verdict.EMPTY, Verdict.RUNNING, Verdict.NOT_STARTED, Verdict.SUPERSEDED)
_ENDED_BADLY = (DeploymentStatus.FAILED, DeploymentStatus.STOPPED)


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """Workers of one group or of many. `bad` failed or were skipped; `moving` are being deployed to."""

    done: int = 0
    bad: int = 0
    moving: int = 0
    total: int = 0

    def bar(self, columns: int, glyphs: Glyphs) -> Text:
        return bar(
            done=self.done, bad=self.bad, moving=self.moving, total=self.total, columns=columns, glyphs=glyphs
        )


def progress(group: GroupState) -> Progress:
    """From deployctl's verdicts if there are any, else from CodeDeploy's counts, else from the plan."""
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
    """From the workers' verdicts; an excused worker does not count."""
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
    """Whether the group needs attention: a failed worker, a failed deployment, or a bad verdict."""
    if group.outcome is not None:
        return group.outcome.verdict not in _QUIET
    return bool(group.counts.failed or group.counts.skipped) or group.status in _ENDED_BADLY


def state_word(group: GroupState) -> str:
    """The verdict if there is one (`verified`, `failed`, …), else the phase (`running`, `queued`, `waiting`)."""
    if group.outcome is not None:
        return group.outcome.verdict.value
    return group.phase.value if group.phase is not Phase.FINISHED else Verdict.UNKNOWN.value


@dataclass(frozen=True, slots=True, kw_only=True)
class FailureNote:
    """Why a group fails: one line of facts and, if the worker printed any, its last log line."""

    facts: str
    log: str | None = None


def failure_note(group: GroupState) -> FailureNote:
    """The first failed target, else the outcome's reason, else the deployment's status."""
    failed = failed_targets(group.targets.values())
    if failed:
        return _of_target(failed[0], others=len(failed) - 1)
    if group.outcome is not None and group.outcome.reason:
        return FailureNote(facts=sanitize(group.outcome.reason))
    status = group.status.value if group.status else state_word(group)
    return FailureNote(facts=f"the deployment is {status}; no failure reason reported")


def failed_targets(targets: Iterable[Target]) -> list[Target]:
    """The failed targets, those with a failed lifecycle event first, then by instance."""
    failed = [t for t in targets if t.status is TargetStatus.FAILED]
    return sorted(failed, key=lambda t: (t.failed_or_last_event is None, t.instance_id))


def target_facts(target: Target) -> FailureNote:
    """The target's failure summary, sanitized."""
    summary = target.failure_summary
    return FailureNote(
        facts=sanitize(summary.facts), log=sanitize(summary.detail) if summary.detail else None
    )


def _of_target(target: Target, *, others: int) -> FailureNote:
    found = target_facts(target)
    more = f" (and {others} more)" if others else ""
    return FailureNote(facts=f"{sanitize(target.instance_id)}{more} {found.facts}", log=found.log)
