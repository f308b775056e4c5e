"""The end of a release: the failed groups, what to type next, and one verdict line."""

from collections.abc import Iterable, Sequence

from rich.text import Text

from deployctl.model.command import only, shell_command
from deployctl.model.release import GroupOutcome, ReleaseKind, ReleaseOutcome, StopKind
from deployctl.model.verdict import Verdict, WorkerVerdict
from deployctl.report.board_header import release_name
from deployctl.report.formatting import count, duration, group_by, list_some, sanitize
from deployctl.report.group_progress import final_counts
from deployctl.report.style import Glyphs, styled, verdict_style

MAX_GROUPS = 20
MAX_WORKERS = 3
MAX_IN_LINE = 3
_INDENT = "    "
_WORST_FIRST = tuple(v for v in reversed(Verdict) if not v.is_verified)
# These verdicts hit many groups at once and for one reason.
_SHARED = (Verdict.NOT_STARTED, Verdict.SUPERSEDED, Verdict.STOPPED, Verdict.ROLLED_BACK)


def summary(outcome: ReleaseOutcome, *, glyphs: Glyphs, again: str | None = None) -> list[Text]:
    """Each failed group with its workers, cause and next command, twenty at most; the verdict line last.

    `again` is the command that resumes the release, if one was typed. An automatic rollback has its own lines
    before the release's verdict line.
    """
    # The rollback's lines show what happened to these groups.
    in_rollback = {g.group for g in troubled_groups(outcome.rollback)} if outcome.rollback else set()
    own = [group for group in troubled_groups(outcome) if group.group not in in_rollback]
    blocks = [_block(groups, outcome, again, glyphs) for groups in _gather(own)]
    lines = _without_repeats(line for block in blocks[:MAX_GROUPS] for line in block)
    more = len(blocks) - MAX_GROUPS
    if more > 0:
        lines += [Text(f"and {more:,} more"), Text(f"{_INDENT}{glyphs.arrow} deployctl reconcile")]
    if outcome.rollback is not None:
        lines += summary(outcome.rollback, glyphs=glyphs)
    return [*lines, styled(verdict_line(outcome), verdict_style(outcome.verdict))]


def _without_repeats(lines: Iterable[Text]) -> list[Text]:
    """The lines, each command only once."""
    seen: set[str] = set()
    kept = []
    for line in lines:
        command = line.plain.strip().partition("   # ")[0] if line.plain.startswith(_INDENT) else None
        if command not in seen:
            kept.append(line)
        if command is not None:
            seen.add(command)
    return kept


def troubled_groups(outcome: ReleaseOutcome) -> list[GroupOutcome]:
    """The groups with another verdict than verified or empty, the worst verdict first, then by name."""
    troubled = [group for group in outcome.groups if not group.verdict.is_verified]
    return sorted(troubled, key=lambda g: (_WORST_FIRST.index(g.verdict), g.group))


def _gather(groups: Sequence[GroupOutcome]) -> list[list[GroupOutcome]]:
    """Groups with the same verdict for the same reason together, every other group alone."""

    def likeness(group: GroupOutcome) -> tuple[str, ...]:
        alike = group.verdict in _SHARED or not _causes(group)
        return (group.verdict, group.reason or "") if alike else (group.verdict, "", group.group)

    return list(group_by(groups, likeness).values())


def verdict_line(outcome: ReleaseOutcome) -> str:
    """One sentence: `v123 verified on 49 of 50 groups; failed on mail-send (1 of 6 workers)`."""
    name = release_name(outcome.kind, outcome.version, [g.version for g in outcome.groups])
    groups = len(outcome.groups)
    verified = [group for group in outcome.groups if group.verdict is Verdict.VERIFIED]
    empty = sum(group.verdict is Verdict.EMPTY for group in outcome.groups)
    if groups and empty == groups:
        return f"{name} set on {count(groups, 'group')}; none has a worker yet"
    if groups and len(verified) == groups:
        workers = sum(final_counts(group).done for group in verified)
        where = "its only group" if groups == 1 else f"all {groups:,} groups"
        return f"{name} verified on {where}, {count(workers, 'worker')}, in {duration(outcome.elapsed_s)}"
    parts = [f"{name} verified on {len(verified):,} of {count(groups, 'group')}"]
    for verdict in _WORST_FIRST:
        same = [group for group in outcome.groups if group.verdict is verdict]
        parts += [_verdict_part(verdict, same, groups)] if same else []
    parts += [f"{empty:,} without workers"] if empty else []
    return "; ".join(parts)


def _verdict_part(verdict: Verdict, same: Sequence[GroupOutcome], groups: int) -> str:
    word = _WORDS.get(verdict, verdict.value)
    if verdict in _SHARED and len(same) > MAX_IN_LINE:
        return f"{word} on {'all' if len(same) == groups else f'{len(same):,}'}"
    return f"{word} on {list_some([f'{sanitize(g.group)}{_share(g)}' for g in same], most=MAX_IN_LINE)}"


_WORDS = {
    Verdict.RUNNING: "still running",
    Verdict.ROLLED_BACK: "rolled back",
    Verdict.UNKNOWN: "verdict unknown",
    Verdict.NOT_STARTED: "not started",
}


