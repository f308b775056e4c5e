"""A repair for people and as JSON: the plan for each worker, and the result."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import Any

from rich.text import Text

from deployctl.execute.repair_outcome import RepairOutcome, RepairResult, WorkerRepairResult
from deployctl.model.cause import Category, Cause
from deployctl.model.command import only, shell_command
from deployctl.model.release import ReleaseInProgress, ReleaseKind
from deployctl.plan.repair import GroupRepair, RepairAction, RepairPlan, WorkerRepair
from deployctl.report.formatting import count, duration, group_by, moment, sanitize
from deployctl.report.json_output import in_progress_json, json_fields, release_json, worker_json
from deployctl.report.style import BAD, BUSY, GOOD, REST, STRONG, Glyphs, styled
from deployctl.report.table import indent, wrap, wrap_beside

REPAIR_SCHEMA = "deployctl.repair/1"
MAX_WORKERS = 20
MAX_GROUPS = 30
_INDENT, _DEEP = "  ", "    "
_beside = partial(wrap_beside, least=24, below="      ")
_DONE = {RepairAction.RETAG: "tagged", RepairAction.REDEPLOY: "deployed to", RepairAction.REPLACE: "replaced"}
_CHOICE = (
    "CodeDeploy picks the outdated workers itself. If it skips one of these workers, deployctl stops that deployment"
    " and redeploys the whole group by its strategy."
)


def repair_plan_lines(
    plan: RepairPlan, *, in_progress: ReleaseInProgress | None, columns: int, glyphs: Glyphs
) -> list[Text]:
    """The plan, group by group; groups without actions come last.

    Each line is within `columns` except commands, which must stay whole to be copied.
    """
    head = [_headline(plan, in_progress), *_unfinished(in_progress)]
    lines = [part for line in head for part in wrap(line, columns)]
    acting = [g for g in plan.groups if g.has_actions]
    idle = [g for g in plan.groups if not g.has_actions]
    for groups in (acting, idle):
        for group in groups[:MAX_GROUPS]:
            lines += [Text(), *_group(group, columns, glyphs)]
        if more := groups[MAX_GROUPS:]:
            workers = count(sum(len(g.workers) for g in more), "worker")
            lines.append(Text(f"{glyphs.ellipsis} and {count(len(more), 'more group')}, {workers}"))
    if plan.with_action(RepairAction.REDEPLOY):
        lines += [Text(), *wrap(styled(_CHOICE, REST), columns)]
    return lines


def _headline(plan: RepairPlan, in_progress: ReleaseInProgress | None) -> Text:
    """`3 of 5 drifted workers of shop would be fixed: 2 deployed to, 1 tagged; 2 skipped`."""
    numbers = Counter(w.action for g in plan.groups for w in g.workers)
    whole, skipped = sum(numbers.values()), numbers[RepairAction.SKIP]
    name = sanitize(plan.application)
    if not whole and in_progress is not None:
        return styled(f"no worker of {name} has drifted so far", STRONG)
    if not whole:
        return styled(f"no worker of {name} has drifted: nothing to fix", GOOD)
    drifted = f"{count(whole, 'drifted worker')} of {name}"
    if skipped == whole:
        return styled(f"--fix cannot fix {'' if whole == 1 else 'any of '}the {drifted}", BAD)
    actions = ", ".join(f"{numbers[m]:,} {word}" for m, word in _DONE.items() if numbers[m])
    line = styled(f"{whole - skipped:,} of {drifted} would be fixed: {actions}", STRONG)
    return line.append(f"; {skipped:,} skipped", BAD) if skipped else line


def _unfinished(release: ReleaseInProgress | None) -> Iterator[Text]:
    if release is None:
        return
    name, actor = f"{release.kind.value} {sanitize(release.release)}", sanitize(release.actor)
    what = f"{name}, started by {actor} at {moment(release.began_at)}, is unfinished"
    if release.kind is ReleaseKind.REPAIR:
        yield styled(f"{what}: its deployments must finish first", BUSY)
    else:
        yield styled(f"{what}: nothing can be fixed until it finishes", BAD)


def _group(group: GroupRepair, columns: int, glyphs: Glyphs) -> list[Text]:
    name = styled(sanitize(group.group), STRONG)
    desired = f"  desired {sanitize(group.version)}" if group.version else ""
    lines = [name.append(f"{desired}, strategy {group.strategy}", REST)]
    for action in RepairAction:
        workers = group.with_action(action)
        if workers and action is not RepairAction.SKIP:
            lines += wrap(Text(_INDENT).append(_action_line(action, group, len(workers))), columns)
            lines += _workers(workers, columns, glyphs)
    if skipped := group.with_action(RepairAction.SKIP):
        lines.append(Text(_INDENT).append(f"skip {count(len(skipped), 'worker')}", BAD))
        if group.may_also_deploy_to:
            also = f"it may also deploy to {len(group.may_also_deploy_to):,} of these"
            choice = styled(f"CodeDeploy picks the outdated workers itself: {also}", BAD)
            lines += indent(wrap(choice, columns - len(_INDENT)), _INDENT)
        for (why, command), alike in group_by(skipped, _reason_and_command).items():
            lines += _workers(alike, columns, glyphs, why=why)
            if command is not None:
                lines.append(styled(f"{_DEEP}{glyphs.arrow} ", STRONG).append(command))
    return lines


def _action_line(action: RepairAction, group: GroupRepair, number: int) -> str:
    version, workers = sanitize(group.version or ""), count(number, "worker")
    match action:
        case RepairAction.RETAG:
            return f"tag {workers} as {version}"
        case RepairAction.REPLACE:
            at_once = min(number, group.replaced_at_once)
            replacements = "a replacement" if number == 1 else "replacements"
            return f"terminate {workers}, {at_once:,} at a time; Auto Scaling launches {replacements}"
        case _:
            return f"deploy {version} to {workers}, {group.down_at_once:,} at a time"


def _reason_and_command(skipped: WorkerRepair) -> tuple[str, str | None]:
    worker = skipped.worker
    command = _replace_command(worker.group) if skipped.needs_replacing else worker.remedy
    return skipped.why or "", command and sanitize(command)


def _replace_command(group: str) -> str:
    return shell_command("deployctl", "reconcile", "--fix", "--replace", "--group", only(group))


def _workers(
    workers: Sequence[WorkerRepair], columns: int, glyphs: Glyphs, *, why: str | None = None
) -> list[Text]:
    """One line per worker: instance, category, cause, and why it is skipped or what the repair ignores."""
    shown = workers[:MAX_WORKERS]
    wide = max(len(w.worker.category.value) for w in shown)
    lines: list[Text] = []
    for repair in shown:
        worker = repair.worker
        row = f"{sanitize(worker.instance_id)}  {worker.category.value.ljust(wide)}  "
        cause = worker.cause.value if worker.cause else "cause unknown"
        note = why or ("ignoring its ApplicationStop failure" if repair.ignores_stop else None)
        words = Text(f"{cause}: {note}" if note else cause)
        lines += _beside(Text(_DEEP).append(row), words, columns)
    if len(workers) > len(shown):
        lines.append(Text(f"{_DEEP}{glyphs.ellipsis} and {len(workers) - len(shown):,} more"))
    return lines


def repair_lines(outcome: RepairOutcome, *, columns: int, glyphs: Glyphs) -> list[Text]:
    """Each worker's result, failures with reason and command; the summary last."""
    by_group = group_by(outcome.workers, lambda result: result.worker.group)
    # Failures come last, next to the summary.
    ordered = sorted(by_group.items(), key=lambda item: (any(r.is_failure for r in item[1]), item[0]))
    lines: list[Text] = []
    for name, results in ordered[-MAX_GROUPS:]:
        lines += [styled(sanitize(name), STRONG), *_results(results, columns, glyphs)]
    if len(ordered) > MAX_GROUPS:
        hidden = ordered[:-MAX_GROUPS]
        lines.insert(0, Text(f"{glyphs.ellipsis} {count(len(hidden), 'earlier group')} not shown"))
    return [*lines, *_summary(outcome, columns, glyphs)]


