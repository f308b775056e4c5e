"""What a release's journal says of it: what it set out to do, and how it came out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from deployctl.execute.intents import intent_of
from deployctl.model.names import AsgName, DeploymentId, GroupName, InstanceId, ReleaseId
from deployctl.model.refusals import RecordUnreadable
from deployctl.model.release import (
    GroupIntent,
    GroupOutcome,
    ReleaseIntent,
    ReleaseOutcome,
    WorkerOutcome,
)
from deployctl.model.verdict import Verdict, WorkerVerdict, worst

Entries = Sequence[Mapping[str, Any]]


def recorded_intent(release_id: ReleaseId, entries: Entries) -> ReleaseIntent:
    """What the release set out to do, by its last run. Raises: RecordUnreadable."""
    where = f"the journal of {release_id}"
    for entry in reversed(entries):
        if entry["kind"] == "intention":
            return intent_of(entry["intent"], where=where)
    raise RecordUnreadable(where, "it holds no intention")


def recorded_outcome(intent: ReleaseIntent, entries: Entries) -> ReleaseOutcome:
    """How the release came out as far as its journal tells; groups of which it tells nothing are not started."""
    told = {o["group"]: o for e in entries if e["kind"] == "outcomes" for o in e["groups"]}
    intentions = [e for e in entries if e["kind"] == "intention"]
    known = {g: Verdict.RUNNING for e in intentions for g in e["groups"]}
    known |= {g: Verdict(verdict) for e in intentions for g, verdict in e["settled"].items()}
    groups = tuple(
        _outcome(g, told.get(g.group), verdict=known.get(g.group, Verdict.NOT_STARTED)) for g in intent.groups
    )
    finished = [e for e in entries if e["kind"] == "finished"]
    verdict = Verdict(finished[-1]["verdict"]) if finished else worst(g.verdict for g in groups)
    ended_at = datetime.fromisoformat(entries[-1]["at"])
    return ReleaseOutcome(
        release_id=intent.release_id,
        application=intent.application,
        version=intent.version,
        verdict=verdict,
        started_at=intent.began_at,
        elapsed_s=round((ended_at - intent.began_at).total_seconds(), 3),
        groups=tuple(sorted(groups, key=lambda g: g.group)),
        kind=intent.kind,
    )


def _outcome(intent: GroupIntent, told: Mapping[str, Any] | None, *, verdict: Verdict) -> GroupOutcome:
    """`verdict` is what is known of a group of which no outcome was written."""
    if told is None:
        return GroupOutcome(
            group=intent.group,
            asgs=(),
            strategy=intent.strategy,
            version=intent.version,
            deployment_id=None,
            verdict=verdict,
        )
    return GroupOutcome(
        group=GroupName(told["group"]),
        asgs=tuple(AsgName(a) for a in told["asgs"]),
        strategy=intent.strategy,
        version=intent.version,
        deployment_id=DeploymentId(told["deployment_id"]) if told["deployment_id"] else None,
        verdict=Verdict(told["verdict"]),
        workers=tuple(
            WorkerOutcome(
                instance_id=InstanceId(w["instance_id"]),
                verdict=WorkerVerdict(w["verdict"]),
                cause=w["cause"],
            )
            for w in told["workers"]
        ),
        reason=told["reason"],
    )
