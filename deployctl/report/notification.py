"""The JSON document that the notify program reads, with a line of text for a chat."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from deployctl.model.event import GroupFinished, ReleaseFinished, ReleaseStarted
from deployctl.model.release import GroupOutcome, ReleaseKind, ReleasePlan
from deployctl.model.verdict import EXIT_CODES, Verdict
from deployctl.report.formatting import count, iso, sanitize
from deployctl.report.json_output import json_fields
from deployctl.report.plain_log import group_counts
from deployctl.report.release_summary import verdict_line

NOTIFICATION_SCHEMA = "deployctl.notification/1"


def is_trouble(outcome: GroupOutcome) -> bool:
    """Whether a group's end is worth a notification; a group that still runs has not ended."""
    return not outcome.verdict.is_acceptable and outcome.verdict is not Verdict.RUNNING


def of_start(event: ReleaseStarted) -> dict[str, Any]:
    plan = event.plan
    verb = "resumed" if plan.resumes else "started"
    waves = f" in {count(len(plan.waves), 'wave')}" if len(plan.waves) > 1 else ""
    groups = [{"name": group.group, "verdict": None, "reason": None} for group in plan.groups]
    text = f"{_subject(plan)}: {verb} by {sanitize(plan.actor)}: {group_counts(plan.groups)}{waves}"
    return _document("start", event.at, plan, text, groups)


def of_failure(event: GroupFinished, plan: ReleasePlan, ended: Iterable[GroupOutcome]) -> dict[str, Any]:
    """`ended` are all groups that have ended so far, including this one."""
    group = event.outcome
    why = f": {sanitize(group.reason)}" if group.reason else ""
    text = f"{_subject(plan)}: {sanitize(group.group)} {group.verdict.value}{why}"
    return _document("failure", event.at, plan, text, _groups(ended))


def of_end(event: ReleaseFinished, plan: ReleasePlan) -> dict[str, Any]:
    outcome = event.outcome
    # A release's own verdict line names the version.
    subject = sanitize(plan.application) if plan.kind is ReleaseKind.RELEASE else _subject(plan)
    text = f"{subject}: {verdict_line(outcome)}"
    document = _document("end", event.at, plan, text, _groups(outcome.groups))
    code = int(EXIT_CODES[outcome.verdict])
    return {**document, "verdict": outcome.verdict.value, "exit_code": code}


def _subject(plan: ReleasePlan) -> str:
    kind = "" if plan.kind is ReleaseKind.RELEASE else f"{plan.kind.value} to "
    return f"{sanitize(plan.application)} {kind}{sanitize(plan.version)}"


def _document(
    kind: str, at: datetime, plan: ReleasePlan, text: str, groups: list[dict[str, Any]]
) -> dict[str, Any]:
    return {
        "schema": NOTIFICATION_SCHEMA,
        "kind": kind,
        "text": text,
        "release_id": plan.release_id,
        "release_kind": plan.kind,
        **json_fields(plan, "application", "version", "actor"),
        "at": iso(at),
        "verdict": None,
        "exit_code": None,
        "groups": groups,
    }


def _groups(outcomes: Iterable[GroupOutcome]) -> list[dict[str, Any]]:
    return [{"name": o.group, **json_fields(o, "verdict", "reason")} for o in outcomes]