def _results(results: Sequence[WorkerRepairResult], columns: int, glyphs: Glyphs) -> Iterator[Text]:
    fine = [r for r in results if not r.is_failure]
    yield from _some(fine, "fixed or gone", columns, glyphs)
    for command, alike in group_by((r for r in results if r.is_failure), _command).items():
        yield from _some(alike, "like these", columns, glyphs)
        if command is not None:
            yield styled(f"{_DEEP}{glyphs.arrow} ", STRONG).append(command)


def _command(result: WorkerRepairResult) -> str | None:
    """The command that may still fix the worker; None for a terminated one."""
    if result.is_gone:
        return None
    # The repair has already ignored the failing stop script; only replacing the worker is left.
    stop_broken = result.result is RepairResult.NOT_FIXED and result.worker.cause is Cause.STOP_SCRIPT_BROKEN
    if result.needs_replacing or stop_broken:
        return _replace_command(result.worker.group)
    return result.worker.remedy and sanitize(result.worker.remedy)


def _some(results: Sequence[WorkerRepairResult], rest: str, columns: int, glyphs: Glyphs) -> Iterator[Text]:
    for result in results[:MAX_WORKERS]:
        mark, style = (glyphs.failed, BAD) if result.is_failure else (glyphs.ok, GOOD)
        if result.result in (RepairResult.GONE, RepairResult.CURRENT):
            mark, style = glyphs.waiting, REST
        head = styled(f"{_INDENT}{mark} {sanitize(result.worker.instance_id)}  ", style)
        yield from _beside(head, Text(_words(result)), columns)
    if len(results) > MAX_WORKERS:
        yield Text(f"{_INDENT}{glyphs.ellipsis} and {len(results) - MAX_WORKERS:,} more {rest}")


