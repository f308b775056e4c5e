"""After a release: the troubled groups, what to type next, and one honest verdict line."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from rich.text import Text

from deployctl.model.release import GroupOutcome, ReleaseKind, ReleaseOutcome, StopKind
from deployctl.model.verdict import Verdict, WorkerVerdict
from deployctl.report.formatting import count, duration, list_some, sanitize, shell_glob
from deployctl.report.group_progress import final_counts
from deployctl.report.style import BAD, BUSY, GOOD, Glyphs, styled

MAX_GROUPS = 20
MAX_WORKERS = 3
MAX_IN_LINE = 3
_INDENT = "    "
# Worst first: the line that is read is the first one.
_WORST_FIRST = tuple(v for v in reversed(Verdict) if not v.is_verified)
# What befalls many groups at once and for one reason is said once.
_TOGETHER = (Verdict.NOT_STARTED, Verdict.SUPERSEDED, Verdict.STOPPED, Verdict.ROLLED_BACK)
_MILD = (Verdict.RUNNING, Verdict.PARTIAL, Verdict.NOT_STARTED, Verdict.SUPERSEDED)


def summary(outcome: ReleaseOutcome, *, glyphs: Glyphs, again: str | None = None) -> list[Text]:
    """Each troubled group with its workers, cause and next command, twenty at most; the verdict line last.

    `again` is the command that goes on with it, where one was typed. A release that was taken back is followed
    by how that went, both as they are.
    """
    # What became of a group in the rollback stands there.
    told = {g.group for g in troubled_groups(outcome.rollback)} if outcome.rollback else set()
    own = [group for group in troubled_groups(outcome) if group.group not in told]
    blocks = [_block(groups, outcome, again, glyphs) for groups in _gathered(own)]
    shown = blocks[:MAX_GROUPS]
    found = _without_repeats(line for block in shown for line in block)
    left = len(blocks) - len(shown)
    if left:
        found.append(Text(f"and {left:,} more: deployctl reconcile"))
    if outcome.rollback is not None:
        found += summary(outcome.rollback, glyphs=glyphs)
    return [*found, styled(verdict_line(outcome), _style(outcome.verdict))]


def _without_repeats(lines: Iterable[Text]) -> list[Text]:
    """A command that mends several things is said once."""
    said: set[str] = set()
    kept = []
    for line in lines:
        command = line.plain.strip().partition("   # ")[0] if line.plain.startswith(_INDENT) else None
        if command not in said:
            kept.append(line)
        if command is not None:
            said.add(command)
    return kept


def _style(verdict: Verdict) -> str:
    return GOOD if verdict.is_verified else BUSY if verdict in _MILD else BAD


def troubled_groups(outcome: ReleaseOutcome) -> list[GroupOutcome]:
    """Those that neither hold nor are empty, the worst verdict first, then by name."""
    troubled = [group for group in outcome.groups if not group.verdict.is_verified]
    return sorted(troubled, key=lambda g: (_WORST_FIRST.index(g.verdict), g.group))


def _gathered(groups: Sequence[GroupOutcome]) -> list[list[GroupOutcome]]:
    """Each group by itself, but for those to which the same happened for the same reason."""
    found: dict[tuple[str, ...], list[GroupOutcome]] = {}
    for group in groups:
        alike = group.verdict in _TOGETHER or not _why(group)
        key = (group.verdict, group.reason or "") if alike else (group.verdict, "", group.group)
        found.setdefault(key, []).append(group)
    return list(found.values())


def verdict_line(outcome: ReleaseOutcome) -> str:
    """One sentence: `v123 held on 49 of 50 groups; failed on mail-send (1 of 6 workers)`."""
    name, groups = _name(outcome), len(outcome.groups)
    held = [group for group in outcome.groups if group.verdict is Verdict.VERIFIED]
    empty = sum(group.verdict is Verdict.EMPTY for group in outcome.groups)
    if groups and empty == groups:
        return f"{name} is desired on {count(groups, 'group')}; none has a worker yet"
    if groups and len(held) == groups:
        workers = sum(final_counts(group).done for group in held)
        whole = "its only group" if groups == 1 else f"all {groups:,} groups"
        return f"{name} held on {whole}, {count(workers, 'worker')}, in {duration(outcome.elapsed_s)}"
    parts = [f"{name} held on {len(held):,} of {count(groups, 'group')}"]
    parts += [_named(verdict, outcome) for verdict in _WORST_FIRST if _having(verdict, outcome)]
    parts += [f"{empty:,} without workers"] if empty else []
    return "; ".join(parts)


def _name(outcome: ReleaseOutcome) -> str:
    """`v123`; of a rollback, the versions that its groups went back to, of a repair those that it brought."""
    if outcome.kind is ReleaseKind.REPAIR:
        return f"the repair to {sanitize(outcome.version)}"
    if outcome.kind is ReleaseKind.RELEASE:
        return sanitize(outcome.version)
    others = len({g.version for g in outcome.groups} - {outcome.version})
    return f"the rollback to {sanitize(outcome.version)}" + (
        f" and {count(others, 'other version')}" if others else ""
    )


def _having(verdict: Verdict, outcome: ReleaseOutcome) -> list[GroupOutcome]:
    return [group for group in outcome.groups if group.verdict is verdict]


def _named(verdict: Verdict, outcome: ReleaseOutcome) -> str:
    having = _having(verdict, outcome)
    word = _WORDS.get(verdict, verdict.value)
    if verdict in _TOGETHER and len(having) > MAX_IN_LINE:
        every = "all" if len(having) == len(outcome.groups) else f"{len(having):,}"
        return f"{word} on {every}"
    return f"{word} on {list_some([f'{sanitize(g.group)}{_share(g)}' for g in having], most=MAX_IN_LINE)}"


_WORDS = {
    Verdict.RUNNING: "still running",
    Verdict.ROLLED_BACK: "rolled back",
    Verdict.PARTIAL: "held partly",
    Verdict.UNKNOWN: "verdict unknown",
    Verdict.NOT_STARTED: "not started",
    Verdict.BUSY: "no slot",
}


def _share(group: GroupOutcome) -> str:
    """How many of its workers are why, such as ` (1 of 6 workers)`; of one that holds in part, that they failed."""
    why = [] if group.verdict in _TOGETHER else _why(group)
    if not why or not group.workers:
        return ""
    failed = " failed" if group.verdict is Verdict.PARTIAL else ""
    return f" ({len(why):,} of {count(len(group.workers), 'worker')}{failed})"


def _why(group: GroupOutcome) -> list[tuple[str, str]]:
    """Instance and cause of each worker that does not hold, the failed before the rest."""
    not_held = [w for w in group.workers if w.verdict not in (WorkerVerdict.VERIFIED, WorkerVerdict.EXCUSED)]
    failed = [w for w in not_held if w.verdict is WorkerVerdict.FAILED]
    return [(sanitize(w.instance_id), sanitize(w.cause or w.verdict.value)) for w in failed or not_held]


def _block(
    groups: Sequence[GroupOutcome], outcome: ReleaseOutcome, again: str | None, glyphs: Glyphs
) -> list[Text]:
    """What happened to one group, or alike to several, and what to type."""
    verdict = groups[0].verdict
    style = _style(verdict)
    mark = glyphs.running if verdict is Verdict.RUNNING else glyphs.failed
    mark = glyphs.waiting if verdict in (Verdict.NOT_STARTED, Verdict.SUPERSEDED) else mark
    head = styled(f"{mark} ", style).append(_who(groups), "bold").append(f" {verdict.value}", style)
    alone = len(groups) == 1 and verdict not in (Verdict.NOT_STARTED, Verdict.SUPERSEDED)
    head.append(f"{_share(groups[0])}: {_reason(groups[0])}" if alone else _common(groups))
    commands = _commands(groups, outcome, again)
    return [head, *(Text(f"{_INDENT}{glyphs.arrow} {command}") for command in commands)]


def _who(groups: Sequence[GroupOutcome]) -> str:
    names = [sanitize(g.group) for g in groups]
    return names[0] if len(names) == 1 else f"{len(names):,} groups ({list_some(names, most=MAX_IN_LINE)})"


def _common(groups: Sequence[GroupOutcome]) -> str:
    return f": {_given(groups[0])}" if groups[0].reason else ""


def _given(group: GroupOutcome) -> str:
    """The reason, without the verdict's own words at its head."""
    return sanitize(group.reason or "").removeprefix(f"{_WORDS.get(group.verdict, group.verdict.value)}: ")


