"""The reconcile table: in words whether all is well, then who is not as desired, why, and what mends it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from rich.text import Text

from deployctl.model.cause import Category
from deployctl.model.reconciliation import Reconciliation
from deployctl.model.remedy import settle_command
from deployctl.model.verdict import Verdict
from deployctl.plan.repair import can_fix
from deployctl.report.formatting import as_utc, count, duration, list_some, sanitize, size
from deployctl.report.reconcile_group import group_lines, wrapped
from deployctl.report.reconcile_groups import GroupReconciliation, by_group
from deployctl.report.style import BAD, BUSY, GOOD, REST, STRONG, Glyphs, styled
from deployctl.report.worker_filter import Sort, WorkerFilter, in_order

MAX_GROUPS = 30
MAX_NAMES = 5
OLD_AFTER_S = 600.0
EVERYBODY = WorkerFilter()
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
    selection: WorkerFilter = EVERYBODY,
    most_workers: int = 20,
) -> list[Text]:
    """The whole table, each line within so many columns but for remedies, which must stay whole to be copied.

    The head tells of all; listed are those that the selection means, by group. `most_workers` of a group with the
    same remedy are listed one by one, and `MAX_GROUPS` groups; the rest is counted.
    """
    groups = by_group(found.workers, selection.listed(found.workers))
    head = [*head_lines(found, groups, now=now, glyphs=glyphs), *_meant(found, selection)]
    lines = [part for line in head for part in wrapped(line, columns)]
    lines += listing(groups, selection, columns=columns, glyphs=glyphs, most=most_workers)
    rest = _quiet(groups, glyphs) if selection.is_all and selection.limit is None else []
    foot = [*unresolved_lines(found, groups, glyphs), *rest, *_at_once(found, glyphs)]
    return [*lines, Text(), *foot] if foot else lines


def head_lines(
    found: Reconciliation, groups: Sequence[GroupReconciliation], *, now: datetime, glyphs: Glyphs
) -> list[Text]:
    """Whether all is well, when that was seen, and how many are in each category."""
    return [headline(found, groups, glyphs), snapshot_line(found, now, glyphs), categories(found, glyphs)]


def _meant(found: Reconciliation, selection: WorkerFilter) -> list[Text]:
    """What is listed, where that is not everybody worth a line."""
    meant = replace(selection, limit=None).listed(found.workers)
    shown = len(selection.listed(found.workers))
    if selection.is_all and shown == len(meant):
        return []
    what = f": {selection}" if str(selection) else ""
    if not meant:
        return [Text(f"no worker matches{what}", STRONG)]
    return [Text(f"{shown:,} listed of {count(len(meant), 'worker')} that match{what}", STRONG)]


def listing(
    groups: Sequence[GroupReconciliation], selection: WorkerFilter, *, columns: int, glyphs: Glyphs, most: int
) -> list[Text]:
    """Each group with somebody to list, and how many there are besides."""
    seen = _ordered([group for group in groups if group.listed], selection)
    lines: list[Text] = []
    for group in seen[:MAX_GROUPS]:
        lines += [Text(), *group_lines(group, columns=columns, glyphs=glyphs, most=most)]
    if further := seen[MAX_GROUPS:]:
        workers = sum(len(group.listed) for group in further)
        more = f"{glyphs.ellipsis} and {count(len(further), 'more group')}, {count(workers, 'worker')}"
        lines += [Text(), Text(more), Text(f"{glyphs.arrow} deployctl reconcile --group NAME")]
    return lines


def _ordered(seen: list[GroupReconciliation], selection: WorkerFilter) -> list[GroupReconciliation]:
    """By their first worker, where they are not sorted as groups."""
    if selection.sort is Sort.GROUP:
        return seen
    firsts = in_order([group.listed[0] for group in seen], selection.sort)
    by_name = {group.name: group for group in seen}
    return [by_name[worker.group] for worker in firsts]


def headline(found: Reconciliation, groups: Sequence[GroupReconciliation], glyphs: Glyphs) -> Text:
    """Whether all is well, in words."""
    name, counts = sanitize(found.application), found.by_category
    living = sum(group.living for group in groups)
    managed = living - counts[Category.NOT_MANAGED]
    if found.drifted:
        hit = sum(bool(group.drifted) for group in groups)
        return styled(
            f"{glyphs.failed} {found.drifted:,} of {count(living, 'worker')} of {name}"
            f" {'is' if found.drifted == 1 else 'are'} not as desired,"
            f" in {hit:,} of {count(len(groups), 'group')}",
            BAD,
        )
    if not living:
        return styled(f"{glyphs.waiting} {name} has no workers", STRONG)
    if not managed:
        return styled(
            f"{glyphs.waiting} nothing is desired yet of {count(living, 'worker')} of {name}", STRONG
        )
    if counts[Category.DEPLOYING]:
        deploying = f"{counts[Category.DEPLOYING]:,} of {count(managed, 'worker')} of {name}"
        return styled(f"{glyphs.running} no drift; {deploying} still deploying", BUSY)
    if unsettled := sum(group.unverified_verdict is not None for group in groups):
        return styled(
            f"{glyphs.queued} {count(managed, 'worker')} of {name} as desired, but in"
            f" {count(unsettled, 'group')} that version has not held",
            BUSY,
        )
    if others := sum(group.slot_holder is not None for group in groups):
        return styled(
            f"{glyphs.queued} {count(managed, 'worker')} of {name} as desired, but in"
            f" {count(others, 'group')} another deployment is at work",
            BUSY,
        )
    return styled(
        f"{glyphs.held} all is well: {count(managed, 'worker')} of {name} as desired,"
        f" in {count(sum(group.is_managed for group in groups), 'group')}",
        GOOD,
    )


def snapshot_line(found: Reconciliation, now: datetime, glyphs: Glyphs) -> Text:
    """How old it is, and what it took."""
    age_s = (as_utc(now) - as_utc(found.snapshot_at)).total_seconds()
    at = as_utc(found.snapshot_at).strftime("%Y-%m-%d %H:%M:%SZ")
    line = styled("seen ", REST).append(f"{duration(age_s)} ago", BUSY if age_s > OLD_AFTER_S else "")
    dot = f" {glyphs.dot} "
    parts = [at, sanitize(found.engine), f"{size(found.bytes_scanned)} scanned", sanitize(found.snapshot_id)]
    return line.append(dot + dot.join(parts), REST)


def categories(found: Reconciliation, glyphs: Glyphs) -> Text:
    """How many workers are in each category, drift first."""
    line = Text()
    for category, number in sorted(found.by_category.items(), key=lambda item: not item[0].is_drift):
        if number:
            line.append(f" {glyphs.dot} " if line else "")
            line.append(f"{number:,} {category.value}", _STYLES.get(category, BAD))
    return line


def _at_once(found: Reconciliation, glyphs: Glyphs) -> list[Text]:
    """Each group's remedy mends that group; this is for all of them, where a repair would mend any."""
    mended = sum(can_fix(worker) for worker in found.workers)
    if not mended:
        return []
    note = f"would mend {mended:,} of {count(found.drifted, 'worker')}"
    return [Text(f"{glyphs.arrow} deployctl reconcile --fix --dry-run   # {note}")]


