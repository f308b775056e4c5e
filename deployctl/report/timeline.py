"""A worker's or a group's facts in order of time, each in one line of words and who says so."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from deployctl.model.deployment import LifecycleEvent, Target, TargetStatus
from deployctl.model.fleet import TAG_DEPLOYED_AT, TAG_GROUP, TAG_RELEASE, Activity, Instance
from deployctl.model.timeline import DeploymentAttempt, GroupTimeline, ReleaseResult, WorkerTimeline
from deployctl.model.verdict import Verdict, WorkerVerdict
from deployctl.report.formatting import duration, sanitize

LOG_LINES = 5
_QUIET = ("Pending", "Skipped")


@dataclass(frozen=True, slots=True, kw_only=True)
class TimelineEntry:
    """`who` is the witness, in a word or two; `details` are further lines, such as a log's last ones."""

    at: datetime
    who: str
    what: str
    details: tuple[str, ...] = ()
    is_bad: bool = False


def worker_timeline(story: WorkerTimeline) -> list[TimelineEntry]:
    """Launch, scaling activities, deployments with their lifecycle events, releases and tags, oldest first."""
    found = [
        *_launch(story),
        *(_activity(a) for a in story.activities),
        *(_attempt(a) for a in story.attempts if a.target is not None or not a.is_partial),
        *(m for p in story.passages for m in _passage(p)),
        *_tag(story.instance, is_confirmed=story.has_tag_of_its_release),
    ]
    return sorted(found, key=lambda m: m.at)


def moments_of_group(story: GroupTimeline) -> list[TimelineEntry]:
    """Deployments and releases, oldest first. Of those at launches only what failed."""
    telling = [a for a in story.attempts if a.deployment.creator != "autoscaling" or _went_wrong(a)]
    found = [*(_deployment(a) for a in telling), *(m for p in story.passages for m in _passage(p))]
    return sorted(found, key=lambda m: m.at)


def _went_wrong(attempt: DeploymentAttempt) -> bool:
    return attempt.deployment.status.value in ("Failed", "Stopped")


def _launch(story: WorkerTimeline) -> Iterator[TimelineEntry]:
    instance = story.instance
    # Auto Scaling tells of a launch too, and says why.
    if not any(a.description.startswith("Launching") for a in story.activities):
        kind = "spot instance" if instance.is_spot else "instance"
        where = f" in {sanitize(instance.asg)}" if instance.asg else ""
        yield TimelineEntry(at=instance.launched_at, who="EC2", what=f"launched as a {kind}{where}")


def _activity(activity: Activity) -> TimelineEntry:
    # The sentence that says why follows the instance's name, which the reader knows.
    what = sanitize(activity.description.split(":")[0])
    bad = activity.status in ("Cancelled", "Failed")
    message = (sanitize(activity.message),) if activity.message else ()
    return TimelineEntry(
        at=activity.began_at,
        who="Auto Scaling",
        what=f"{what}{f' ({activity.status})' if bad else ''}",
        details=(sanitize(activity.cause), *message),
        is_bad=bad,
    )


def _named(attempt: DeploymentAttempt) -> str:
    """`v2 by r-1, d-ABC`: what it brought and whose it was."""
    whose = attempt.release or attempt.deployment.creator
    version = sanitize(attempt.version or "another revision")
    return f"{version} by {sanitize(whose)}, {attempt.deployment.deployment_id}"


def _attempt(attempt: DeploymentAttempt) -> TimelineEntry:
    """One deployment, as it went on this worker."""
    target, deployment = attempt.target, attempt.deployment
    if target is None:
        return TimelineEntry(
            at=deployment.created_at,
            who="CodeDeploy",
            what=f"{_named(attempt)}: not among its targets; the deployment {_ended(attempt)}",
            details=tuple(_said(attempt)),
        )
    bad = target.status is TargetStatus.FAILED
    words = f"{_named(attempt)}: {target.status.value}"
    if target.status is TargetStatus.SKIPPED:
        words += f", as the deployment {_ended(attempt)}"
    return TimelineEntry(
        at=deployment.created_at,
        who="CodeDeploy",
        what=words,
        details=(*_said(attempt), *_events(target)),
        is_bad=bad or target.status is TargetStatus.SKIPPED,
    )


