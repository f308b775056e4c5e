"""A release and its targets as rows of the lake."""

from collections import Counter
from datetime import datetime

from deployctl.execute.release_runner import RunResult
from deployctl.model.deployment import Target
from deployctl.model.lake import DeploymentTargetRow, ReleaseRow
from deployctl.model.release import GroupAction, GroupOutcome, GroupPlan, ReleaseOutcome, ReleasePlan
from deployctl.model.verdict import Verdict, WorkerVerdict

LOG_TAIL_CHARS = 500
_WITHOUT_ROW = frozenset({Verdict.RUNNING, Verdict.NOT_STARTED})


def release_rows(
    outcome: ReleaseOutcome, plan: ReleasePlan, *, actor: str, now: datetime
) -> list[ReleaseRow]:
    """One row a group that this run changed and finished."""
    plans = {g.group: g for g in plan.groups}
    return [
        _release_row(group, plans[group.group], outcome, actor=actor, now=now)
        for group in outcome.groups
        if plans[group.group].step is not GroupAction.DONE and group.verdict not in _WITHOUT_ROW
    ]


def _release_row(
    group: GroupOutcome,
    planned: GroupPlan,
    outcome: ReleaseOutcome,
    *,
    actor: str,
    now: datetime,
) -> ReleaseRow:
    count = Counter(w.verdict for w in group.workers)
    return ReleaseRow(
        release_id=outcome.release_id,
        application=outcome.application,
        version=group.version,
        sequence=planned.artifact.manifest.sequence,
        actor=actor,
        group_name=group.group,
        deployment_id=group.deployment_id,
        strategy=str(group.strategy),
        verdict=group.verdict.value,
        reason=group.reason,
        started_at=outcome.started_at,
        finished_at=group.finished_at or now,
        previous_version=planned.previous_verified,
        workers=len(group.workers),
        workers_verified=count[WorkerVerdict.VERIFIED],
        workers_excused=count[WorkerVerdict.EXCUSED],
        workers_failed=count[WorkerVerdict.FAILED],
    )


def target_rows(ran: RunResult, plan: ReleasePlan) -> list[DeploymentTargetRow]:
    """One row a target of the finished groups; an instance has one for each deployment it was in."""
    done = {g.group: g for g in ran.outcome.groups if g.verdict is not Verdict.RUNNING}
    return [_target_row(target, done[group], plan) for group, target in ran.targets if group in done]


def _target_row(target: Target, group: GroupOutcome, plan: ReleasePlan) -> DeploymentTargetRow:
    verdicts = (w.verdict for w in group.workers if w.instance_id == target.instance_id)
    event = target.failed_or_last_event
    began = [e.started_at for e in target.events if e.started_at]
    ended = [e.ended_at for e in target.events if e.ended_at]
    return DeploymentTargetRow(
        release_id=plan.release_id,
        application=plan.application,
        group_name=group.group,
        deployment_id=target.deployment_id,
        instance_id=target.instance_id,
        version=group.version,
        status=target.status.value,
        verdict=next(verdicts, WorkerVerdict.UNKNOWN).value,
        event=event.name if event else None,
        error_code=event.error_code if event else None,
        script=event.script if event else None,
        message=event.message if event else None,
        log_tail=event.log_tail[-LOG_TAIL_CHARS:] if event and event.log_tail else None,
        started_at=min(began, default=None),
        ended_at=max(ended, default=None) if target.status.is_over else None,
    )