def unresolved_lines(
    found: Reconciliation, groups: Sequence[GroupReconciliation], glyphs: Glyphs
) -> list[Text]:
    """What to know besides drift: what is under way, and where a version did not hold though all run it."""
    return [*_unfinished(found, groups, glyphs), *_others(groups, glyphs), *_unsettled(groups, glyphs)]


def _unfinished(found: Reconciliation, groups: Sequence[GroupReconciliation], glyphs: Glyphs) -> list[Text]:
    """What is under way in the application, be anybody at it or not: said once, not for every group."""
    worker = next((w for w in found.workers if w.in_progress_release is not None), None)
    if worker is None or worker.in_progress_release is None:
        return []
    reached = [w for group in groups if (w := group.in_progress) is not None]
    kind = sanitize(worker.in_progress_kind or "release")
    what = f"the {kind} of {sanitize(reached[0].desired_version or '')}" if reached else f"the {kind}"
    where = f"is under way in {count(len(reached), 'group')}" if reached else "is under way"
    name = "" if reached else f" {sanitize(worker.in_progress_release)}"
    return [
        styled(f"{glyphs.queued} {what}{name} {where}", BUSY),
        Text(f"{glyphs.arrow} deployctl attach"),
    ]


def _others(groups: Sequence[GroupReconciliation], glyphs: Glyphs) -> list[Text]:
    """Groups in which somebody else's deployment is at work, though none of their workers need show it yet."""
    found = [(group.name, worker) for group in groups if (worker := group.slot_holder) is not None]
    lines = []
    for name, worker in found[:MAX_NAMES]:
        creator = sanitize(worker.active_deployment_creator or "nobody known")
        what = f"{sanitize(worker.active_deployment_id or '')} by {creator}"
        brings = sanitize(worker.active_deployment_version or "another revision")
        desired = sanitize(worker.desired_version or "")
        said = f"{sanitize(name)}: {what} is deploying {brings} here, not for the release of {desired}"
        lines.append(styled(f"{glyphs.queued} {said}", BUSY))
    if found[MAX_NAMES:]:
        lines.append(
            styled(f"{glyphs.ellipsis} and {count(len(found) - MAX_NAMES, 'more such group')}", REST)
        )
    return lines


