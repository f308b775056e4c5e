"""A release as plain lines, for where there is no terminal: one line an event, nothing said twice."""

from __future__ import annotations

from datetime import datetime

from deployctl.execute.release_state import GroupState, ReleaseState
from deployctl.model.deployment import Target, TargetStatus
from deployctl.model.event import (
    Event,
    GroupFinished,
    GroupProgressed,
    GroupStarted,
    GroupWaiting,
    ReleaseFinished,
    ReleaseStarted,
    StatusMessage,
    StopRequested,
    WarningRaised,
    WaveBaking,
    WaveStarted,
    WorkersTagged,
)
from deployctl.model.names import GroupName
from deployctl.model.release import ReleaseOutcome, ReleasePlan
from deployctl.model.verdict import Verdict
from deployctl.report.board_header import release_name
from deployctl.report.board_model import queued_behind
from deployctl.report.formatting import clock_time, count, sanitize
from deployctl.report.github_commands import annotation, escape_commands
from deployctl.report.group_progress import Progress, progress, target_facts
from deployctl.report.release_summary import verdict_line
from deployctl.report.stopping import stop_request_text

_ERRORS = (Verdict.FAILED, Verdict.STOPPED, Verdict.UNKNOWN, Verdict.BUSY)
# Of a group that was left out the group that is why has its own annotation.
_UNANNOTATED = (Verdict.VERIFIED, Verdict.EMPTY, Verdict.NOT_STARTED, Verdict.SUPERSEDED)


def event_lines(
    before: ReleaseState | None, event: Event, after: ReleaseState, *, github: bool = False
) -> list[str]:
    """What `event` adds to the log, given the states around it: no line where it changed nothing to be seen.

    Each begins with the UTC time and the group (or `release`), two spaces between its parts. `github` adds
    annotations of failed groups and of warnings for GitHub Actions.
    """
    plain = _lines(before, event, after)
    return [*map(escape_commands, plain), *_annotations(event, after)] if github else plain


def _lines(before: ReleaseState | None, event: Event, after: ReleaseState) -> list[str]:
    match event:
        case StatusMessage():
            return [preparing_line(event)]
        case ReleaseStarted():
            return [_line(event.at, "release", sanitize(event.plan.release_id), _started(event))]
        case WaveStarted():
            return [_line(event.at, "release", wave_words(event, after.plan))] if _has_waves(after) else []
        case WaveBaking():
            which = f"wave {event.number}, " if _has_waves(after) else ""
            return [_line(event.at, "release", f"{which}baking until {clock_time(event.until)}")]
        case StopRequested():
            return [_line(event.at, "release", stop_request_text(event.request))]
        case WorkersTagged():
            return [_line(event.at, "release", f"{count(len(event.instance_ids), 'worker')} tagged")]
        case WarningRaised():
            return [
                _line(event.at, sanitize(event.group or "release"), f"warning: {sanitize(event.message)}")
            ]
        case ReleaseFinished():
            return [_line(event.at, "release", line) for line in _verdicts(event.outcome)]
        case GroupFinished():
            return _of_group(before, event, after, event.outcome.group)
        case _:
            return _of_group(before, event, after, event.group)


def _verdicts(outcome: ReleaseOutcome) -> list[str]:
    """The rollback's, where there was one, and then the release's."""
    back = [verdict_line(outcome.rollback)] if outcome.rollback is not None else []
    return [*back, verdict_line(outcome)]


def _has_waves(state: ReleaseState) -> bool:
    return len(state.plan.waves) > 1


def wave_words(event: WaveStarted, plan: ReleasePlan) -> str:
    """`wave 1 of 3: 12 groups, 72 workers`; of the only wave its size alone."""
    wave = plan.waves[event.number - 1] if event.number <= len(plan.waves) else ()
    workers = sum(len(group.workers) for group in wave)
    whole = f"{count(len(wave), 'group')}, {count(workers, 'worker')}"
    return f"wave {event.number} of {len(plan.waves)}: {whole}" if len(plan.waves) > 1 else whole


