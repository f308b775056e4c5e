"""`deployctl logs`: the failed targets with their lifecycle events and the end of the script's log.

A script's output is untrusted: it may contain escape sequences, huge lines or binary data. Only its last lines
are shown, each sanitized.
"""

from typing import Any

from rich.text import Text

from deployctl.model.deployment import LifecycleEvent, Target, TargetStatus
from deployctl.model.release_record import GroupLogs, ReleaseLogs, ReleaseRecord
from deployctl.model.verdict import Verdict
from deployctl.report.formatting import count, duration, list_some, moment, sanitize, seconds_between
from deployctl.report.group_progress import target_facts
from deployctl.report.history import record_json
from deployctl.report.json_output import json_fields, json_value
from deployctl.report.style import BAD, BUSY, REST, STRONG, Glyphs, styled, verdict_style
from deployctl.report.table import Column, fold, indent, lay_out_columns

LOGS_SCHEMA = "deployctl.logs/1"
#: CodeDeploy keeps 4 KB of a script's output.
LOG_CHARS = 4_096
MAX_TARGETS = 10
MAX_SKIPPED = 5
# The table of events is never cut; long lines are folded afterwards.
_WIDE = 1_000
_INDENT = "  "
_DEEP = "    "
_EVENTS = (
    Column("event"),
    Column("status"),
    Column("took", right=True),
    Column("error"),
    Column("script", longest=60),
)


def logs_lines(found: ReleaseLogs, *, columns: int | None, glyphs: Glyphs) -> list[Text]:
    """Each group with its failed targets. `columns` folds longer lines; None leaves them whole (for pipes)."""
    lines = [_head(found.record)]
    for group in found.groups:
        lines += [Text(), *_group(group, found.record, glyphs)]
    if not found.groups:
        so_far = "" if found.record.verdict is not None else " so far"
        lines.append(Text(f"no failures in {count(found.others, 'group')}{so_far}"))
    elif found.others:
        lines += [Text(), styled(f"no failures in {count(found.others, 'other group')}", REST)]
    return lines if columns is None else [part for line in lines for part in fold(line, columns)]


def _head(record: ReleaseRecord) -> Text:
    word = record.verdict.value if record.verdict else "unfinished"
    by = f" by {sanitize(record.intent.actor)}" if record.intent else ""
    kind = record.intent.kind.value if record.intent else "release"
    text = styled(f"{kind} {sanitize(record.release_id)} of {sanitize(record.version)}: ", STRONG)
    return text.append(word, verdict_style(record.verdict)).append(
        f"; began {moment(record.began_at)}{by}", REST
    )


def _mark(verdict: Verdict | None, glyphs: Glyphs) -> str:
    if verdict in (None, Verdict.RUNNING):
        return glyphs.running
    return glyphs.ok if verdict is not None and verdict.is_verified else glyphs.failed


def _group(group: GroupLogs, record: ReleaseRecord, glyphs: Glyphs) -> list[Text]:
    verdict = group.outcome.verdict if group.outcome else None
    style = verdict_style(verdict)
    head = styled(f"{_mark(verdict, glyphs)} ", style).append(sanitize(group.group), STRONG)
    head.append(f"  {verdict.value if verdict else 'no verdict yet'}", style)
    if group.version != record.version:
        head.append(f"  {sanitize(group.version)}")
    head.append(f"  {sanitize(group.deployment_id)}" if group.deployment_id else "", REST)
    lines = [head, *_reasons(group)]
    failed = [t for t in group.targets if t.status is not TargetStatus.SKIPPED]
    for target in failed[:MAX_TARGETS]:
        lines += _target(target, glyphs)
    if len(failed) > MAX_TARGETS:
        more = f"and {count(len(failed) - MAX_TARGETS, 'more failed target')}; --json lists all of them"
        lines.append(styled(f"{_INDENT}{glyphs.ellipsis} {more}", REST))
    return [*lines, *_others(group, glyphs)]


