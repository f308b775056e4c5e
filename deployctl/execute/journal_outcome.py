"""A release's outcome by its journal, and with its rollback."""

from dataclasses import replace

from deployctl.model.release import GroupOutcome, ReleaseIntent, ReleaseOutcome
from deployctl.model.release_record import ReleaseRecord
from deployctl.model.verdict import Verdict, worst


def outcome_from_journal(intent: ReleaseIntent, record: ReleaseRecord) -> ReleaseOutcome:
    """The release's outcome as far as its journal shows; groups without an entry are not started."""
    groups = []
    for group in intent.groups:
        begun = Verdict.RUNNING if group.group in record.begun else Verdict.NOT_STARTED
        undecided = group.outcome(record.settled.get(group.group, begun), ())
        groups.append(record.outcomes.get(group.group, undecided))
    elapsed_s = ((record.finished_at or record.last_at) - intent.began_at).total_seconds()
    return intent.outcome_of(groups, verdict=record.verdict, elapsed_s=elapsed_s, calls={}, stop=record.stop)


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
