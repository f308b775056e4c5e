"""`deployctl explain`: the state and timeline of one worker or one group, for people and as JSON."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from functools import partial
from typing import Any

from rich.text import Text

from deployctl.model.cause import Category
from deployctl.model.fleet import TAG_DEPLOYED_AT, TAG_RELEASE
from deployctl.model.reconciliation import ReconciledWorker
from deployctl.model.release import DesiredState
from deployctl.model.timeline import GroupTimeline, WorkerTimeline
from deployctl.report.formatting import as_utc, count, duration, moment, sanitize
from deployctl.report.group_findings import finding_lines
from deployctl.report.json_output import finding_json, json_fields, worker_json
from deployctl.report.reconcile_table import category_counts, delay_text, group_lines, remedy_line
from deployctl.report.style import BAD, BUSY, GOOD, REST, STRONG, Glyphs, styled
from deployctl.report.table import indent, wrap, wrap_beside
from deployctl.report.timeline import TimelineEntry, group_timeline, release_tag, worker_timeline
from deployctl.report.worker_filter import GroupReconciliation, by_group

EXPLAIN_SCHEMA = "deployctl.explain/1"
MAX_WORKERS = 20
_INDENT = "  "
_SOURCE = 12
_beside = partial(wrap_beside, least=30, below=_INDENT * 2)
_Timeline = WorkerTimeline | GroupTimeline


def explain_lines(timeline: _Timeline, *, columns: int, glyphs: Glyphs) -> list[Text]:
    """The explanation for people; commands stay whole, however narrow the terminal."""
    if isinstance(timeline, GroupTimeline):
        return _group_lines(timeline, columns, glyphs)
    title = styled(sanitize(timeline.instance.instance_id), STRONG)
    return [
        title.append(f", a worker of {sanitize(timeline.group.name)}"),
        *wrap(Text(_INDENT).append(", ".join(_instance_state(timeline)), REST), columns),
        *_reconciled(timeline.judged, columns, glyphs),
        *_heading("Version by source"),
        *_sources(timeline, columns),
        *_heading("Timeline (UTC)"),
        *_entries(timeline, worker_timeline(timeline), columns, glyphs),
    ]


def _group_lines(group: GroupTimeline, columns: int, glyphs: Glyphs) -> list[Text]:
    """Desired version and verdict, drifted workers and their fixes, then the timeline."""
    asgs = ", ".join(sanitize(a) for a in group.group.asgs) or "no Auto Scaling group"
    groups = by_group(group.found.workers)
    found = groups[0] if groups else GroupReconciliation(name=group.group.name, workers=(), listed=())
    title = styled(sanitize(group.group.name), STRONG).append(f", {count(found.living, 'worker')} in {asgs}")
    counts = category_counts(group.found.workers) or "no workers"
    lines = [
        *wrap(title, columns),
        *wrap(Text(_INDENT).append(_desired(group.desired, group.at)), columns),
        *wrap(Text(_INDENT).append(counts), columns),
    ]
    lines += _deploying(group.found.workers, columns, glyphs)
    if found.listed:
        lines += [Text(), *group_lines(found, columns=columns, glyphs=glyphs, most=MAX_WORKERS)]
    if group.found.findings:
        lines += [Text(), *finding_lines(group.found.findings, columns=columns, glyphs=glyphs)]
    if len(group.remedies) > 1:
        lines += [*_heading("Fix, in this order"), *(remedy_line(line, glyphs) for line in group.remedies)]
    entries = _entries(group, group_timeline(group), columns, glyphs)
    return [*lines, *_heading("Timeline (UTC)"), *entries]


def _deploying(workers: Sequence[ReconciledWorker], columns: int, glyphs: Glyphs) -> list[Text]:
    """Each worker that is deploying, with its lifecycle event and since when."""
    deploying = [w for w in workers if w.category is Category.DEPLOYING]
    lines: list[Text] = []
    for worker in deploying[:MAX_WORKERS]:
        head = Text(_INDENT).append(f"{glyphs.running} {sanitize(worker.instance_id)}  ", BUSY)
        lines += _beside(head, Text(sanitize(worker.evidence or worker.category.value)), columns)
    if (more := len(deploying) - MAX_WORKERS) > 0:
        lines.append(styled(f"{_INDENT}{glyphs.ellipsis} and {more:,} more", REST))
    return lines


def cost_line(elapsed_s: float, calls: int, glyphs: Glyphs) -> Text:
    return styled(f"{elapsed_s:.1f} s {glyphs.dot} {count(calls, 'AWS call')}", REST)


def _heading(words: str) -> list[Text]:
    return [Text(), styled(words, STRONG)]


def _instance_state(worker: WorkerTimeline) -> Iterable[str]:
    instance = worker.instance
    yield sanitize(instance.state)
    if instance.lifecycle_state:
        yield sanitize(instance.lifecycle_state)
    elif instance.is_alive:
        yield "in no Auto Scaling group"
    if instance.health:
        yield sanitize(instance.health)
    yield "spot" if instance.is_spot else "on demand"
    if instance.is_protected:
        yield "protected from scale-in"
    yield f"up {duration((as_utc(worker.at) - as_utc(instance.launched_at)).total_seconds())}"
    if instance.state_reason and not instance.is_alive:
        yield sanitize(instance.state_reason)


def _reconciled(worker: ReconciledWorker | None, columns: int, glyphs: Glyphs) -> list[Text]:
    if worker is None:
        return [styled(f"{glyphs.waiting} terminated; no release was deploying to it", REST)]
    if worker.category is Category.CURRENT:
        return [styled(f"{glyphs.ok} current: runs {sanitize(worker.desired_version or '')}", GOOD)]
    style = BAD if worker.category.is_drift else BUSY
    cause = f": {worker.cause.value}" if worker.cause else ""
    late = f", {delay_text(worker)}" if delay_text(worker) else ""
    mark = glyphs.failed if worker.category.is_drift else glyphs.running
    lines = wrap(styled(f"{mark} {worker.category.value}{cause}{late}", style), columns)
    if worker.evidence:
        lines += indent(wrap(Text(sanitize(worker.evidence)), columns - 2 * len(_INDENT)), _INDENT * 2)
    if worker.remedy or worker.category.is_drift:
        lines.append(remedy_line(worker.remedy, glyphs))
    return lines


def _sources(worker: WorkerTimeline, columns: int) -> list[Text]:
    rows = [(row["source"], row["version"] or "-", row["detail"]) for row in sources(worker)]
    wide = max(len(sanitize(version)) for _, version, _ in rows)
    lines: list[Text] = []
    for source, version, detail in rows:
        head = Text(_INDENT).append(source.ljust(_SOURCE)).append(sanitize(version).ljust(wide + 2), STRONG)
        lines += _beside(head, Text(sanitize(detail)), columns)
    return lines


def sources(worker: WorkerTimeline) -> list[dict[str, Any]]:
    """The worker's version by source: the desired state, CodeDeploy's last deployment, and the tag."""
    desired, last, found = worker.desired, worker.last, worker.judged
    version = desired.version if desired else found.desired_version if found else None
    target = last.target if last is not None else None
    deployed = "CodeDeploy has not deployed to it since its launch"
    if target is not None:
        at = f", {moment(target.updated_at)}" if target.updated_at else ""
        deployed = f"{target.status.value} in {target.deployment_id}{at}"
    return [
        {"source": "desired", "version": version, "detail": _desired_source(desired, version)},
        {"source": "CodeDeploy", "version": last.version if last else None, "detail": deployed},
        {"source": "tag", "version": worker.instance.version, "detail": _tag_source(worker)},
    ]


def _tag_source(worker: WorkerTimeline) -> str:
    tags = worker.instance.tags
    deployed_at, release = tags.get(TAG_DEPLOYED_AT), tags.get(TAG_RELEASE)
    parts = [f"deployed at {deployed_at}"] if deployed_at else []
    if release:
        parts.append(release_tag(release, is_confirmed=worker.has_tag_of_its_release))
    return ", ".join(parts) or "no other deployctl tags"


def _desired_source(desired: DesiredState | None, version: str | None) -> str:
    if desired is not None:
        return f"since {moment(desired.since)} by {desired.release}, {desired.verdict.value}"
    if version is None:
        return "not managed by a release yet"
    return "baseline: CodeDeploy's last successful revision (never released by deployctl)"


def _desired(desired: DesiredState | None, now: datetime) -> str:
    if desired is None:
        return "never released by deployctl"
    ago = duration((as_utc(now) - as_utc(desired.since)).total_seconds())
    previous, reason = desired.previous_verified, desired.abandoned_reason
    words = (
        f"desired {sanitize(desired.version)}, {desired.verdict.value}; set {ago} ago by"
        f" {sanitize(desired.release)}"
    )
    words += f"; previous verified version {sanitize(previous)}" if previous else ""
    return f"{words}; abandoned: {sanitize(reason)}" if reason else words


def _entries(
    timeline: _Timeline, entries: Sequence[TimelineEntry], columns: int, glyphs: Glyphs
) -> list[Text]:
    """The timeline by day; of the earliest releases only their CodeDeploy deployments are listed."""
    lines: list[Text] = []
    if timeline.omitted_releases:
        earlier = count(timeline.omitted_releases, "earlier release")
        more = f"{_INDENT}{glyphs.ellipsis} {earlier}: see deployctl history"
        lines += wrap(styled(more, REST), columns)
    if not entries:
        lines.append(styled(f"{_INDENT}no events left in AWS", REST))
    day = ""
    for entry in entries:
        at = as_utc(entry.at)
        if f"{at:%Y-%m-%d}" != day:
            day = f"{at:%Y-%m-%d}"
            lines.append(styled(f"{_INDENT}{day}", REST))
        head = Text(_INDENT).append(f"{at:%H:%M:%S}  ", REST).append(entry.source.ljust(_SOURCE + 2))
        blank = " " * head.cell_len
        lines += _beside(head, styled(sanitize(entry.what), BAD if entry.is_bad else ""), columns)
        for detail in entry.details:
            deeper = len(detail) - len(detail.lstrip())
            lines += _beside(
                Text(blank + " " * (2 + deeper)), styled(sanitize(detail.lstrip()), REST), columns
            )
    return lines


def explain_json(timeline: _Timeline) -> dict[str, Any]:
    """`timeline` is oldest first; `worker` is as in deployctl.reconcile/1, null for a terminated one."""
    if isinstance(timeline, GroupTimeline):
        return _group_json(timeline)
    worker, instance = timeline, timeline.instance
    return {
        "schema": EXPLAIN_SCHEMA,
        "kind": "worker",
        **json_fields(worker, "application", "at"),
        "group": worker.group.name,
        "instance": {
            "instance_id": instance.instance_id,
            "asg": instance.asg or None,
            **json_fields(instance, "state", "lifecycle_state", "health"),
            "spot": instance.is_spot,
            "protected": instance.is_protected,
            **json_fields(instance, "launched_at", "state_reason"),
        },
        "worker": worker_json(worker.judged) if worker.judged else None,
        "sources": sources(worker),
        "omitted_releases": worker.omitted_releases,
        "timeline": _entries_json(worker_timeline(worker)),
    }


def _group_json(group: GroupTimeline) -> dict[str, Any]:
    """`remedies` are the commands in the order to type them, with the number of workers each one fixes."""
    desired = group.desired
    remedies = [{"command": line, "workers": number} for line, number in group.remedies.items()]
    return {
        "schema": EXPLAIN_SCHEMA,
        "kind": "group",
        **json_fields(group, "application", "at"),
        "group": group.group.name,
        "asgs": list(group.group.asgs),
        "findings": [finding_json(finding) for finding in group.found.findings],
        "desired": desired
        and {
            "version": desired.version,
            "release_id": desired.release,
            **json_fields(desired, "since", "verdict", "previous_verified"),
            **json_fields(desired, "deployment_id", "abandoned_reason"),
        },
        "summary": {"workers": len(group.found.workers), "by_category": group.found.by_category},
        "workers": [worker_json(w) for w in group.found.workers],
        "remedies": remedies,
        "omitted_releases": group.omitted_releases,
        "timeline": _entries_json(group_timeline(group)),
    }


def _entries_json(entries: Iterable[TimelineEntry]) -> list[dict[str, Any]]:
    return [{**json_fields(e, "at", "source", "what", "details"), "bad": e.is_bad} for e in entries]
