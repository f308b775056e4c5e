"""A worker's or a group's events in order of time, each with its source and one line of text."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from deployctl.model.deployment import LifecycleEvent, Target, TargetStatus
from deployctl.model.fleet import TAG_DEPLOYED_AT, TAG_GROUP, TAG_RELEASE, Activity, Instance
from deployctl.model.timeline import DeploymentAttempt, GroupTimeline, ReleaseResult, WorkerTimeline
from deployctl.model.verdict import Verdict, WorkerVerdict
from deployctl.report.formatting import duration, sanitize, seconds_between

LOG_LINES = 5
_QUIET = ("Pending", "Skipped")


@dataclass(frozen=True, slots=True, kw_only=True)
class TimelineEntry:
    """`source` is the service that reports the event; `details` are further lines, such as a log's last ones."""

    at: datetime
    source: str
    what: str
    details: tuple[str, ...] = ()
    is_bad: bool = False


def worker_timeline(worker: WorkerTimeline) -> list[TimelineEntry]:
    """Launch, scaling activities, deployments with their lifecycle events, releases and tags, oldest first."""
    entries = [
        *_launch(worker),
        *(_activity(a) for a in worker.activities),
        *(_attempt(a) for a in worker.attempts if a.target is not None or not a.is_partial),
        *(entry for result in worker.passages for entry in _release(result)),
        *_tag(worker.instance, is_confirmed=worker.has_tag_of_its_release),
    ]
    return sorted(entries, key=lambda entry: entry.at)


def group_timeline(group: GroupTimeline) -> list[TimelineEntry]:
    """Deployments and releases, oldest first; of the deployments to new instances only the failed ones."""
    attempts = [a for a in group.attempts if a.deployment.creator != "autoscaling" or _has_failed(a)]
    releases = (entry for result in group.passages for entry in _release(result))
    return sorted([*map(_deployment, attempts), *releases], key=lambda entry: entry.at)


def _has_failed(attempt: DeploymentAttempt) -> bool:
    return attempt.deployment.status.value in ("Failed", "Stopped")


def _launch(worker: WorkerTimeline) -> Iterator[TimelineEntry]:
    instance = worker.instance
    # Auto Scaling reports the launch too, with its cause.
    if not any(a.description.startswith("Launching") for a in worker.activities):
        kind = "spot instance" if instance.is_spot else "instance"
        where = f" in {sanitize(instance.asg)}" if instance.asg else ""
        yield TimelineEntry(at=instance.launched_at, source="EC2", what=f"launched as a {kind}{where}")


def _activity(activity: Activity) -> TimelineEntry:
    # The instance's id follows the colon; the reader knows it.
    what = sanitize(activity.description.split(":")[0])
    bad = activity.status in ("Cancelled", "Failed")
    message = (sanitize(activity.message),) if activity.message else ()
    return TimelineEntry(
        at=activity.began_at,
        source="Auto Scaling",
        what=f"{what}{f' ({activity.status})' if bad else ''}",
        details=(sanitize(activity.cause), *message),
        is_bad=bad,
    )


def _named(attempt: DeploymentAttempt) -> str:
    """`v2 by r-1, d-ABC`: version, release or creator, deployment id."""
    version = sanitize(attempt.version or "another revision")
    creator = sanitize(attempt.release or attempt.deployment.creator)
    return f"{version} by {creator}, {attempt.deployment.deployment_id}"


def _attempt(attempt: DeploymentAttempt) -> TimelineEntry:
    """One deployment's result on this worker."""
    target = attempt.target
    result = target.status.value if target else "worker not targeted"
    if target is None or target.status is TargetStatus.SKIPPED:
        result += f"; the deployment {_status(attempt)}"
    return TimelineEntry(
        at=attempt.deployment.created_at,
        source="CodeDeploy",
        what=f"{_named(attempt)}: {result}",
        details=(*_description(attempt), *(_events(target) if target else ())),
        is_bad=target is not None and target.status in (TargetStatus.FAILED, TargetStatus.SKIPPED),
    )


def _description(attempt: DeploymentAttempt) -> Iterator[str]:
    """The description of a deployment that deployctl did not create: the best clue to its creator."""
    description = sanitize(attempt.deployment.description)
    if attempt.release is None and attempt.deployment.creator == "user" and description:
        yield f"description: {description}"