def _unsettled(groups: Sequence[GroupReconciliation], glyphs: Glyphs) -> list[Text]:
    """Groups whose workers all run what failed or was stopped there; some may have run it before.

    CodeDeploy gives to what is launched next what was last deployed with success, which may be another version.
    """
    found = [
        (group.name, worker)
        for group in groups
        if (worker := group.unverified_verdict) is not None and not worker.is_in_progress
    ]
    lines = []
    for name, worker in found[:MAX_NAMES]:
        version = sanitize(worker.desired_version or "")
        how = _CAME_OUT[worker.desired_verdict or Verdict.UNKNOWN]
        lines.append(styled(f"{glyphs.queued} {sanitize(name)}: its release of {version} {how}", BUSY))
        lines.append(Text(f"{glyphs.arrow} {sanitize(settle_command(worker))}"))
    if found[MAX_NAMES:]:
        lines.append(
            styled(f"{glyphs.ellipsis} and {count(len(found) - MAX_NAMES, 'more such group')}", REST)
        )
        lines.append(Text(f"{glyphs.arrow} deployctl status"))
    return lines


_CAME_OUT = {
    Verdict.EMPTY: "found no worker",
    Verdict.VERIFIED: "verified",
    Verdict.PARTIAL: "held partly",
    Verdict.NOT_STARTED: "was not started",
    Verdict.RUNNING: "is not over",
    Verdict.SUPERSEDED: "was superseded",
    Verdict.ROLLED_BACK: "was rolled back",
    Verdict.STOPPED: "was stopped",
    Verdict.BUSY: "found the group busy",
    Verdict.UNKNOWN: "has no known verdict",
    Verdict.FAILED: "failed",
}


def _quiet(groups: Sequence[GroupReconciliation], glyphs: Glyphs) -> list[Text]:
    """What is not listed, in a line each: groups in which all is well, groups not managed."""
    lines = []
    quiet = [group for group in groups if not group.listed]
    if managed := [group for group in quiet if group.is_managed]:
        workers = sum(group.living for group in managed)
        besides = "other " if len(quiet) < len(groups) else ""
        lines.append(
            styled(
                f"{count(len(managed), besides + 'group')} without drift, {count(workers, 'worker')}", REST
            )
        )
    if strange := [group for group in quiet if not group.is_managed]:
        names = list_some((sanitize(group.name) for group in strange), most=MAX_NAMES)
        lines.append(styled(f"{count(len(strange), 'group')} not managed: {names}", REST))
        lines.append(Text(f"{glyphs.arrow} deployctl release VERSION --group NAME"))
    return lines