def _reasons(group: GroupLogs) -> list[Text]:
    """The group's reason unless a failed event shows it, CodeDeploy's error, and why targets could not be read."""
    lines = []
    is_shown = any(target.has_failed_event for target in group.targets)
    if group.outcome is not None and group.outcome.reason and not is_shown:
        lines.append(Text(f"{_INDENT}{sanitize(group.outcome.reason)}"))
    deployment = group.deployment
    if deployment is not None and deployment.error_code:
        message = f": {sanitize(deployment.error_message)}" if deployment.error_message else ""
        lines.append(Text(f"{_INDENT}CodeDeploy: {sanitize(deployment.error_code)}{message}"))
    if group.unread is not None:
        lines.append(styled(f"{_INDENT}not read: {sanitize(group.unread)}", BUSY))
    elif not group.targets and not group.elsewhere:
        lines.append(styled(f"{_INDENT}no failed target", REST))
    return lines


def _target(target: Target, glyphs: Glyphs) -> list[Text]:
    facts = target_facts(target).facts
    head = Text(_INDENT).append(sanitize(target.instance_id), STRONG).append(f"  {facts}", BAD)
    # CodeDeploy skips every event after a failed one.
    events = [_event(e) for e in target.events if e.status not in ("Pending", "Skipped")]
    table = lay_out_columns(_EVENTS, events, width=_WIDE, glyphs=glyphs) if events else []
    lines = [head, *indent(table, _DEEP)]
    event = target.failed_or_last_event
    if event is None:
        return lines
    if event.message and not event.log_tail:
        lines.append(Text(f"{_DEEP}{sanitize(event.message)}"))
    bar = "│" if glyphs.arrow == "→" else "|"
    return [*lines, *(styled(f"{_DEEP}{bar} ", REST).append(line) for line in log_lines(event.log_tail))]


def _event(event: LifecycleEvent) -> list[Text | str]:
    style = BAD if event.status == "Failed" else ""
    code = event.error_code if event.error_code not in (None, "Success") else ""
    return [
        sanitize(event.name),
        styled(sanitize(event.status), style),
        _took(event),
        sanitize(code or ""),
        sanitize(event.script or ""),
    ]


def _took(event: LifecycleEvent) -> str:
    seconds = seconds_between(event.started_at, event.ended_at)
    if seconds is None:
        return ""
    return f"{max(seconds, 0.0):.1f}s" if seconds < 10 else duration(seconds)


def log_lines(tail: str | None) -> list[str]:
    """The last 4 KB of a script's output as printable lines, without blanks at their ends."""
    text = (tail or "")[-LOG_CHARS:]
    lines = [sanitize(line.expandtabs(4)).rstrip() for line in text.splitlines()]
    while lines and not lines[-1]:
        lines.pop()
    return lines


def _others(group: GroupLogs, glyphs: Glyphs) -> list[Text]:
    """Skipped targets, and workers that no deployment targeted."""
    lines = []
    skipped = [sanitize(t.instance_id) for t in group.targets if t.status is TargetStatus.SKIPPED]
    if skipped:
        lines.append(Text(f"{_INDENT}skipped: {list_some(skipped, most=MAX_SKIPPED)}"))
    for worker in group.elsewhere[:MAX_TARGETS]:
        cause = sanitize(worker.cause or worker.verdict.value)
        lines.append(
            Text(_INDENT).append(sanitize(worker.instance_id), STRONG).append(f"  {cause}; not targeted")
        )
    more = len(group.elsewhere) - MAX_TARGETS
    if more > 0:
        lines.append(styled(f"{_INDENT}{glyphs.ellipsis} and {count(more, 'more worker')}", REST))
    return lines


def logs_json(found: ReleaseLogs) -> dict[str, Any]:
    """Every failed or skipped target of these groups, with CodeDeploy's lifecycle events."""
    return {
        "schema": LOGS_SCHEMA,
        "release_id": found.record.release_id,
        **record_json(found.record),
        "groups": [_group_json(group) for group in found.groups],
        "other_groups": found.others,
    }


def _group_json(group: GroupLogs) -> dict[str, Any]:
    events = ("instance_id", "deployment_id", "status", "updated_at", "events")
    return {
        **json_fields(group, "group", "version"),
        **json_fields(group.outcome, "verdict", "reason"),
        "deployment_id": group.deployment_id,
        **json_fields(group.deployment, "status", "error_code", "error_message"),
        "unread": group.unread,
        "targets": [json_fields(target, *events) for target in group.targets],
        "not_targeted": json_value(group.elsewhere),
    }
