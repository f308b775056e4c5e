"""A release's outcome by its journal, and with its rollback."""

from __future__ import annotations

from dataclasses import replace

from deployctl.model.release import GroupIntent, GroupOutcome, ReleaseIntent, ReleaseOutcome
from deployctl.model.release_record import ReleaseRecord
from deployctl.model.verdict import Verdict, worst


def outcome_from_journal(intent: ReleaseIntent, record: ReleaseRecord) -> ReleaseOutcome:
    """The release's outcome as far as its journal shows; groups without an entry are not started."""
    groups = tuple(record.outcomes.get(g.group) or _undecided(g, record) for g in intent.groups)
    ended_at = record.finished_at or record.last_at
    return ReleaseOutcome(
        release_id=intent.release_id,
        application=intent.application,
        version=intent.version,
        verdict=record.verdict or worst(g.verdict for g in groups),
        started_at=intent.began_at,
        elapsed_s=round((ended_at - intent.began_at).total_seconds(), 3),
        groups=tuple(sorted(groups, key=lambda g: g.group)),
        kind=intent.kind,
        stop=record.stop,
    )


def _undecided(intent: GroupIntent, record: ReleaseRecord) -> GroupOutcome:
    begun = Verdict.RUNNING if intent.group in record.begun else Verdict.NOT_STARTED
    return intent.outcome(record.settled.get(intent.group, begun), asgs=())


def merge_rollback(outcome: ReleaseOutcome, back: ReleaseOutcome) -> ReleaseOutcome:
    """A failed release's outcome, with its rollback's outcome for the groups that it had changed."""
    after = {g.group: g for g in back.groups}
    groups = tuple(
        _group_after_rollback(g, after[g.group]) if g.group in after else g for g in outcome.groups
    )
    return replace(
        outcome,
        verdict=worst(g.verdict for g in groups),
        elapsed_s=back.elapsed_s,
        groups=groups,
        calls=back.calls,
        throttled=back.throttled,
        rollback=back,
    )


def _group_after_rollback(group: GroupOutcome, back: GroupOutcome) -> GroupOutcome:
    why = f": {group.reason}" if group.reason else ""
    if back.verdict.is_verified:
        verdict, reason = Verdict.ROLLED_BACK, f"back on {back.version}{why}"
    elif back.verdict is Verdict.RUNNING:
        verdict, reason = Verdict.RUNNING, f"rolling back to {back.version}{why}"
    else:
        verdict, reason = Verdict.FAILED, f"rollback to {back.version} {back.verdict.value}{why}"
    return replace(
        group, verdict=verdict, reason=reason, workers=back.workers, deployment_id=back.deployment_id
    )
