"""A group's progress and why it fails, read from the release's state."""

from collections.abc import Iterable
from dataclasses import dataclass, replace

from rich.text import Text

from deployctl.execute.release_state import GroupState, Phase
from deployctl.model.deployment import DeploymentStatus, FailureSummary, Target, TargetStatus
from deployctl.model.release import GroupAction, GroupOutcome
from deployctl.model.verdict import Verdict, WorkerVerdict
from deployctl.report.formatting import sanitize
from deployctl.report.style import BAD, BUSY, GOOD, REST, Glyphs

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
        """A bar of exactly `columns`. A single failure is visible, and only a complete bar looks full."""
        cells = self._shares(columns)
        kinds = ((glyphs.done, GOOD), (glyphs.bad, BAD), (glyphs.moving, BUSY))
        text = Text()
        for (glyph, style), length in zip(kinds, cells, strict=True):
            text.append(glyph * length, style)
        return text.append(glyphs.left * (columns - sum(cells)), REST)

    def _shares(self, columns: int) -> tuple[int, int, int]:
        total = self.total
        if total <= 0:
            return (0, 0, 0)
        done, bad, moving = (min(part, total) for part in (self.done, self.bad, self.moving))
        bad_cells = max(bad * columns // total, 1 if bad else 0)
        whole = done + bad >= total
        done_cells = columns - bad_cells if whole else min(done * columns // total, columns - bad_cells)
        room = columns - bad_cells - done_cells
        moving_cells = min(max(moving * columns // total, 1 if moving else 0), room)
        return (done_cells, bad_cells, moving_cells)


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


def failure_note(group: GroupState) -> FailureSummary:
    """The first failed target, else the outcome's reason, else the deployment's status."""
    failed = failed_targets(group.targets.values())
    if failed:
        found = target_facts(failed[0])
        more = f" (and {len(failed) - 1} more)" if len(failed) > 1 else ""
        return replace(found, facts=f"{sanitize(failed[0].instance_id)}{more} {found.facts}")
    if group.outcome is not None and group.outcome.reason:
        return FailureSummary(facts=sanitize(group.outcome.reason))
    status = group.status.value if group.status else state_word(group)
    return FailureSummary(facts=f"the deployment is {status}; no failure reason reported")


def failed_targets(targets: Iterable[Target]) -> list[Target]:
    """The failed targets, those with a failed lifecycle event first, then by instance."""
    failed = [t for t in targets if t.status is TargetStatus.FAILED]
    return sorted(failed, key=lambda t: (t.failed_or_last_event is None, t.instance_id))


def target_facts(target: Target) -> FailureSummary:
    """The target's failure summary, sanitized."""
    summary = target.failure_summary
    detail = sanitize(summary.detail) if summary.detail else None
    return FailureSummary(facts=sanitize(summary.facts), detail=detail)