def _status(attempt: DeploymentAttempt) -> str:
    deployment = attempt.deployment
    code = f" ({deployment.error_code})" if deployment.error_code else ""
    return f"{deployment.status.value}{code}"


def _events(target: Target) -> Iterator[str]:
    """The succeeded events on one line, with their durations; then each other event with its error."""
    begun = [e for e in target.events if e.status not in _QUIET]
    good = [e for e in begun if e.status == "Succeeded"]
    if good:
        yield f"succeeded: {', '.join(f'{e.name}{_took(e)}' for e in good)}"
    for event in begun:
        if event.status != "Succeeded":
            began = f" at {event.started_at:%H:%M:%S}" if event.started_at else ""
            code = f", {event.error_code}" if event.error_code else ""
            yield f"{event.name}: {event.status}{code}{_took(event)}{began}"
            yield from _failure(event)


def _took(event: LifecycleEvent) -> str:
    seconds = seconds_between(event.started_at, event.ended_at)
    return "" if seconds is None or seconds < 1 else f" {duration(seconds)}"


def _failure(event: LifecycleEvent) -> Iterator[str]:
    """The script, the agent's message, and the last lines of the log."""
    if event.script:
        yield f"  script {sanitize(event.script)}"
    if event.message:
        yield f"  {sanitize(event.message)}"
    lines = [sanitize(line) for line in (event.log_tail or "").splitlines() if line.strip()]
    yield from (f"  log: {line}" for line in lines[-LOG_LINES:])


def _deployment(attempt: DeploymentAttempt) -> TimelineEntry:
    deployment, counts = attempt.deployment, attempt.deployment.counts
    parts = [
        (counts.succeeded, "succeeded"),
        (counts.failed, "failed"),
        (counts.skipped, "skipped"),
        (counts.in_progress, "in progress"),
        (counts.pending, "pending"),
    ]
    workers = ", ".join(f"{number} {word}" for number, word in parts if number)
    message = (sanitize(deployment.error_message),) if deployment.error_message else ()
    return TimelineEntry(
        at=deployment.created_at,
        source="CodeDeploy",
        what=f"{_named(attempt)}: {_status(attempt)}{f'; {workers}' if workers else ''}",
        details=(*_description(attempt), *message),
        is_bad=_has_failed(attempt),
    )


def _release(result: ReleaseResult) -> Iterator[TimelineEntry]:
    name = f"{result.kind.value} {result.release} of {sanitize(result.version)}"
    started = f"{name} started by {sanitize(result.actor)}"
    yield TimelineEntry(at=result.began_at, source="deployctl", what=started)
    verdict, worker = result.verdict, result.worker
    if result.ended_at is None and verdict is not Verdict.NOT_STARTED:
        return
    reason = f": {sanitize(result.reason)}" if result.reason else ""
    details: tuple[str, ...] = ()
    if worker is not None and worker.verdict is not WorkerVerdict.VERIFIED:
        # The group's reason may already quote this worker's cause.
        is_new = worker.cause is not None and worker.cause not in (result.reason or "")
        cause = f": {sanitize(worker.cause)}" if worker.cause is not None and is_new else ""
        details = (f"this worker: {worker.verdict.value}{cause}",)
    yield TimelineEntry(
        at=result.ended_at or result.began_at,
        source="deployctl",
        what=f"{name}: {verdict.value} in the group{reason}",
        details=details,
        is_bad=not verdict.is_acceptable,
    )


def release_tag(release: str, *, is_confirmed: bool) -> str:
    """Unconfirmed: the worker's other tags show that the release tag is outdated."""
    name = sanitize(release)
    return f"tagged by {name}" if is_confirmed else f"the release tag still names {name}"


def _tag(instance: Instance, *, is_confirmed: bool) -> Iterator[TimelineEntry]:
    """The deployment that the instance's tags record, if they have a valid time."""
    try:
        at = datetime.fromisoformat(instance.tags.get(TAG_DEPLOYED_AT, ""))
    except ValueError:
        return
    if at.tzinfo is None:
        return
    group, release = instance.tags.get(TAG_GROUP), instance.tags.get(TAG_RELEASE)
    of = f" for {sanitize(group)}" if group else ""
    by = f", {release_tag(release, is_confirmed=is_confirmed)}" if release else ""
    version = sanitize(instance.version or "no version")
    yield TimelineEntry(at=at, source="tags", what=f"{version}{of} deployed{by}")
