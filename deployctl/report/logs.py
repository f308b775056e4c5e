"""`deployctl logs`: the targets that failed, event by event, with the script's own last words.

What a script printed is hostile until shown otherwise: it may hold escape sequences, lines of megabytes, or bytes
that were never text. Only its end is shown, line by line, and each line cleaned.
"""

from __future__ import annotations

from rich.text import Text

from deployctl.model.deployment import LifecycleEvent, Target, TargetStatus
from deployctl.model.release_record import GroupLogs, ReleaseLogs, ReleaseRecord
from deployctl.model.verdict import Verdict
from deployctl.report.formatting import count, duration, list_some, moment, sanitize
from deployctl.report.group_progress import target_facts
from deployctl.report.reconcile_group import wrapped
from deployctl.report.style import BAD, BUSY, GOOD, REST, STRONG, Glyphs, styled
from deployctl.report.table import Column, lay_out_columns

#: CodeDeploy keeps 4 KB of a script's output; what is longer did not come from it.
LOG_CHARS = 4_096
MAX_TARGETS = 10
MAX_SKIPPED = 5
# A table of events is as wide as it is; only a log's line can be longer than the terminal.
_WIDE = 1_000
_INDENT = "  "
_DEEP = "    "
_EVENTS = (
    Column(head="event"),
    Column(head="status"),
    Column(head="took", right=True),
    Column(head="error"),
    Column(head="script", longest=60),
)


def logs_lines(found: ReleaseLogs, *, columns: int | None, glyphs: Glyphs) -> list[Text]:
    """Each group with its failed targets. `columns` folds what is longer, None leaves it whole (for pipes)."""
    lines = _head(found.record)
    for group in found.groups:
        lines += [Text(), *_group(group, found.record, glyphs)]
    if not found.groups:
        lines.append(Text(f"nothing failed in {_of_its(found)}"))
    elif found.others:
        lines += [Text(), styled(f"nothing to read of {count(found.others, 'other group')}", REST)]
    return lines if columns is None else [part for line in lines for part in _folded(line, columns)]


def _of_its(found: ReleaseLogs) -> str:
    verdict = found.record.verdict
    so_far = "" if verdict is not None else " so far"
    return f"its {count(found.others, 'group')}{so_far}"