def _words(result: WorkerRepairResult) -> str:
    reason, cause = sanitize(result.reason or ""), str(result.worker.cause or "cause unknown")
    match result.result:
        case RepairResult.FIXED:
            return f"fixed: {_DONE.get(result.action, 'deployed to')}"
        case RepairResult.REPLACED:
            return reason or "replaced"
        case RepairResult.GONE:
            return f"gone: {reason}" if reason else "gone"
        case RepairResult.CURRENT:
            return "current already, without this repair"
        case RepairResult.SKIPPED:
            return f"skipped, {cause}: {reason}"
        case RepairResult.NEWLY_DRIFTED:
            return f"drifted since the plan, {cause}: {reason}"
        case _:
            return f"gone, {reason}" if result.is_gone else f"not fixed, {cause}: {reason}"


def _summary(outcome: RepairOutcome, columns: int, glyphs: Glyphs) -> list[Text]:
    """How many workers were fixed, and the fleet's state after the repair."""
    results = [r.result for r in outcome.workers if r.action is not RepairAction.SKIP]
    fixed = sum(result in (RepairResult.FIXED, RepairResult.REPLACED) for result in results)
    unneeded = sum(result in (RepairResult.GONE, RepairResult.CURRENT) for result in results)
    what = f"{fixed:,} of {count(len(results), 'worker')} fixed" if results else "nothing was fixed"
    what += f" in {duration(outcome.elapsed_s)}"
    what += f", {unneeded:,} no longer needed it" if unneeded else ""
    drifted, name = outcome.after.drifted, sanitize(outcome.after.application)
    if outcome.is_running:
        return wrap(styled(f"{glyphs.running} {what}; still running", BUSY), columns)
    if not drifted and not outcome.lost:
        living = sum(w.category is not Category.TERMINATED_MID_DEPLOY for w in outcome.after.workers)
        state = f"{'all ' if living > 1 else ''}{count(living, 'worker')} of {name} as desired"
        return wrap(styled(f"{glyphs.ok} {what}; {state}", GOOD), columns)
    fresh = sum(r.result is RepairResult.NEWLY_DRIFTED for r in outcome.workers)
    state = f"{count(drifted, 'worker')} of {name} drifted{f', {fresh:,} since the plan' if fresh else ''}"
    state += f", {outcome.lost:,} terminated without a replacement" if outcome.lost else ""
    if not outcome.remaining:
        named = " or ".join(c.value for c in outcome.categories)
        return wrap(styled(f"{glyphs.ok} {what}; {state}, none of them {named}", GOOD), columns)
    return wrap(styled(f"{glyphs.failed} {what}; {state}", BAD), columns)


def repair_plan_json(plan: RepairPlan, *, in_progress: ReleaseInProgress | None) -> dict[str, Any]:
    """The plan; null for what only the repair itself finds out."""
    return _document(plan, in_progress=in_progress, outcome=None)


def repair_json(outcome: RepairOutcome) -> dict[str, Any]:
    """The result; `rounds` have the shape of releases."""
    return _document(outcome.plan, in_progress=None, outcome=outcome)


def _document(
    plan: RepairPlan, *, in_progress: ReleaseInProgress | None, outcome: RepairOutcome | None
) -> dict[str, Any]:
    results = outcome.workers if outcome is not None else ()
    newly_drifted = [r.worker for r in results if r.result is RepairResult.NEWLY_DRIFTED]
    actions = Counter(w.action for g in plan.groups for w in g.workers)
    by_result = Counter(r.result for r in results)
    by_instance = {r.worker.instance_id: r for r in results}
    return {
        "schema": REPAIR_SCHEMA,
        **json_fields(plan, "application", "snapshot_id", "snapshot_at"),
        "done": outcome is not None,
        "in_progress": in_progress and in_progress_json(in_progress),
        "summary": {
            "drifted": sum(actions.values()),
            "by_action": {action: actions[action] for action in RepairAction},
            "by_result": outcome and {result: by_result[result] for result in RepairResult},
        },
        "groups": [_group_json(group, by_instance) for group in plan.groups],
        "newly_drifted": [worker_json(worker) for worker in newly_drifted],
        "rounds": outcome and [release_json(each) for each in outcome.rounds],
        "after": outcome and json_fields(outcome.after, "snapshot_id", "snapshot_at", "drifted"),
        "elapsed_s": outcome and outcome.elapsed_s,
    }


def _group_json(group: GroupRepair, results: Mapping[str, WorkerRepairResult]) -> dict[str, Any]:
    return {
        **json_fields(group, "group", "version", "strategy"),
        "down_at_once": group.down_at_once if group.with_action(RepairAction.REDEPLOY) else None,
        "replaced_at_once": group.replaced_at_once if group.with_action(RepairAction.REPLACE) else None,
        "workers": [_worker_json(repair, results.get(repair.instance_id)) for repair in group.workers],
    }


def _worker_json(repair: WorkerRepair, result: WorkerRepairResult | None) -> dict[str, Any]:
    after = result.worker if result is not None and not result.is_gone else None
    return {
        **json_fields(repair.worker, "instance_id", "category", "cause", "evidence"),
        **json_fields(repair, "action", "why"),
        "ignores_stop_failures": repair.ignores_stop,
        "remedy": repair.worker.remedy,
        **json_fields(result, "result", "reason"),
        "category_after": after and after.category,
        "cause_after": after and after.cause,
    }
