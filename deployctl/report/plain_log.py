"""A release as plain lines, for output without a terminal: one line per event, and no line twice."""

from collections.abc import Collection
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
from deployctl.model.release import GroupPlan, ReleasePlan
from deployctl.model.verdict import Verdict
from deployctl.report.board_header import built_from, plan_name
from deployctl.report.board_model import queued_behind
from deployctl.report.formatting import clock_time, count, sanitize, stop_request_text
from deployctl.report.group_progress import Progress, progress, target_facts
from deployctl.report.release_summary import verdict_line
from deployctl.report.runner_commands import RunnerCommand, defuse

_ERRORS = (Verdict.FAILED, Verdict.STOPPED, Verdict.UNKNOWN, Verdict.BUSY)
# A skipped group needs none: the group that caused the skip has its own annotation.
_UNANNOTATED = (Verdict.VERIFIED, Verdict.EMPTY, Verdict.NOT_STARTED, Verdict.SUPERSEDED)


def event_lines(
    before: ReleaseState | None, event: Event, after: ReleaseState, *, github: bool = False
) -> list[str]:
    """The lines that `event` adds to the log, given the states before and after; none if nothing visible changed.

    A line begins with the UTC time and the group (or `release`); two spaces separate its parts. `github` adds
    annotations for failed groups and warnings.
    """
    plain = _lines(before, event, after)
    return [*plain, *_annotations(event, after)] if github else plain


def _lines(before: ReleaseState | None, event: Event, after: ReleaseState) -> list[str]:
    match event:
        case StatusMessage():
            return [preparing_line(event)]
        case ReleaseStarted():
            return [_line(event.at, "release", sanitize(event.plan.release_id), _started(event))]
        case WaveStarted():
            return [_line(event.at, "release", wave_text(event, after.plan))] if _has_waves(after) else []
        case WaveBaking():
            which = f"wave {event.number}, " if _has_waves(after) else ""
            return [_line(event.at, "release", f"{which}baking until {clock_time(event.until)}")]
        case StopRequested():
            return [_line(event.at, "release", stop_request_text(event.request))]
        case WorkersTagged():
            return [_line(event.at, "release", f"{count(len(event.instance_ids), 'worker')} tagged")]
        case WarningRaised():
            warning = f"warning: {sanitize(event.message)}"
            return [_line(event.at, sanitize(event.group or "release"), warning)]
        case ReleaseFinished(outcome=outcome):
            rollback = [outcome.rollback] if outcome.rollback is not None else []
            return [_line(event.at, "release", verdict_line(each)) for each in (*rollback, outcome)]
        case GroupFinished():
            return _group_lines(before, event, after, event.outcome.group)
        case _:
            return _group_lines(before, event, after, event.group)


def _has_waves(state: ReleaseState) -> bool:
    return len(state.plan.waves) > 1


def wave_text(event: WaveStarted, plan: ReleasePlan) -> str:
    """`wave 1 of 3: 12 groups, 72 workers`; for a single wave only its size."""
    wave = plan.waves[event.number - 1] if event.number <= len(plan.waves) else ()
    size = group_counts(wave)
    return f"wave {event.number} of {len(plan.waves)}: {size}" if len(plan.waves) > 1 else size


def group_counts(groups: Collection[GroupPlan]) -> str:
    """`12 groups, 72 workers`."""
    workers = sum(len(group.workers) for group in groups)
    return f"{count(len(groups), 'group')}, {count(workers, 'worker')}"


