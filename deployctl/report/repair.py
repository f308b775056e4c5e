"""A repair in words: what would be done to which worker, and what came of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

from rich.text import Text

from deployctl.execute.repair_outcome import RepairOutcome, RepairResult, WorkerRepairResult
from deployctl.model.cause import Category, Cause
from deployctl.model.release import ReleaseInProgress, ReleaseKind
from deployctl.plan.repair import GroupRepair, RepairAction, RepairPlan, WorkerRepair
from deployctl.report.formatting import count, duration, moment, sanitize, shell_glob
from deployctl.report.reconcile_group import wrapped
from deployctl.report.style import BAD, BUSY, GOOD, REST, STRONG, Glyphs, styled

MAX_WORKERS = 20
MAX_GROUPS = 30
_INDENT, _DEEP, _BELOW = "  ", "    ", "      "
#: In fewer columns, words are read a syllable a line.
_ROOM = 24
_DONE = {RepairAction.RETAG: "tagged", RepairAction.REDEPLOY: "deployed to", RepairAction.REPLACE: "replaced"}
_CHOICE = (
    "CodeDeploy chooses by its own record which workers are outdated. Should it leave out one of these, that"
    " deployment is stopped, and the whole group is deployed to by its strategy."
)


def repair_plan_lines(
    plan: RepairPlan, *, in_progress: ReleaseInProgress | None, columns: int, glyphs: Glyphs
) -> list[Text]:
    """What would be done, group by group; those in which nothing is to be done come last.

    Each line is within so many columns but for commands, which must stay whole to be copied.
    """
    head = [_sentence(plan, in_progress), *_first(in_progress)]
    lines = [part for line in head for part in wrapped(line, columns)]
    acting = [g for g in plan.groups if g.has_actions]
    for group in acting[:MAX_GROUPS]:
        lines += [Text(), *_group(group, columns, glyphs)]
    if len(acting) > MAX_GROUPS:
        lines.append(_more(acting[MAX_GROUPS:], glyphs))
    idle = [g for g in plan.groups if not g.has_actions]
    for group in idle[:MAX_GROUPS]:
        lines += [Text(), *_group(group, columns, glyphs)]
    if len(idle) > MAX_GROUPS:
        lines.append(_more(idle[MAX_GROUPS:], glyphs))
    if plan.with_action(RepairAction.REDEPLOY):
        lines += [Text(), *(styled(line.plain, REST) for line in wrapped(Text(_CHOICE), columns))]
    return lines


def _more(groups: Sequence[GroupRepair], glyphs: Glyphs) -> Text:
    workers = sum(len(g.workers) for g in groups)
    return Text(f"{glyphs.ellipsis} and {count(len(groups), 'more group')}, {count(workers, 'worker')}")


def _sentence(plan: RepairPlan, in_progress: ReleaseInProgress | None) -> Text:
    """`3 of 5 workers of shop not as desired would be mended: 2 deployed to, 1 tagged; 2 are left alone`."""
    numbers = Counter(w.action for g in plan.groups for w in g.workers)
    whole, name = sum(numbers.values()), sanitize(plan.application)
    if not whole and in_progress is not None:
        return styled(f"no worker of {name} has drifted so far", STRONG)
    if not whole:
        return styled(f"no worker of {name} is other than desired: there is nothing to mend", GOOD)
    mended = whole - numbers[RepairAction.SKIP]
    if not mended:
        return styled(f"--fix can mend none of {count(whole, 'worker')} of {name} not as desired", BAD)
    said = ", ".join(f"{numbers[m]:,} {word}" for m, word in _DONE.items() if numbers[m])
    behind = f"{count(whole, 'worker')} of {name} not as desired"
    line = styled(f"{mended:,} of {behind} would be mended: {said}", STRONG)
    left = numbers[RepairAction.SKIP]
    return line.append(f"; {left:,} {_are(left)} left alone", BAD) if left else line


def _are(number: int) -> str:
    return "is" if number == 1 else "are"


def _first(in_progress: ReleaseInProgress | None) -> Iterator[Text]:
    if in_progress is None:
        return
    what = f"the {in_progress.kind.value} {sanitize(in_progress.release)} that {sanitize(in_progress.actor)} began"
    what += f" at {moment(in_progress.began_at)} is not finished"
    if in_progress.kind is ReleaseKind.REPAIR:
        yield styled(f"{what}: its deployments are followed to their end first", BUSY)
    else:
        yield styled(f"{what}: nothing is mended until it is", BAD)


def _group(group: GroupRepair, columns: int, glyphs: Glyphs) -> list[Text]:
    name = styled(sanitize(group.group), STRONG)
    desired = f"  desired {sanitize(group.version)}" if group.version else ""
    lines = [name.append(f"{desired}, strategy {group.strategy}", REST)]
    for mend in RepairAction:
        workers = group.with_action(mend)
        if workers and mend is not RepairAction.SKIP:
            lines += wrapped(Text(_INDENT).append(_step(mend, group, len(workers))), columns)
            lines += _listed(workers, columns, glyphs)
    if left := group.with_action(RepairAction.SKIP):
        lines.append(Text(_INDENT).append(f"leave {count(len(left), 'worker')} alone", BAD))
        if group.may_also_deploy_to:
            lines += [Text(_INDENT).append(line) for line in wrapped(_along(group), columns - len(_INDENT))]
        for (why, command), those in _by_reason(left, group).items():
            lines += _listed(those, columns, glyphs, why=why)
            if command is not None:
                lines.append(styled(f"{_DEEP}{glyphs.arrow} ", STRONG).append(command))
    return lines


def _along(group: GroupRepair) -> Text:
    number = len(group.may_also_deploy_to)
    return styled(
        f"CodeDeploy chooses among all that are behind: it may deploy to {number:,} of these too", BAD
    )


def _step(mend: RepairAction, group: GroupRepair, number: int) -> str:
    version, workers = sanitize(group.version or ""), count(number, "worker")
    match mend:
        case RepairAction.RETAG:
            return f"tag {workers} as {version}"
        case RepairAction.REPLACE:
            at_once = min(number, group.replaced_at_once)
            others = "another" if number == 1 else "others"
            return f"terminate {workers}, and Auto Scaling launches {others} instead, {at_once:,} at a time"
        case _:
            return f"deploy {version} to {workers}, {group.down_at_once:,} at a time"


def _by_reason(
    left: Iterable[WorkerRepair], group: GroupRepair
) -> dict[tuple[str, str | None], list[WorkerRepair]]:
    found: dict[tuple[str, str | None], list[WorkerRepair]] = {}
    for mend in left:
        command = _replacing(group.group) if mend.needs_replacing else mend.worker.remedy
        found.setdefault((mend.why or "", command and sanitize(command)), []).append(mend)
    return found


def _replacing(group: str) -> str:
    return f"deployctl reconcile --fix --replace --group {shell_glob(group)}"


def _listed(
    workers: Sequence[WorkerRepair], columns: int, glyphs: Glyphs, *, why: str | None = None
) -> list[Text]:
    """A line a worker: instance, category, cause, and why it is left alone or what is particular."""
    shown = workers[:MAX_WORKERS]
    wide = max(len(w.worker.category.value) for w in shown)
    lines: list[Text] = []
    for mend in shown:
        worker = mend.worker
        row = f"{sanitize(worker.instance_id)}  {worker.category.value.ljust(wide)}  "
        cause = worker.cause.value if worker.cause else "cause unknown"
        said = why or ("that its stop script fails is overlooked" if mend.ignores_stop else None)
        words = Text(f"{cause}: {said}" if said else cause)
        lines += _beside(Text(_DEEP).append(row), words, columns)
    if len(workers) > len(shown):
        lines.append(Text(f"{_DEEP}{glyphs.ellipsis} and {len(workers) - len(shown):,} more"))
    return lines


def repair_lines(outcome: RepairOutcome, *, columns: int, glyphs: Glyphs) -> list[Text]:
    """Each worker with what came of it, those that are not mended with why and what to type; how it stands last."""
    by_group: dict[str, list[WorkerRepairResult]] = {}
    for result in outcome.workers:
        by_group.setdefault(result.worker.group, []).append(result)
    # Troubles are what is read: they come last, next to the sentence.
    ordered = sorted(by_group.items(), key=lambda item: (any(r.is_failure for r in item[1]), item[0]))
    lines: list[Text] = []
    for name, results in ordered[-MAX_GROUPS:]:
        lines += [styled(sanitize(name), STRONG), *_results(name, results, columns, glyphs)]
    if len(ordered) > MAX_GROUPS:
        hidden = ordered[:-MAX_GROUPS]
        lines.insert(0, Text(f"{glyphs.ellipsis} {count(len(hidden), 'group')} before these"))
    return [*lines, *_verdict(outcome, columns, glyphs)]


def _results(
    name: str, results: Sequence[WorkerRepairResult], columns: int, glyphs: Glyphs
) -> Iterator[Text]:
    fine = [r for r in results if not r.is_failure]
    for result in fine[:MAX_WORKERS]:
        yield from _result(result, columns, glyphs)
    if len(fine) > MAX_WORKERS:
        yield Text(f"{_INDENT}{glyphs.ellipsis} and {len(fine) - MAX_WORKERS:,} more mended or gone")
    by_command: dict[str | None, list[WorkerRepairResult]] = {}
    for result in (r for r in results if r.is_failure):
        command = _replacing(name) if _needs_replacing(result) else _remedy(result)
        by_command.setdefault(command and sanitize(command), []).append(result)
    for command, those in by_command.items():
        for result in those[:MAX_WORKERS]:
            yield from _result(result, columns, glyphs)
        if len(those) > MAX_WORKERS:
            yield Text(f"{_INDENT}{glyphs.ellipsis} and {len(those) - MAX_WORKERS:,} more like these")
        if command is not None:
            yield styled(f"{_DEEP}{glyphs.arrow} ", STRONG).append(command)


def _remedy(result: WorkerRepairResult) -> str | None:
    """Nothing mends who is gone."""
    return None if result.is_gone else result.worker.remedy


def _needs_replacing(result: WorkerRepairResult) -> bool:
    """A stop script that was overlooked in vain is not overlooked once more."""
    if result.is_gone:
        return False
    in_vain = result.result is RepairResult.NOT_FIXED and result.worker.cause is Cause.STOP_SCRIPT_BROKEN
    return result.needs_replacing or in_vain


def _result(result: WorkerRepairResult, columns: int, glyphs: Glyphs) -> Iterator[Text]:
    mark, style = (glyphs.failed, BAD) if result.is_failure else (glyphs.held, GOOD)
    if result.result in (RepairResult.GONE, RepairResult.CURRENT):
        mark, style = glyphs.waiting, REST
    head = styled(f"{_INDENT}{mark} {sanitize(result.worker.instance_id)}  ", style)
    yield from _beside(head, Text(_words(result)), columns)


def _beside(head: Text, words: Text, columns: int) -> list[Text]:
    """The words beside the head; below it where there is hardly any room beside it."""
    width = head.cell_len
    if columns - width >= _ROOM:
        first, *more = wrapped(words, columns - width)
        return [head.append(first), *(Text(" " * width).append(line) for line in more)]
    head.rstrip()
    below = wrapped(words, columns - len(_BELOW))
    return [*wrapped(head, columns), *(Text(_BELOW).append(line) for line in below)]


def _words(result: WorkerRepairResult) -> str:
    reason, cause = sanitize(result.reason or ""), result.worker.cause
    match result.result:
        case RepairResult.FIXED:
            return f"mended: {_DONE.get(result.action, 'deployed to')}"
        case RepairResult.REPLACED:
            return reason or "replaced"
        case RepairResult.GONE:
            return f"gone: {reason}" if reason else "gone"
        case RepairResult.CURRENT:
            return "as desired by now, without this repair"
        case RepairResult.SKIPPED:
            return f"left alone, {_of(cause)}: {reason}"
        case RepairResult.NEWLY_DRIFTED:
            return f"behind since the plan was made, {_of(cause)}: {reason}"
        case _:
            return f"gone, {reason}" if result.is_gone else f"not mended, {_of(cause)}: {reason}"


def _of(cause: object) -> str:
    return str(cause) if cause else "cause unknown"


def _verdict(outcome: RepairOutcome, columns: int, glyphs: Glyphs) -> list[Text]:
    """How many were mended, and how the fleet stands by now."""
    found = Counter(r.result for r in outcome.workers)
    asked = [r.result for r in outcome.workers if r.action is not RepairAction.SKIP]
    mended = sum(result in (RepairResult.FIXED, RepairResult.REPLACED) for result in asked)
    spared = sum(result in (RepairResult.GONE, RepairResult.CURRENT) for result in asked)
    what = f"{mended:,} of {count(len(asked), 'worker')} mended" if asked else "nothing was mended"
    what += f" in {duration(outcome.elapsed_s)}"
    what += f", {spared:,} needed it no more" if spared else ""
    drifted, name = outcome.after.drifted, sanitize(outcome.after.application)
    if outcome.is_running:
        return wrapped(styled(f"{glyphs.running} {what}; it still goes on", BUSY), columns)
    if not drifted and not outcome.lost:
        living = sum(w.category is not Category.TERMINATED_MID_DEPLOY for w in outcome.after.workers)
        stands = f"{count(living, 'worker')} of {name} looked at, all as desired"
        return wrapped(styled(f"{glyphs.held} {what}; {stands}", GOOD), columns)
    came_up = (
        f", {found[RepairResult.NEWLY_DRIFTED]:,} of them since the plan"
        if found[RepairResult.NEWLY_DRIFTED]
        else ""
    )
    stands = f"{count(drifted, 'worker')} of {name} {_are(drifted)} not as desired{came_up}"
    if outcome.lost:
        was = "was" if outcome.lost == 1 else "were"
        stands += f", {outcome.lost:,} {was} terminated with no other in place"
    if not outcome.remaining:
        named = " or ".join(c.value for c in outcome.categories)
        return wrapped(styled(f"{glyphs.held} {what}; {stands}, none of them {named}", GOOD), columns)
    return wrapped(styled(f"{glyphs.failed} {what}; {stands}", BAD), columns)
