"""After a release: the troubled groups, what to type next, and one honest verdict line."""

from __future__ import annotations

from collections.abc import Sequence

from rich.text import Text

from deployctl.model.release import GroupOutcome, ReleaseOutcome
from deployctl.model.verdict import Verdict, WorkerVerdict
from deployctl.report.look import BAD, BUSY, GOOD, Glyphs, styled
from deployctl.report.progress import judged
from deployctl.report.words import clean, count, duration, shell_glob, some

MAX_GROUPS = 20
MAX_WORKERS = 3
MAX_IN_LINE = 3
_INDENT = "    "
# Worst first: the line that is read is the first one.
_WORST_FIRST = tuple(v for v in reversed(Verdict) if not v.held)


def summary(outcome: ReleaseOutcome, *, glyphs: Glyphs) -> list[Text]:
    """Each troubled group with its workers, cause and next command, twenty at most; the verdict line last."""
    troubled = troubled_groups(outcome)
    shown = troubled[:MAX_GROUPS]
    found = [line for group in shown for line in _group(group, glyphs)]
    left = len(troubled) - len(shown)
    if left:
        found.append(Text(f"and {left:,} more: deployctl reconcile"))
    style = GOOD if outcome.verdict.held else BUSY if outcome.verdict is Verdict.RUNNING else BAD
    return [*found, styled(verdict_line(outcome), style)]


def troubled_groups(outcome: ReleaseOutcome) -> list[GroupOutcome]:
    """Those that neither hold nor are empty, the worst verdict first, then by name."""
    troubled = [group for group in outcome.groups if not group.verdict.held]
    return sorted(troubled, key=lambda g: (_WORST_FIRST.index(g.verdict), g.group))


def verdict_line(outcome: ReleaseOutcome) -> str:
    """One sentence: `v123 held on 49 of 50 groups; failed on mail-send (1 of 6 workers)`."""
    version, groups = clean(outcome.version), len(outcome.groups)
    held = [group for group in outcome.groups if group.verdict is Verdict.HELD]
    empty = sum(group.verdict is Verdict.EMPTY for group in outcome.groups)
    if groups and empty == groups:
        return f"{version} is desired on {count(groups, 'group')}; none has a worker yet"
    if groups and len(held) == groups:
        workers = sum(judged(group).done for group in held)
        whole = "its only group" if groups == 1 else f"all {groups:,} groups"
        return f"{version} held on {whole}, {count(workers, 'worker')}, in {duration(outcome.elapsed_s)}"
    parts = [f"{version} held on {len(held):,} of {count(groups, 'group')}"]
    parts += [_named(verdict, outcome) for verdict in _WORST_FIRST if _having(verdict, outcome)]
    parts += [f"{empty:,} without workers"] if empty else []
    return "; ".join(parts)


def _having(verdict: Verdict, outcome: ReleaseOutcome) -> list[GroupOutcome]:
    return [group for group in outcome.groups if group.verdict is verdict]


def _named(verdict: Verdict, outcome: ReleaseOutcome) -> str:
    names = [f"{clean(g.group)}{_share(g)}" for g in _having(verdict, outcome)]
    return f"{_WORDS.get(verdict, verdict.value)} on {some(names, most=MAX_IN_LINE)}"


_WORDS = {
    Verdict.RUNNING: "still running",
    Verdict.ROLLED_BACK: "rolled back",
    Verdict.PARTLY: "held partly",
    Verdict.UNKNOWN: "verdict unknown",
}


def _share(group: GroupOutcome) -> str:
    """How many of its workers are why, such as ` (1 of 6 workers)`."""
    why = _why(group)
    if not why or not group.workers:
        return ""
    return f" ({len(why):,} of {count(len(group.workers), 'worker')})"


def _why(group: GroupOutcome) -> list[tuple[str, str]]:
    """Instance and cause of each worker that does not hold, the failed before the rest."""
    not_held = [w for w in group.workers if w.verdict not in (WorkerVerdict.HELD, WorkerVerdict.EXCUSED)]
    failed = [w for w in not_held if w.verdict is WorkerVerdict.FAILED]
    return [(clean(w.instance_id), clean(w.cause or w.verdict.value)) for w in failed or not_held]


def _group(group: GroupOutcome, glyphs: Glyphs) -> Sequence[Text]:
    style = BUSY if group.verdict is Verdict.RUNNING else BAD
    mark = glyphs.running if group.verdict is Verdict.RUNNING else glyphs.failed
    head = (
        styled(f"{mark} ", style).append(clean(group.group), "bold").append(f" {group.verdict.value}", style)
    )
    told = head.append(f"{_share(group)}: {_reason(group)}")
    if group.verdict is Verdict.RUNNING:
        return [told]
    return [told, Text(f"{_INDENT}{glyphs.arrow} deployctl reconcile --group {shell_glob(group.group)}")]


def _reason(group: GroupOutcome) -> str:
    """The workers by cause, each cause once."""
    by_cause: dict[str, list[str]] = {}
    for instance_id, cause in _why(group):
        by_cause.setdefault(cause, []).append(instance_id)
    if not by_cause:
        return clean(group.reason or "no worker said why")
    # A worker was skipped because another failed: that one's cause is what to read.
    roots_first = sorted(by_cause.items(), key=lambda found: found[0].startswith("skipped"))
    told = [f"{some(ids, most=MAX_WORKERS)}: {cause}" for cause, ids in roots_first]
    return some(told[:1], most=1) + (f"; and {count(len(told) - 1, 'other cause')}" if told[1:] else "")