def _group_lines(
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
        return _progress_lines(last, event, group)
    match event:
        case GroupWaiting() if last is not None and last.behind == event.behind:
            return []  # one line is enough while a group stays queued behind the same deployment
        case GroupWaiting():
            what = f"queued behind {queued_behind(group)}"
        case GroupStarted():
            verb = "adopted" if event.adopted else "started"
            what = f"{verb}, {count(len(group.plan.workers), 'worker')}, strategy {group.plan.strategy}"
        case GroupFinished():
            reason = f": {sanitize(event.outcome.reason)}" if event.outcome.reason else ""
            what = f"{event.outcome.verdict.value}, {_counts(progress(group))}{reason}"
    return [_line(event.at, sanitize(name), *_id(group), what)]


def _progress_lines(last: GroupState | None, event: GroupProgressed, group: GroupState) -> list[str]:
    """The counts if they changed, and each newly failed worker with its reason."""
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
    verb = " failed:" if target.has_failed_event or target.failed_or_last_event is None else ""
    return f"{sanitize(target.instance_id)}{verb} {why}"


def _counts(progress: Progress) -> str:
    moving = f", {progress.moving} in progress" if progress.moving else ""
    bad = f", {progress.bad} failed" if progress.bad else ""
    return f"{progress.done}/{count(progress.total, 'worker')}{moving}{bad}"


def _started(event: ReleaseStarted) -> str:
    plan = event.plan
    resumed = ", resumed" if plan.resumes else ""
    undoes = f", undoes {sanitize(plan.undoes)}" if plan.undoes else ""
    name = f"{plan_name(plan)} of {sanitize(plan.application)}"
    built = built_from(plan)
    source = f", built from {built}" if built else ""
    return f"{name} to {group_counts(plan.groups)}{undoes}{resumed}{source}"


def _id(group: GroupState) -> tuple[str, ...]:
    return (sanitize(group.deployment_id),) if group.deployment_id else ()


def preparing_line(event: StatusMessage) -> str:
    """The line for a step taken before the release has a state."""
    return _line(event.at, "release", sanitize(event.what))


def _line(at: datetime, *parts: str) -> str:
    return f"{clock_time(at)} {'  '.join(parts)}"


def _annotations(event: Event, after: ReleaseState) -> list[str]:
    version = plan_name(after.plan)
    match event:
        case StopRequested():
            return [annotation("error", stop_request_text(event.request), title=f"stopping {version}")]
        case GroupFinished(outcome=outcome) if outcome.verdict is Verdict.STOPPED and after.stop is not None:
            return []  # the stop request has its own annotation
        case GroupFinished(outcome=outcome) if outcome.verdict not in _UNANNOTATED:
            level = "error" if outcome.verdict in _ERRORS else "warning"
            title = f"{version} {outcome.verdict.value} on {sanitize(outcome.group)}"
            return [annotation(level, sanitize(outcome.reason or title), title=title)]
        case WarningRaised():
            return [annotation("warning", sanitize(event.message), title=sanitize(event.group or version))]
        case _:
            return []


def annotation(level: str, message: str, *, title: str) -> RunnerCommand:
    """`::error title=…::message`; `level` is `error`, `warning` or `notice`."""
    named = _data(title).replace(":", "%3A").replace(",", "%2C")
    return RunnerCommand(f"::{level} title={named}::{_data(message)}")


def group_begins(title: str) -> RunnerCommand:
    """Fold the following lines under this title, until the group's end or the next group."""
    return RunnerCommand(f"::group::{_data(title)}")


GROUP_ENDS = RunnerCommand("::endgroup::")


def _data(text: str) -> str:
    return defuse(text).replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


class CiLog:
    """Turns events into lines. Under GitHub each wave and each bake time is a group that can be folded."""

    def __init__(self, *, github: bool = False) -> None:
        self._github = github
        self._is_open = False

    def lines(self, before: ReleaseState | None, event: Event, after: ReleaseState) -> list[str]:
        lines = event_lines(before, event, after, github=self._github)
        if not self._github:
            return lines
        match event:
            case WaveStarted():
                name = f"{plan_name(after.plan)} of {sanitize(after.plan.application)}"
                return [*self._open(f"{name}: {wave_text(event, after.plan)}"), *lines]
            case WaveBaking():
                return [*self._open(f"wave {event.number} bakes until {clock_time(event.until)}"), *lines]
            case ReleaseStarted() | ReleaseFinished():
                # The release's own result must not be folded away.
                return [*self.close(), *lines]
            case _:
                return lines

    def _open(self, title: str) -> list[str]:
        closing = self.close()
        self._is_open = True
        return [*closing, group_begins(title)]

    def close(self) -> list[str]:
        """The line that ends the open group, if there is one."""
        if not self._is_open:
            return []
        self._is_open = False
        return [GROUP_ENDS]