def _folded(line: Text, columns: int) -> list[Text]:
    """A long line over several, each as far in as the first."""
    if line.cell_len <= columns:
        return [line]
    bare = line.plain.lstrip(" │|")
    depth = min(len(line.plain) - len(bare), columns // 2)
    first, *more = wrapped(line[depth:], columns - depth)
    return [line[:depth].append(first), *(line[:depth].append(part) for part in more)]


def _head(record: ReleaseRecord) -> list[Text]:
    word = record.verdict.value if record.verdict else "not over"
    by = f" by {sanitize(record.intent.actor)}" if record.intent else ""
    kind = record.intent.kind.value if record.intent else "release"
    text = styled(f"{kind} {sanitize(record.release_id)} of {sanitize(record.version)}: ", STRONG)
    text.append(word, _style(record.verdict)).append(f"; began {moment(record.began_at)}{by}", REST)
    return [text]


def _style(verdict: Verdict | None) -> str:
    if verdict in (None, Verdict.RUNNING):
        return BUSY
    return GOOD if verdict is not None and verdict.is_verified else BAD


def _group(group: GroupLogs, record: ReleaseRecord, glyphs: Glyphs) -> list[Text]:
    verdict = group.outcome.verdict if group.outcome else None
    style = _style(verdict)
    mark = glyphs.held if style == GOOD else glyphs.running if style == BUSY else glyphs.failed
    head = styled(f"{mark} ", style).append(sanitize(group.group), STRONG)
    head.append(f"  {verdict.value if verdict else 'no verdict yet'}", style)
    if group.version != record.version:
        head.append(f"  {sanitize(group.version)}")
    head.append(f"  {sanitize(group.deployment_id)}" if group.deployment_id else "", REST)
    lines = [head, *_said(group)]
    own = [t for t in group.targets if t.status is not TargetStatus.SKIPPED]
    for target in own[:MAX_TARGETS]:
        lines += _target(target, glyphs)
    if len(own) > MAX_TARGETS:
        more = f"and {count(len(own) - MAX_TARGETS, 'failed target')} more; all of them are in --json"
        lines.append(styled(f"{_INDENT}{glyphs.ellipsis} {more}", REST))
    return [*lines, *_others(group, glyphs)]


def _said(group: GroupLogs) -> list[Text]:
    """Why the group failed where no target says it itself, CodeDeploy's word, and why something is not read."""
    said = []
    told = any(target.has_failed_event for target in group.targets)
    if group.outcome is not None and group.outcome.reason and not told:
        said.append(Text(f"{_INDENT}{sanitize(group.outcome.reason)}"))
    deployment = group.deployment
    if deployment is not None and deployment.error_code:
        message = f": {sanitize(deployment.error_message)}" if deployment.error_message else ""
        said.append(Text(f"{_INDENT}CodeDeploy says {sanitize(deployment.error_code)}{message}"))
    if group.unread is not None:
        said.append(styled(f"{_INDENT}not read: {sanitize(group.unread)}", BUSY))
    elif not group.targets and not group.elsewhere:
        said.append(styled(f"{_INDENT}no failed target", REST))
    return said


def _target(target: Target, glyphs: Glyphs) -> list[Text]:
    facts = target_facts(target).facts
    head = Text(_INDENT).append(sanitize(target.instance_id), STRONG).append(f"  {facts}", BAD)
    # Once one event failed the rest is skipped, which says nothing.
    events = [_event(e) for e in target.events if e.status not in ("Pending", "Skipped")]
    table = lay_out_columns(_EVENTS, events, width=_WIDE, glyphs=glyphs) if events else []
    lines = [head, *(Text(_DEEP).append(line) for line in table)]
    culprit = target.failed_or_last_event
    if culprit is None:
        return lines
    if culprit.message and not culprit.log_tail:
        lines.append(Text(f"{_DEEP}{sanitize(culprit.message)}"))
    bar = "│" if glyphs.arrow == "→" else "|"
    return [*lines, *(styled(f"{_DEEP}{bar} ", REST).append(line) for line in log_lines(culprit.log_tail))]


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
    if event.started_at is None or event.ended_at is None:
        return ""
    seconds = (event.ended_at - event.started_at).total_seconds()
    return f"{max(seconds, 0.0):.1f}s" if seconds < 10 else duration(seconds)


def log_lines(tail: str | None) -> list[str]:
    """The last 4 KB of what a script printed, each line printable and without blanks at its end."""
    text = (tail or "")[-LOG_CHARS:]
    lines = [sanitize(line.expandtabs(4)).rstrip() for line in text.splitlines()]
    while lines and not lines[-1]:
        lines.pop()
    return lines


def _others(group: GroupLogs, glyphs: Glyphs) -> list[Text]:
    """Targets that were skipped, and workers that no deployment had among its targets."""
    lines = []
    skipped = [sanitize(t.instance_id) for t in group.targets if t.status is TargetStatus.SKIPPED]
    if skipped:
        lines.append(Text(f"{_INDENT}skipped: {list_some(skipped, most=MAX_SKIPPED)}"))
    for worker in group.elsewhere[:MAX_TARGETS]:
        cause = sanitize(worker.cause or worker.verdict.value)
        lines.append(
            Text(_INDENT).append(sanitize(worker.instance_id), STRONG).append(f"  {cause}; no target")
        )
    more = len(group.elsewhere) - MAX_TARGETS
    if more > 0:
        lines.append(styled(f"{_INDENT}{glyphs.ellipsis} and {count(more, 'worker')} more", REST))
    return lines
