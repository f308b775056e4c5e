"""The reconcile table: the fleet's state in one sentence, then the drifted workers with cause and fix."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from rich.text import Text

from deployctl.model.cause import Category
from deployctl.model.command import only, shell_command
from deployctl.model.reconciliation import ReconciledWorker, Reconciliation
from deployctl.model.remedy import settle_command
from deployctl.model.verdict import Verdict
from deployctl.plan.repair import can_fix
from deployctl.report.formatting import (
    as_utc,
    count,
    duration,
    group_by,
    list_some,
    moment,
    sanitize,
    size,
)
from deployctl.report.group_findings import finding_lines
from deployctl.report.style import BAD, BUSY, GOOD, REST, STRONG, Glyphs, dotted, fit, styled
from deployctl.report.table import align, indent, wrap
from deployctl.report.worker_filter import (
    ALL_WORKERS,
    GroupReconciliation,
    Sort,
    WorkerFilter,
    by_group,
    in_order,
)

MAX_GROUPS = 30
MAX_NAMES = 5
OLD_AFTER_S = 600.0
_STYLES = {
    Category.CURRENT: GOOD,
    Category.DEPLOYING: BUSY,
    Category.NOT_MANAGED: REST,
    Category.TERMINATED_MID_DEPLOY: REST,
}


def fleet_lines(
    found: Reconciliation,
    *,
    now: datetime,
    columns: int,
    glyphs: Glyphs,
    selection: WorkerFilter = ALL_WORKERS,
    most_workers: int = 20,
) -> list[Text]:
    """The whole table, each line within `columns` except remedies, which must stay whole to be copied.

    The head covers all workers; the list has the selected ones, by group. It shows `most_workers` per group and
    remedy, and `MAX_GROUPS` groups; the rest is counted.
    """
    groups = by_group(found.workers, selection.listed(found.workers))
    head = [
        headline(found, groups, glyphs),
        snapshot_line(found, now, glyphs),
        categories(found, glyphs),
        *_selection_line(found, selection),
    ]
    lines = [part for line in head for part in wrap(line, columns)]
    if found.findings:
        lines += [Text(), *finding_lines(found.findings, columns=columns, glyphs=glyphs)]
    lines += listing(groups, selection, columns=columns, glyphs=glyphs, most=most_workers)
    rest = _unlisted(groups, glyphs) if selection.is_all and selection.limit is None else []
    foot = [*unresolved_lines(found, groups, glyphs), *rest, *_fix_all(found, glyphs)]
    return [*lines, Text(), *foot] if foot else lines


def _selection_line(found: Reconciliation, selection: WorkerFilter) -> list[Text]:
    """What the list shows, if not every drifted worker."""
    matching = replace(selection, limit=None).listed(found.workers)
    shown = len(selection.listed(found.workers))
    if selection.is_all and shown == len(matching):
        return []
    what = f": {selection}" if str(selection) else ""
    if not matching:
        return [Text(f"no worker matches{what}", STRONG)]
    return [Text(f"{shown:,} of {count(len(matching), 'matching worker')} listed{what}", STRONG)]


def listing(
    groups: Sequence[GroupReconciliation], selection: WorkerFilter, *, columns: int, glyphs: Glyphs, most: int
) -> list[Text]:
    """Each group with workers to list, and a count of the rest."""
    listed = _ordered([group for group in groups if group.listed], selection)
    lines: list[Text] = []
    for group in listed[:MAX_GROUPS]:
        lines += [Text(), *group_lines(group, columns=columns, glyphs=glyphs, most=most)]
    if further := listed[MAX_GROUPS:]:
        workers = sum(len(group.listed) for group in further)
        more = f"{glyphs.ellipsis} and {count(len(further), 'more group')}, {count(workers, 'worker')}"
        lines += [Text(), Text(more), Text(f"{glyphs.arrow} deployctl reconcile --group NAME")]
    return lines


def _ordered(listed: list[GroupReconciliation], selection: WorkerFilter) -> list[GroupReconciliation]:
    """By their first worker, unless sorted by group."""
    if selection.sort is Sort.GROUP:
        return listed
    firsts = in_order([group.listed[0] for group in listed], selection.sort)
    by_name = {group.name: group for group in listed}
    return [by_name[worker.group] for worker in firsts]


def headline(found: Reconciliation, groups: Sequence[GroupReconciliation], glyphs: Glyphs) -> Text:
    style, sentence = fleet_sentence(found, groups)
    marks = {BAD: glyphs.failed, BUSY: glyphs.running, GOOD: glyphs.ok, STRONG: glyphs.waiting}
    return styled(f"{marks[style]} {sentence}", style)


def fleet_sentence(found: Reconciliation, groups: Sequence[GroupReconciliation]) -> tuple[str, str]:
    """The fleet's state in one sentence, with its style: BAD, BUSY, GOOD, or STRONG if nothing is managed."""
    name, counts = sanitize(found.application), found.by_category
    living = sum(group.living for group in groups)
    managed = living - counts[Category.NOT_MANAGED]
    if found.drifted:
        hit = sum(bool(group.drifted) for group in groups)
        drifted = f"{found.drifted:,} of {count(living, 'worker')} of {name} drifted"
        in_groups = f"{drifted}, in {hit:,} of {count(len(groups), 'group')}"
        return BAD, "; ".join(filter(None, [in_groups, _findings(found)]))
    if found.findings:
        return BAD, f"no worker of {name} drifted, but {_findings(found)}"
    if not living:
        return STRONG, f"{name} has no workers"
    if not managed:
        are = "is" if living == 1 else "are"
        return STRONG, f"{count(living, 'worker')} of {name} {are} not managed by a release yet"
    if counts[Category.DEPLOYING]:
        deploying = f"{counts[Category.DEPLOYING]:,} of {count(managed, 'worker')} of {name}"
        return BUSY, f"no drift; {deploying} still deploying"
    as_desired = f"{count(managed, 'worker')} of {name} as desired"
    if unverified := sum(group.unverified is not None for group in groups):
        have = "has" if unverified == 1 else "have"
        return BUSY, f"{as_desired}, but {count(unverified, 'group')} {have} not been verified"
    if others := sum(group.other_deployment is not None for group in groups):
        have = "has" if others == 1 else "have"
        return BUSY, f"{as_desired}, but {count(others, 'group')} {have} another active deployment"
    if len(versions := found.desired_versions) > 1:
        shares = [f"{sanitize(v)} in {count(len(names), 'group')}" for v, names in versions.items()]
        return BUSY, f"{as_desired}, on {len(versions):,} versions: {list_some(shares, most=MAX_NAMES)}"
    in_groups = count(sum(group.is_managed for group in groups), "group")
    return GOOD, f"all is well: {as_desired}, in {in_groups}"