def _of_group(
    before: ReleaseState | None,
    event: GroupStarted | GroupWaiting | GroupProgressed | GroupFinished,
    after: ReleaseState,
    name: GroupName,
) -> list[str]:
    group = after.groups.get(name)
    if group is None:
        return []
    last = before.groups.get(name) if before is not None else None
    if isinstance(event, GroupProgressed):
        return _moved(last, event, group)
    said = _said(event, group)
    # A group that stays queued behind the same deployment is named once.
    if isinstance(event, GroupWaiting) and last is not None and last.behind == event.behind:
        return []
    return [_line(event.at, sanitize(name), *_id(group), said)]


def _said(event: GroupStarted | GroupWaiting | GroupFinished, group: GroupState) -> str:
    match event:
        case GroupWaiting():
            return f"queued behind {queued_behind(group)}"
        case GroupStarted():
            verb = "adopted" if event.adopted else "started"
            return f"{verb}, {count(len(group.plan.workers), 'worker')}, strategy {group.plan.strategy}"
        case GroupFinished():
            reason = f": {sanitize(event.outcome.reason)}" if event.outcome.reason else ""
            return f"{event.outcome.verdict.value}, {_counts(progress(group))}{reason}"


def _moved(last: GroupState | None, event: GroupProgressed, group: GroupState) -> list[str]:
    """The counts, where they changed, and each worker that has newly failed, with its reason."""
    found = []
    if last is None or progress(last) != progress(group):
        found.append(_line(event.at, sanitize(event.group), *_id(group), _counts(progress(group))))
    known = last.targets if last is not None else {}
    for instance_id, target in sorted(event.targets.items()):
        then = known.get(instance_id)
        if target.status is TargetStatus.FAILED and (then is None or then.status is not TargetStatus.FAILED):
            found.append(_line(event.at, sanitize(event.group), *_id(group), _worker_failed(target)))
    return found


def _worker_failed(target: Target) -> str:
    why = target_facts(target)
    log = f": {why.log}" if why.log else ""
    verb = " failed:" if target.has_failed_event or target.failed_or_last_event is None else ""
    return f"{sanitize(target.instance_id)}{verb} {why.facts}{log}"


def _counts(at: Progress) -> str:
    moving = f", {at.moving} in progress" if at.moving else ""
    bad = f", {at.bad} failed" if at.bad else ""
    return f"{at.done}/{count(at.total, 'worker')}{moving}{bad}"


def _started(event: ReleaseStarted) -> str:
    plan = event.plan
    workers = sum(len(group.workers) for group in plan.groups)
    goes_on = ", going on with it" if plan.resumes else ""
    undoes = f", undoes {sanitize(plan.undoes)}" if plan.undoes else ""
    return (
        f"{release_name(plan)} of {sanitize(plan.application)}"
        f" to {count(len(plan.groups), 'group')}, {count(workers, 'worker')}{undoes}{goes_on}"
    )


def _id(group: GroupState) -> tuple[str, ...]:
    return (sanitize(group.deployment_id),) if group.deployment_id else ()


def preparing_line(event: StatusMessage) -> str:
    """The line of something done before there is a state."""
    return _line(event.at, "release", sanitize(event.what))


def _line(at: datetime, *parts: str) -> str:
    time, rest = clock_time(at), "  ".join(parts)
    return f"{time} {rest}"


def _annotations(event: Event, after: ReleaseState) -> list[str]:
    version = release_name(after.plan)
    match event:
        case StopRequested():
            return [annotation("error", stop_request_text(event.request), title=f"{version} is stopped")]
        case GroupFinished(outcome=outcome) if outcome.verdict is Verdict.STOPPED and after.stop is not None:
            return []  # of all of them the stop that was asked for has told
        case GroupFinished(outcome=outcome) if outcome.verdict not in _UNANNOTATED:
            level = "error" if outcome.verdict in _ERRORS else "warning"
            title = f"{version} {outcome.verdict.value} on {sanitize(outcome.group)}"
            return [annotation(level, sanitize(outcome.reason or title), title=title)]
        case WarningRaised():
            return [annotation("warning", sanitize(event.message), title=sanitize(event.group or version))]
        case _:
            return []