def _share(group: GroupOutcome) -> str:
    """How many of the group's workers caused its verdict: ` (1 of 6 workers)`."""
    causes = [] if group.verdict in _SHARED else _causes(group)
    if not causes or not group.workers:
        return ""
    failed = " failed" if group.verdict is Verdict.PARTIAL else ""
    return f" ({len(causes):,} of {count(len(group.workers), 'worker')}{failed})"


def _causes(group: GroupOutcome) -> list[tuple[str, str]]:
    """Instance and cause of each failed worker or, if none failed, of each unverified one."""
    unverified = [
        w for w in group.workers if w.verdict not in (WorkerVerdict.VERIFIED, WorkerVerdict.EXCUSED)
    ]
    failed = [w for w in unverified if w.verdict is WorkerVerdict.FAILED]
    return [(sanitize(w.instance_id), sanitize(w.cause or w.verdict.value)) for w in failed or unverified]


def _block(
    groups: Sequence[GroupOutcome], outcome: ReleaseOutcome, again: str | None, glyphs: Glyphs
) -> list[Text]:
    """What happened to one group, or to several groups alike, and what to type."""
    verdict, first = groups[0].verdict, groups[0]
    style = verdict_style(verdict)
    mark = glyphs.running if verdict is Verdict.RUNNING else glyphs.failed
    mark = glyphs.waiting if verdict in (Verdict.NOT_STARTED, Verdict.SUPERSEDED) else mark
    names = [sanitize(g.group) for g in groups]
    name = names[0] if len(names) == 1 else f"{len(names):,} groups ({list_some(names, most=MAX_IN_LINE)})"
    head = styled(f"{mark} ", style).append(name, "bold").append(f" {verdict.value}", style)
    if len(groups) == 1 and verdict not in (Verdict.NOT_STARTED, Verdict.SUPERSEDED):
        head.append(f"{_share(first)}: {_reason(first)}")
    elif first.reason:
        head.append(f": {_recorded_reason(first)}")
    commands = _commands(groups, outcome, again)
    return [head, *(Text(f"{_INDENT}{glyphs.arrow} {command}") for command in commands)]


def _recorded_reason(group: GroupOutcome) -> str:
    """The reason, without the verdict's own words in front."""
    return sanitize(group.reason or "").removeprefix(f"{_WORDS.get(group.verdict, group.verdict.value)}: ")


def _commands(groups: Sequence[GroupOutcome], outcome: ReleaseOutcome, again: str | None) -> list[str]:
    """What to type next for these groups, which have one verdict."""
    glob = f" {shell_command('--group', only(groups[0].group))}"
    only_it = glob if len(groups) == 1 else ""
    match groups[0].verdict:
        case Verdict.RUNNING:
            return []
        case Verdict.ROLLED_BACK:
            return [
                f"{shell_command('deployctl', 'logs', outcome.release_id)}{only_it}   # why it was rolled back"
            ]
        case Verdict.SUPERSEDED:
            return ["deployctl status   # the release that replaced it"]
        case Verdict.STOPPED if outcome.stop is not None and outcome.stop.kind is StopKind.ROLLBACK:
            return ["deployctl status   # the rollback that replaced it"]
        case Verdict.NOT_STARTED if outcome.rollback is not None:
            return []
        case Verdict.NOT_STARTED:
            return [f"{again or _again(outcome)}   # once that is fixed"]
        case Verdict.BUSY:
            return [f"{_again(outcome)}{glob}   # once that deployment has finished"]
        case Verdict.FAILED if not _causes(groups[0]):
            # The group failed as a whole: no single worker can be fixed.
            return [f"deployctl rollback{only_it}   # roll back"]
        case Verdict.STOPPED if len(groups) > 1 and outcome.kind is not ReleaseKind.REPAIR:
            return [f"{again or _again(outcome)}   # resume", "deployctl rollback   # roll back"]
        case _:
            return [f"deployctl reconcile{glob}"]


def _again(outcome: ReleaseOutcome) -> str:
    if outcome.kind is ReleaseKind.ROLLBACK:
        return "deployctl rollback"
    if outcome.kind is ReleaseKind.REPAIR:
        return "deployctl reconcile --fix"
    return shell_command("deployctl", "release", outcome.version, "--existing")


def _reason(group: GroupOutcome) -> str:
    """The first cause with its workers, or the reason why the release itself decided."""
    decided = group.verdict in (*_SHARED, Verdict.BUSY)
    causes = [] if decided and group.reason else _causes(group)
    by_cause = group_by(causes, lambda found: found[1])
    if not by_cause:
        return _recorded_reason(group) or "no failure reason reported"
    # CodeDeploy skips a worker because another failed: the failure is the cause to read.
    first, *others = sorted(by_cause.items(), key=lambda found: found[0].startswith("skipped"))
    more = f"; and {count(len(others), 'other cause')}" if others else ""
    workers = list_some((instance_id for instance_id, _ in first[1]), most=MAX_WORKERS)
    return f"{workers}: {first[0]}{more}"