def _findings(found: Reconciliation) -> str:
    """`2 groups have findings`; empty without any."""
    groups = len({finding.group_name for finding in found.findings})
    return f"{count(groups, 'group')} {'has' if groups == 1 else 'have'} findings" if groups else ""


def snapshot_line(found: Reconciliation, now: datetime, glyphs: Glyphs) -> Text:
    """The snapshot's age and time, the engine, the bytes scanned and the snapshot's id."""
    age_s = (as_utc(now) - as_utc(found.snapshot_at)).total_seconds()
    line = styled("snapshot ", REST).append(f"{duration(age_s)} ago", BUSY if age_s > OLD_AFTER_S else "")
    dot = f" {glyphs.dot} "
    scanned = f"{size(found.bytes_scanned)} scanned"
    parts = [moment(found.snapshot_at), sanitize(found.engine), scanned, sanitize(found.snapshot_id)]
    return line.append(dot + dot.join(parts), REST)


def present_categories(found: Reconciliation) -> list[tuple[Category, int]]:
    """The categories that have workers, drift first, and how many."""
    present = [(category, number) for category, number in found.by_category.items() if number]
    return sorted(present, key=lambda item: not item[0].is_drift)


def categories(found: Reconciliation, glyphs: Glyphs) -> Text:
    present = present_categories(found)
    return dotted(((f"{number:,} {c.value}", _STYLES.get(c, BAD)) for c, number in present), glyphs)


def _fix_all(found: Reconciliation, glyphs: Glyphs) -> list[Text]:
    """The command that fixes all groups at once, if it would fix any worker."""
    fixed = sum(can_fix(worker) for worker in found.workers)
    if not fixed:
        return []
    note = f"would fix {fixed:,} of {count(found.drifted, 'worker')}"
    return [Text(f"{glyphs.arrow} deployctl reconcile --fix --dry-run   # {note}")]


def unresolved_lines(
    found: Reconciliation, groups: Sequence[GroupReconciliation], glyphs: Glyphs
) -> list[Text]:
    """The release in progress, other active deployments, and groups whose version is not verified."""
    return [
        *_in_progress(found, groups, glyphs),
        *_others(groups, glyphs),
        *_unverified(groups, glyphs),
        *_split(found, glyphs),
        *_by_files(found, glyphs),
    ]


