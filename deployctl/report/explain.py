"""The story of one worker or one group, for people and as JSON."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from rich.text import Text

from deployctl.model.cause import Category
from deployctl.model.fleet import TAG_DEPLOYED_AT, TAG_RELEASE
from deployctl.model.reconciliation import ReconciledWorker
from deployctl.model.release import DesiredState
from deployctl.model.timeline import GroupTimeline, WorkerTimeline
from deployctl.report.formatting import as_utc, count, duration, iso, sanitize
from deployctl.report.json_output import worker_json
from deployctl.report.reconcile_group import delay_text, group_lines, wrapped
from deployctl.report.reconcile_groups import GroupReconciliation, by_group
from deployctl.report.style import BAD, BUSY, GOOD, REST, STRONG, Glyphs, styled
from deployctl.report.timeline import TimelineEntry, moments_of_group, release_tag, worker_timeline

EXPLAIN_SCHEMA = "deployctl.explain/1"
MAX_WORKERS = 20
NOT_ASKED = "not known: nobody has asked it, which takes SSH"
_INDENT = "  "
_WHO = 12


def story_lines(story: WorkerTimeline | GroupTimeline, *, columns: int, glyphs: Glyphs) -> list[Text]:
    """The story for people; commands stay whole, however narrow the terminal."""
    if isinstance(story, WorkerTimeline):
        return worker_lines(story, columns=columns, glyphs=glyphs)
    return group_story_lines(story, columns=columns, glyphs=glyphs)


def story_json(story: WorkerTimeline | GroupTimeline) -> dict[str, Any]:
    return worker_story_json(story) if isinstance(story, WorkerTimeline) else group_story_json(story)


def worker_lines(story: WorkerTimeline, *, columns: int, glyphs: Glyphs) -> list[Text]:
    """What it is and what mends it; then what each witness says of it; then its story."""
    instance = story.instance
    title = styled(sanitize(instance.instance_id), STRONG).append(
        f", a worker of {sanitize(story.group.name)}"
    )
    now = Text(_INDENT).append(", ".join(_state(story)), REST)
    return [
        title,
        *wrapped(now, columns),
        *_judged(story.judged, columns, glyphs),
        *_headed("What each says it runs"),
        *_truths(story, columns),
        *_headed("What happened (UTC)"),
        *_untold(story, columns, glyphs),
        *_moments(worker_timeline(story), columns),
    ]


def group_story_lines(story: GroupTimeline, *, columns: int, glyphs: Glyphs) -> list[Text]:
    """What is desired and how that came out; who is not as desired and what mends it; then its story."""
    asgs = ", ".join(sanitize(a) for a in story.group.asgs) or "no Auto Scaling group"
    found = _found(story)
    title = styled(sanitize(story.group.name), STRONG).append(f", {count(found.living, 'worker')} in {asgs}")
    lines = [
        *wrapped(title, columns),
        *wrapped(Text(_INDENT).append(_desired(story.desired, story.at)), columns),
        *wrapped(Text(_INDENT).append(_counts(story.found.workers)), columns),
    ]
    if found.listed:
        lines += [Text(), *group_lines(found, columns=columns, glyphs=glyphs, most=MAX_WORKERS)]
    mends = [*story.remedies, *story.hook_remedies]
    if len(mends) > 1:
        lines += [*_headed("What mends it, in this order"), *(_command(line, glyphs) for line in mends)]
    if story.lacks_hook:
        missing = ", ".join(sanitize(a) for a in story.lacks_hook)
        lines += wrapped(
            styled(
                f"{_INDENT}{missing} lacks CodeDeploy's launch hook: what is launched there gets nothing", BAD
            ),
            columns,
        )
    told = [*_untold(story, columns, glyphs), *_moments(moments_of_group(story), columns)]
    return [*lines, *_headed("What happened (UTC)"), *told]


def _found(story: GroupTimeline) -> GroupReconciliation:
    groups = by_group(story.found.workers)
    return groups[0] if groups else GroupReconciliation(name=story.group.name, workers=(), listed=())


def cost_line(elapsed_s: float, calls: int, glyphs: Glyphs) -> Text:
    return styled(f"told in {elapsed_s:.1f} s {glyphs.dot} {count(calls, 'AWS call')}", REST)


def _headed(words: str) -> list[Text]:
    return [Text(), styled(words, STRONG)]


def _state(story: WorkerTimeline) -> Iterable[str]:
    instance = story.instance
    yield instance.state
    if instance.lifecycle_state:
        yield sanitize(instance.lifecycle_state)
    elif instance.is_alive:
        yield "in no Auto Scaling group"
    if instance.health:
        yield sanitize(instance.health)
    yield "spot" if instance.is_spot else "on demand"
    if instance.is_protected:
        yield "protected from scale-in"
    yield f"up {duration((as_utc(story.at) - as_utc(instance.launched_at)).total_seconds())}"
    if instance.state_reason and not instance.is_alive:
        yield sanitize(instance.state_reason)


def _judged(worker: ReconciledWorker | None, columns: int, glyphs: Glyphs) -> list[Text]:
    if worker is None:
        return [styled(f"{glyphs.waiting} it is gone, and no release was still at work on it", REST)]
    if worker.category is Category.CURRENT:
        return [styled(f"{glyphs.held} current: it runs {sanitize(worker.desired_version or '')}", GOOD)]
    style = BAD if worker.category.is_drift else BUSY
    cause = f": {worker.cause.value}" if worker.cause else ""
    late = f", {delay_text(worker)}" if delay_text(worker) else ""
    mark = glyphs.failed if worker.category.is_drift else glyphs.running
    lines = wrapped(styled(f"{mark} {worker.category.value}{cause}{late}", style), columns)
    if worker.evidence:
        lines += _indented(Text(sanitize(worker.evidence)), columns)
    if worker.remedy:
        lines.append(_command(worker.remedy, glyphs))
    elif worker.category.is_drift:
        lines.append(styled(f"{_INDENT}{glyphs.arrow} nothing to type: it passes by itself", REST))
    return lines


def _command(line: str, glyphs: Glyphs) -> Text:
    """Whole, however narrow the terminal: it is to be copied."""
    return styled(f"{_INDENT}{glyphs.arrow} ", STRONG).append(sanitize(line))


def _truths(story: WorkerTimeline, columns: int) -> list[Text]:
    rows = [(row["witness"], row["version"] or "-", row["says"]) for row in sources(story)]
    wide = max(len(sanitize(version)) for _, version, _ in rows)
    lines: list[Text] = []
    for witness, version, says in rows:
        head = Text(_INDENT).append(witness.ljust(_WHO)).append(sanitize(version).ljust(wide + 2), STRONG)
        lines += _beside(head, Text(sanitize(says)), columns)
    return lines


def sources(story: WorkerTimeline) -> list[dict[str, Any]]:
    """Side by side: what is desired, what CodeDeploy last did, what its tag says, and what nobody has asked."""
    worker, last = story.judged, story.last
    desired = story.desired
    version = desired.version if desired else worker.desired_version if worker else None
    target = last.target if last is not None else None
    return [
        {"witness": "desired", "version": version, "says": _desired_briefly(desired, version)},
        {
            "witness": "CodeDeploy",
            "version": last.version if last else None,
            "says": (
                f"{target.status.value} in {target.deployment_id}{_at(target.updated_at)}"
                if target
                else "no deployment since its launch had it as a target"
            ),
        },
        {
            "witness": "tag",
            "version": story.instance.version,
            "says": _tag_says(story),
        },
        {"witness": "process", "version": None, "says": NOT_ASKED},
    ]


def _tag_says(story: WorkerTimeline) -> str:
    tags = story.instance.tags
    deployed_at, release = tags.get(TAG_DEPLOYED_AT), tags.get(TAG_RELEASE)
    parts = [f"deployed at {deployed_at}"] if deployed_at else []
    if release:
        parts.append(release_tag(release, is_confirmed=story.has_tag_of_its_release))
    return ", ".join(parts) or "no further tags of deployctl's"


def _desired_briefly(desired: DesiredState | None, version: str | None) -> str:
    if desired is None:
        return "found here on day 0, by CodeDeploy's last good revision" if version else "nothing is desired"
    return f"since {_stamp(desired.since)} by {desired.release}, {desired.verdict.value}"


def _desired(desired: DesiredState | None, now: datetime) -> str:
    if desired is None:
        return "deployctl has never released here"
    ago = duration((as_utc(now) - as_utc(desired.since)).total_seconds())
    words = (
        f"desired {sanitize(desired.version)}, {desired.verdict.value}; set {ago} ago by {desired.release}"
    )
    words += f"; before it {sanitize(desired.previous_verified)} held" if desired.previous_verified else ""
    return f"{words}; given up: {sanitize(desired.abandoned_reason)}" if desired.abandoned_reason else words


def _counts(workers: Sequence[ReconciledWorker]) -> str:
    counts = Counter(w.category for w in workers)
    return ", ".join(f"{counts[c]:,} {c.value}" for c in Category if counts[c]) or "no workers"


def _untold(story: WorkerTimeline | GroupTimeline, columns: int, glyphs: Glyphs) -> list[Text]:
    """Of those only the deployments are told, as CodeDeploy knows them."""
    if not story.omitted_releases:
        return []
    earlier = count(story.omitted_releases, "earlier release")
    said = f"{glyphs.ellipsis} what {earlier} came to is in deployctl history"
    return wrapped(styled(f"{_INDENT}{said}", REST), columns)


def _moments(moments: Sequence[TimelineEntry], columns: int) -> list[Text]:
    if not moments:
        return [styled(f"{_INDENT}nothing that AWS still tells", REST)]
    lines: list[Text] = []
    day = ""
    for moment in moments:
        at = as_utc(moment.at)
        if f"{at:%Y-%m-%d}" != day:
            day = f"{at:%Y-%m-%d}"
            lines.append(styled(f"{_INDENT}{day}", REST))
        head = Text(_INDENT).append(f"{at:%H:%M:%S}  ", REST).append(moment.who.ljust(_WHO + 2))
        blank = " " * head.cell_len
        lines += _beside(head, styled(moment.what, BAD if moment.is_bad else ""), columns)
        for detail in moment.details:
            deeper = len(detail) - len(detail.lstrip())
            lines += _beside(Text(blank + " " * (2 + deeper)), styled(detail.lstrip(), REST), columns)
    return lines


def _beside(head: Text, words: Text, columns: int) -> list[Text]:
    """The words right of the head, over as many lines as they take; below it where there is no room."""
    room = columns - head.cell_len
    if room < 30:
        return [head, *_indented(words, columns)]
    first, *more = wrapped(words, room) or [Text()]
    return [head.append(first), *(Text(" " * (columns - room)).append(line) for line in more)]


def _indented(words: Text, columns: int) -> list[Text]:
    return [Text(_INDENT * 2).append(line) for line in wrapped(words, columns - 2 * len(_INDENT))]


def _stamp(moment: datetime) -> str:
    return as_utc(moment).strftime("%Y-%m-%d %H:%M:%SZ")


def _at(moment: datetime | None) -> str:
    return f", {_stamp(moment)}" if moment else ""


def worker_story_json(story: WorkerTimeline) -> dict[str, Any]:
    """`moments` are oldest first; `worker` is as in deployctl.reconcile/1, null where it is gone."""
    instance = story.instance
    return {
        "schema": EXPLAIN_SCHEMA,
        "kind": "worker",
        "application": story.application,
        "at": iso(story.at),
        "group": story.group.name,
        "instance": {
            "instance_id": instance.instance_id,
            "asg": instance.asg or None,
            "state": instance.state,
            "lifecycle_state": instance.lifecycle_state,
            "health": instance.health,
            "spot": instance.is_spot,
            "protected": instance.is_protected,
            "launched_at": iso(instance.launched_at),
            "state_reason": instance.state_reason,
        },
        "worker": worker_json(story.judged) if story.judged else None,
        "truths": sources(story),
        "untold_releases": story.omitted_releases,
        "moments": [_moment_json(m) for m in worker_timeline(story)],
    }


def group_story_json(story: GroupTimeline) -> dict[str, Any]:
    """`mends` are the lines that mend it, in the order to type them, with how many workers each is for."""
    desired = story.desired
    by_category = {category.value: number for category, number in story.found.by_category.items()}
    mends = [{"command": line, "workers": number} for line, number in story.remedies.items()]
    mends += [{"command": line, "workers": 0} for line in story.hook_remedies]
    return {
        "schema": EXPLAIN_SCHEMA,
        "kind": "group",
        "application": story.application,
        "at": iso(story.at),
        "group": story.group.name,
        "asgs": list(story.group.asgs),
        "lacks_launch_hook": list(story.lacks_hook),
        "desired": None
        if desired is None
        else {
            "version": desired.version,
            "release_id": desired.release,
            "since": iso(desired.since),
            "verdict": desired.verdict.value,
            "previous_verified": desired.previous_verified,
            "deployment_id": desired.deployment_id,
            "abandoned_reason": desired.abandoned_reason,
        },
        "summary": {"workers": len(story.found.workers), "by_category": by_category},
        "workers": [worker_json(w) for w in story.found.workers],
        "mends": mends,
        "untold_releases": story.omitted_releases,
        "moments": [_moment_json(m) for m in moments_of_group(story)],
    }


def _moment_json(moment: TimelineEntry) -> dict[str, Any]:
    return {
        "at": iso(moment.at),
        "who": moment.who,
        "what": moment.what,
        "details": list(moment.details),
        "bad": moment.is_bad,
    }
