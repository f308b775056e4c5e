"""One group of the reconcile table: its drifted workers, gathered by the command that fixes them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from rich.text import Text

from deployctl.model.cause import Category
from deployctl.model.reconciliation import ReconciledWorker
from deployctl.report.formatting import count, duration, sanitize
from deployctl.report.reconcile_groups import GroupReconciliation
from deployctl.report.style import BAD, BUSY, GOOD, REST, STRONG, Glyphs, fit, styled
from deployctl.report.table import indent, wrap

WIDE = 120
_INDENT = "  "
_DEEP = "      "


@dataclass(frozen=True, slots=True, kw_only=True)
class _Widths:
    """The columns of a worker's row. `why` (cause and evidence) is None where it needs lines of its own."""

    instance: int
    category: int
    versions: int
    behind: int
    why: int | None


def group_lines(group: GroupReconciliation, *, columns: int, glyphs: Glyphs, most: int) -> list[Text]:
    """A heading, then each remedy once, below the workers that it fixes."""
    listed = group.listed
    widths = _widths(listed, columns, glyphs)
    lines = wrap(_heading(group), columns)
    for remedy, workers in _by_remedy(listed).items():
        for worker in workers[:most]:
            lines += _worker(worker, widths, columns, glyphs)
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


def _by_remedy(workers: Sequence[ReconciledWorker]) -> dict[str | None, list[ReconciledWorker]]:
    """Workers with a remedy first, otherwise in the given order."""
    ordered = sorted(workers, key=lambda w: w.remedy is None)
    found: dict[str | None, list[ReconciledWorker]] = {}
    for worker in ordered:
        found.setdefault(worker.remedy, []).append(worker)
    return found


def _widths(workers: Sequence[ReconciledWorker], columns: int, glyphs: Glyphs) -> _Widths:
    instance = max(len(sanitize(w.instance_id)) for w in workers)
    category = max(len(w.category.value) for w in workers)
    versions = max(_versions(w, glyphs).cell_len for w in workers)
    late = max(len(delay_text(w)) for w in workers)
    left = columns - len(_INDENT) - instance - category - versions - late - 4 * 2
    return _Widths(
        instance=instance,
        category=category,
        versions=versions,
        behind=late,
        why=left if columns >= WIDE and left >= WIDE // 3 else None,
    )


def _worker(worker: ReconciledWorker, widths: _Widths, columns: int, glyphs: Glyphs) -> list[Text]:
    style = BAD if worker.category.is_drift else GOOD if worker.category is Category.CURRENT else BUSY
    row = Text(_INDENT).append(sanitize(worker.instance_id).ljust(widths.instance))
    row.append("  ").append(worker.category.value.ljust(widths.category), style)
    versions = _versions(worker, glyphs)
    row.append("  ").append(versions).append(" " * (widths.versions - versions.cell_len))
    row.append("  ").append(delay_text(worker).ljust(widths.behind))
    if widths.why is None:
        row.rstrip()
        return [fit(row, columns, glyphs), *indent(wrap(_why(worker), columns - len(_DEEP)), _DEEP)]
    first, *more = wrap(_why(worker), widths.why)
    return [row.append("  ").append(first), *indent(more, " " * (columns - widths.why))]


def _versions(worker: ReconciledWorker, glyphs: Glyphs) -> Text:
    """The deployed and the desired version, with an arrow between them."""
    deployed = sanitize(worker.deployed_version or "no version")
    return Text(f"{deployed} {glyphs.arrow} {sanitize(worker.desired_version or 'none desired')}")


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