def _split(found: Reconciliation, glyphs: Glyphs) -> list[Text]:
    """The groups that should run another version than most, for example after a rollback of one group."""
    if len(found.desired_versions) < 2 or any(w.in_progress_release for w in found.workers):
        return []
    (most, _), *others = found.desired_versions.items()
    lines = []
    for version, names in others[:MAX_NAMES]:
        shown = list_some((sanitize(name) for name in names), most=MAX_NAMES)
        lines.append(styled(f"{glyphs.queued} {sanitize(version)} is desired in {shown}", BUSY))
        groups = [word for name in names[:MAX_NAMES] for word in ("--group", only(name))]
        command = shell_command("deployctl", "release", most, "--existing", *groups)
        lines.append(Text(f"{glyphs.arrow} {command}"))
    return lines


def _by_files(found: Reconciliation, glyphs: Glyphs) -> list[Text]:
    if not found.current_by_files:
        return []
    what = f"{count(found.current_by_files, 'worker')} current by files alone: worker.env names no unit to restart"
    return [styled(f"{glyphs.queued} {what}", BUSY)]


def _in_progress(found: Reconciliation, groups: Sequence[GroupReconciliation], glyphs: Glyphs) -> list[Text]:
    """The application's release in progress, whether or not a process is running it."""
    worker = next((w for w in found.workers if w.in_progress_release is not None), None)
    if worker is None or worker.in_progress_release is None:
        return []
    what = sanitize(worker.in_progress_kind or "release")
    reached = [w for group in groups if (w := group.in_progress) is not None]
    if reached:
        version = sanitize(reached[0].desired_version or "")
        what = f"{what} of {version} in progress in {count(len(reached), 'group')}"
    else:
        what = f"{what} {sanitize(worker.in_progress_release)} in progress"
    command = "deployctl attach"
    if found.is_unattended:
        what, command = f"{what}; no process is running it", f"{command}   # resume it"
    return [styled(f"{glyphs.queued} {what}", BUSY), Text(f"{glyphs.arrow} {command}")]


def _others(groups: Sequence[GroupReconciliation], glyphs: Glyphs) -> list[Text]:
    """Groups with an active deployment of another creator, even if no worker shows it yet."""
    found = [(group.name, worker) for group in groups if (worker := group.other_deployment) is not None]
    lines = []
    for name, worker in found[:MAX_NAMES]:
        deployment = sanitize(worker.active_deployment_id or "")
        creator = sanitize(worker.active_deployment_creator or "unknown creator")
        version = sanitize(worker.active_deployment_version or "another revision")
        desired = sanitize(worker.desired_version or "")
        what = f"{deployment} ({creator}) is deploying {version} outside the release of {desired}"
        lines.append(styled(f"{glyphs.queued} {sanitize(name)}: {what}", BUSY))
    return [*lines, *_more_groups(len(found) - MAX_NAMES, glyphs)]


def _more_groups(number: int, glyphs: Glyphs) -> list[Text]:
    return [styled(f"{glyphs.ellipsis} and {count(number, 'more such group')}", REST)] if number > 0 else []


def _unverified(groups: Sequence[GroupReconciliation], glyphs: Glyphs) -> list[Text]:
    """Groups whose workers all run a version that failed or was stopped there.

    CodeDeploy deploys its last successful revision to new instances, which may be another version.
    """
    found = [
        (group.name, worker)
        for group in groups
        if (worker := group.unverified) is not None and not worker.is_in_progress
    ]
    lines = []
    for name, worker in found[:MAX_NAMES]:
        version = sanitize(worker.desired_version or "")
        result = _RESULTS[worker.desired_verdict or Verdict.UNKNOWN]
        lines.append(styled(f"{glyphs.queued} {sanitize(name)}: its release of {version} {result}", BUSY))
        lines.append(Text(f"{glyphs.arrow} {sanitize(settle_command(worker))}"))
    if more := _more_groups(len(found) - MAX_NAMES, glyphs):
        lines += [*more, Text(f"{glyphs.arrow} deployctl status")]
    return lines


_RESULTS = {
    Verdict.EMPTY: "found no worker",
    Verdict.VERIFIED: "was verified",
    Verdict.PARTIAL: "is partial",
    Verdict.NOT_STARTED: "was not started",
    Verdict.RUNNING: "has not finished",
    Verdict.SUPERSEDED: "was superseded",
    Verdict.ROLLED_BACK: "was rolled back",
    Verdict.STOPPED: "was stopped",
    Verdict.BUSY: "found the group busy",
    Verdict.UNKNOWN: "has no known verdict",
    Verdict.FAILED: "failed",
}