def _said(attempt: DeploymentAttempt) -> Iterator[str]:
    """What whoever made a deployment that is not deployctl's wrote of it: mostly the best clue to who that was."""
    description = sanitize(attempt.deployment.description)
    if attempt.release is None and attempt.deployment.creator == "user" and description:
        yield f"described as: {description}"


def _ended(attempt: DeploymentAttempt) -> str:
    deployment = attempt.deployment
    code = f" ({deployment.error_code})" if deployment.error_code else ""
    return f"{deployment.status.value}{code}"


def _events(target: Target) -> Iterator[str]:
    """Those that succeeded in one line, with how long each took; then any other, and why it failed."""
    begun = [e for e in target.events if e.status not in _QUIET]
    good = [e for e in begun if e.status == "Succeeded"]
    if good:
        yield f"succeeded: {', '.join(f'{e.name}{_took(e)}' for e in good)}"
    for event in begun:
        if event.status != "Succeeded":
            began = f" at {event.started_at:%H:%M:%S}" if event.started_at else ""
            code = f", {event.error_code}" if event.error_code else ""
            yield f"{event.name}: {event.status}{code}{_took(event)}{began}"
            yield from _why(event)


def _took(event: LifecycleEvent) -> str:
    if event.started_at is None or event.ended_at is None:
        return ""
    seconds = (event.ended_at - event.started_at).total_seconds()
    return f" {duration(seconds)}" if seconds >= 1 else ""


def _why(event: LifecycleEvent) -> Iterator[str]:
    """The script, what the agent says, and the last lines of its log."""
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
        (counts.in_progress, "at work"),
        (counts.pending, "pending"),
    ]
    workers = ", ".join(f"{number} {word}" for number, word in parts if number)
    message = (sanitize(deployment.error_message),) if deployment.error_message else ()
    return TimelineEntry(
        at=deployment.created_at,
        who="CodeDeploy",
        what=f"{_named(attempt)}: {_ended(attempt)}{f'; {workers}' if workers else ''}",
        details=(*_said(attempt), *message),
        is_bad=_went_wrong(attempt),
    )


def _passage(passage: ReleaseResult) -> Iterator[TimelineEntry]:
    name = f"{passage.kind.value} {passage.release} of {sanitize(passage.version)}"
    yield TimelineEntry(
        at=passage.began_at, who="deployctl", what=f"{name} began, by {sanitize(passage.actor)}"
    )
    verdict = passage.verdict
    told = f"{name}: {verdict.value} in the group{f': {sanitize(passage.reason)}' if passage.reason else ''}"
    worker = passage.worker
    details: tuple[str, ...] = ()
    if worker is not None and worker.verdict is not WorkerVerdict.VERIFIED:
        # The group's reason is its first failed worker's, in the same words.
        is_new = worker.cause is not None and worker.cause not in (passage.reason or "")
        why = f": {sanitize(worker.cause)}" if worker.cause is not None and is_new else ""
        details = (f"this worker: {worker.verdict.value}{why}",)
    if passage.ended_at is not None or verdict is Verdict.NOT_STARTED:
        yield TimelineEntry(
            at=passage.ended_at or passage.began_at,
            who="deployctl",
            what=told,
            details=details,
            is_bad=not verdict.is_acceptable,
        )


def release_tag(release: str, *, is_confirmed: bool) -> str:
    """Whoever edits a tag leaves the others: a release has tagged only what it brought."""
    return (
        f"tagged by {sanitize(release)}"
        if is_confirmed
        else f"the tag of a release still names {sanitize(release)}"
    )


def _tag(instance: Instance, *, is_confirmed: bool) -> Iterator[TimelineEntry]:
    """When the tags that it has were written, by their own word."""
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
    yield TimelineEntry(at=at, who="its tags", what=f"{version}{of} was deployed, as its tags say{by}")
