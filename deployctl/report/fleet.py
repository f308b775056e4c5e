"""The reconcile table: in words whether all is well, then who is not as desired, why, and what mends it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from rich.text import Text

from deployctl.model.cause import Category, Reconciliation, settling
from deployctl.report.drifted import group_lines, wrapped
from deployctl.report.look import BAD, BUSY, GOOD, REST, STRONG, Glyphs, styled
from deployctl.report.reconciliation import GroupFound, by_group
from deployctl.report.words import as_utc, clean, count, duration, size, some

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
    found: Reconciliation, *, now: datetime, columns: int, glyphs: Glyphs, most_workers: int = 20
) -> list[Text]:
    """The whole table, each line within so many columns but for remedies, which must stay whole to be copied.

    `most_workers` of a group with the same remedy are listed one by one, and `MAX_GROUPS` groups; the rest is
    counted. Only groups with something to see are listed.
    """
    groups = by_group(found.workers)
    head = [_sentence(found, groups, glyphs), _snapshot(found, now, glyphs), _categories(found, glyphs)]
    seen = [group for group in groups if group.listed]
    lines = [part for line in head for part in wrapped(line, columns)]
    for group in seen[:MAX_GROUPS]:
        lines += [Text(), *group_lines(group, columns=columns, glyphs=glyphs, most=most_workers)]
    rest = [*_unsettled(groups, glyphs), *_rest(groups, seen, glyphs)]
    return [*lines, Text(), *rest] if rest else lines


def _sentence(found: Reconciliation, groups: Sequence[GroupFound], glyphs: Glyphs) -> Text:
    """Whether all is well, in words."""
    name, counts = clean(found.application), found.by_category
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
    if unsettled := sum(group.unsettled is not None for group in groups):
        return styled(
            f"{glyphs.queued} {count(managed, 'worker')} of {name} as desired, but in"
            f" {count(unsettled, 'group')} that version has not held",
            BUSY,
        )
    return styled(
        f"{glyphs.held} all is well: {count(managed, 'worker')} of {name} as desired,"
        f" in {count(sum(group.is_managed for group in groups), 'group')}",
        GOOD,
    )


def _snapshot(found: Reconciliation, now: datetime, glyphs: Glyphs) -> Text:
    age_s = (as_utc(now) - as_utc(found.snapshot_at)).total_seconds()
    at = as_utc(found.snapshot_at).strftime("%Y-%m-%d %H:%M:%SZ")
    line = styled("seen ", REST).append(f"{duration(age_s)} ago", BUSY if age_s > OLD_AFTER_S else "")
    dot = f" {glyphs.dot} "
    parts = [at, clean(found.engine), f"{size(found.bytes_scanned)} scanned", clean(found.snapshot_id)]
    return line.append(dot + dot.join(parts), REST)


def _categories(found: Reconciliation, glyphs: Glyphs) -> Text:
    """How many workers are in each category, drift first."""
    line = Text()
    for category, number in sorted(found.by_category.items(), key=lambda item: not item[0].is_drift):
        if number:
            line.append(f" {glyphs.dot} " if line else "")
            line.append(f"{number:,} {category.value}", _STYLES.get(category, BAD))
    return line


def _unsettled(groups: Sequence[GroupFound], glyphs: Glyphs) -> list[Text]:
    """Groups whose workers all run what failed, was stopped or is not over there; some may have run it before.

    CodeDeploy gives to what is launched next what was last deployed with success, which may be another version.
    """
    found = [(group.name, worker) for group in groups if (worker := group.unsettled) is not None]
    lines = []
    for name, worker in found[:MAX_NAMES]:
        version = clean(worker.desired_version or "")
        verdict = worker.desired_verdict.value if worker.desired_verdict else ""
        lines.append(styled(f"{glyphs.queued} {clean(name)}: its release of {version} is {verdict}", BUSY))
        lines.append(Text(f"{glyphs.arrow} {clean(settling(worker))}"))
    if found[MAX_NAMES:]:
        lines.append(
            styled(f"{glyphs.ellipsis} and {count(len(found) - MAX_NAMES, 'more such group')}", REST)
        )
        lines.append(Text(f"{glyphs.arrow} deployctl status"))
    return lines


def _rest(groups: Sequence[GroupFound], seen: Sequence[GroupFound], glyphs: Glyphs) -> list[Text]:
    """What is not listed, in a line each: further groups with drift, quiet groups, groups not managed."""
    lines = []
    if further := seen[MAX_GROUPS:]:
        drifted = count(sum(group.drifted for group in further), "worker")
        lines.append(
            Text(f"{glyphs.ellipsis} and {count(len(further), 'more group')}, {drifted} not as desired")
        )
        lines.append(Text(f"{glyphs.arrow} deployctl reconcile --group NAME"))
    quiet = [group for group in groups if not group.listed]
    if managed := [group for group in quiet if group.is_managed]:
        workers = sum(group.living for group in managed)
        besides = "other " if seen else ""
        lines.append(
            styled(
                f"{count(len(managed), besides + 'group')} without drift, {count(workers, 'worker')}", REST
            )
        )
    if strange := [group for group in quiet if not group.is_managed]:
        names = some((clean(group.name) for group in strange), most=MAX_NAMES)
        lines.append(styled(f"{count(len(strange), 'group')} not managed: {names}", REST))
        lines.append(Text(f"{glyphs.arrow} deployctl release VERSION --group NAME"))
    return lines