def _commands(groups: Sequence[GroupOutcome], outcome: ReleaseOutcome, again: str | None) -> list[str]:
    """What to type next about these groups, which have one verdict."""
    glob = f" --group {shell_glob(groups[0].group)}"
    match groups[0].verdict:
        case Verdict.RUNNING:
            return []
        case Verdict.ROLLED_BACK:
            only = glob if len(groups) == 1 else ""
            return [f"deployctl logs {sanitize(outcome.release_id)}{only}   # why it was taken back"]
        case Verdict.SUPERSEDED:
            return ["deployctl status   # the release that took its place"]
        case Verdict.STOPPED if outcome.stop is not None and outcome.stop.kind is StopKind.ROLLBACK:
            return ["deployctl status   # the rollback that took its place"]
        case Verdict.NOT_STARTED if outcome.rollback is not None:
            return []
        case Verdict.NOT_STARTED:
            return [f"{again or _again(outcome)}   # once that is mended"]
        case Verdict.BUSY:
            return [f"{_again(outcome)}{glob}   # once that deployment is over"]
        case Verdict.FAILED if not _why(groups[0]):
            # Every worker is on it, and it failed as a whole: there is nobody to be mended.
            only = glob if len(groups) == 1 else ""
            return [f"deployctl rollback{only}   # goes back"]
        case Verdict.STOPPED if len(groups) > 1 and outcome.kind is not ReleaseKind.REPAIR:
            return [f"{again or _again(outcome)}   # goes on", "deployctl rollback   # goes back"]
        case _:
            return [f"deployctl reconcile{glob}"]


def _again(outcome: ReleaseOutcome) -> str:
    if outcome.kind is ReleaseKind.ROLLBACK:
        return "deployctl rollback"
    if outcome.kind is ReleaseKind.REPAIR:
        return "deployctl reconcile --fix"
    return f"deployctl release {sanitize(outcome.version)} --existing"


def _reason(group: GroupOutcome) -> str:
    """The workers by cause, each cause once; where the release itself decided, why it did."""
    decided = group.verdict in (*_TOGETHER, Verdict.BUSY)
    by_cause: dict[str, list[str]] = {}
    for instance_id, cause in [] if decided and group.reason else _why(group):
        by_cause.setdefault(cause, []).append(instance_id)
    if not by_cause:
        return _given(group) or "no worker said why"
    # A worker was skipped because another failed: that one's cause is what to read.
    roots_first = sorted(by_cause.items(), key=lambda found: found[0].startswith("skipped"))
    told = [f"{list_some(ids, most=MAX_WORKERS)}: {cause}" for cause, ids in roots_first]
    return list_some(told[:1], most=1) + (f"; and {count(len(told) - 1, 'other cause')}" if told[1:] else "")