def _unlisted(groups: Sequence[GroupReconciliation], glyphs: Glyphs) -> list[Text]:
    """One line for the groups without drift, one for the groups that are not managed."""
    lines = []
    unlisted = [group for group in groups if not group.listed]
    if managed := [group for group in unlisted if group.is_managed]:
        workers = sum(group.living for group in managed)
        other = "other " if len(unlisted) < len(groups) else ""
        words = f"{count(len(managed), f'{other}group')} without drift, {count(workers, 'worker')}"
        lines.append(styled(words, REST))
    if unmanaged := [group for group in unlisted if not group.is_managed]:
        names = list_some((sanitize(group.name) for group in unmanaged), most=MAX_NAMES)
        lines.append(styled(f"{count(len(unmanaged), 'group')} not managed: {names}", REST))
        lines.append(Text(f"{glyphs.arrow} deployctl release VERSION --group NAME"))
    return lines


WIDE = 120
_INDENT = "  "
_DEEP = "      "


def group_lines(group: GroupReconciliation, *, columns: int, glyphs: Glyphs, most: int) -> list[Text]:
    """A heading, then each remedy once, below the workers that it fixes."""
    listed = group.listed
    cells = [_cells(worker, glyphs) for worker in listed]
    widths = [max(cell.cell_len for cell in column) for column in zip(*cells, strict=True)]
    rows = {w.instance_id: align(row, widths) for w, row in zip(listed, cells, strict=True)}
    lines = wrap(_heading(group), columns)
    # Workers with a remedy first.
    ordered = sorted(listed, key=lambda w: w.remedy is None)
    for remedy, workers in group_by(ordered, lambda w: w.remedy).items():
        for worker in workers[:most]:
            lines += _worker(worker, rows[worker.instance_id], columns, glyphs)
        if len(workers) > most:
            lines.append(
                Text(f"{_INDENT}{glyphs.ellipsis} and {len(workers) - most:,} more with the same remedy")
            )
        if remedy is not None or any(worker.category.is_drift for worker in workers):
            lines.append(remedy_line(remedy, glyphs))
    return lines


def remedy_line(remedy: str | None, glyphs: Glyphs) -> Text:
    """The command, never cut, so that it can be copied."""
    if remedy is None:
        return styled(f"{_INDENT}{glyphs.arrow} no action needed: resolves on its own", REST)
    return styled(f"{_INDENT}{glyphs.arrow} ", STRONG).append(sanitize(remedy))


def category_counts(workers: Sequence[ReconciledWorker]) -> str:
    """`1 failed, 5 current`."""
    counts = Counter(worker.category for worker in workers)
    return ", ".join(f"{counts[category]:,} {category.value}" for category in Category if counts[category])


def _heading(group: GroupReconciliation) -> Text:
    """`mail-send  1 of 6 workers drifted: 1 failed; desired v123`."""
    head = styled(sanitize(group.name), STRONG)
    if group.drifted:
        head.append(f"  {group.drifted:,} of {count(group.living, 'worker')} drifted", BAD)
    else:
        head.append(f"  {count(group.living, 'worker')} as desired")
    wanted = Counter(sanitize(w.desired_version) for w in group.workers if w.desired_version)
    desired = f"; desired {wanted.most_common(1)[0][0]}" if wanted else ""
    return head.append(f": {category_counts(group.listed)}{desired}")


def _cells(worker: ReconciledWorker, glyphs: Glyphs) -> list[Text]:
    """The worker, its category, its deployed and desired version, and how long it has been behind."""
    style = BAD if worker.category.is_drift else GOOD if worker.category is Category.CURRENT else BUSY
    deployed = sanitize(worker.deployed_version or "no version")
    return [
        Text(sanitize(worker.instance_id)),
        styled(worker.category.value, style),
        Text(f"{deployed} {glyphs.arrow} {sanitize(worker.desired_version or 'none desired')}"),
        Text(delay_text(worker)),
    ]


def _worker(worker: ReconciledWorker, row: Text, columns: int, glyphs: Glyphs) -> list[Text]:
    """Its row, with cause and evidence beside it on a wide terminal, else below it."""
    row = Text(_INDENT).append(row)
    room = columns - row.cell_len
    if columns < WIDE or room < WIDE // 3:
        row.rstrip()
        return [fit(row, columns, glyphs), *indent(wrap(_why(worker), columns - len(_DEEP)), _DEEP)]
    first, *more = wrap(_why(worker), room)
    return [row.append(first), *indent(more, " " * (columns - room))]


def delay_text(worker: ReconciledWorker) -> str:
    """`12m behind`, exact to the minute; empty if unknown."""
    minutes = worker.minutes_behind
    if not minutes:
        return ""
    return f"{minutes}m behind" if minutes < 60 else f"{duration(minutes * 60)} behind"


def _why(worker: ReconciledWorker) -> Text:
    if worker.category is Category.CURRENT:
        return styled("as desired", REST)
    cause = styled(worker.cause.value if worker.cause else "cause unknown", STRONG)
    return cause.append(f": {sanitize(worker.evidence)}") if worker.evidence else cause
