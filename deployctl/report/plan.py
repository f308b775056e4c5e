"""The dry run: a release plan in one sentence, its cost, and a table per wave."""

from collections import Counter
from collections.abc import Iterator, Mapping

from rich.cells import cell_len
from rich.table import Table
from rich.text import Text

from deployctl.model.names import GroupName
from deployctl.model.release import GroupAction, GroupPlan, ReleasePlan
from deployctl.model.verdict import Verdict
from deployctl.plan.forecast import HISTORY_DAYS, Forecast, ReleaseEta, WaveEta
from deployctl.report.board_header import built_from
from deployctl.report.formatting import count, duration, list_some, sanitize
from deployctl.report.style import BAD, BUSY, GOOD, REST, STRONG, styled
from deployctl.report.table import plain_table, table_lines, wrap

MAX_NAMES = 5
MAX_CALLS = 6
# Narrower terminals omit the ASGs, which the group's name usually implies.
ASGS_FROM_COLUMNS = 110
_STEPS = {
    GroupAction.DEPLOY: ("deploy", STRONG),
    GroupAction.EMPTY: ("set the version", REST),
    GroupAction.DONE: ("already verified", GOOD),
}


def plan_lines(plan: ReleasePlan, *, columns: int, outlook: Forecast | None = None) -> list[Text]:
    """Each wave's groups and what would be done to them. `outlook` adds duration, busy groups and AWS calls."""
    built = built_from(plan)
    source = [Text(f"{sanitize(plan.version)} is built from {built}")] if built else []
    prose = [styled(_sentence(plan, outlook), STRONG), Text(_policy(plan)), *_outlook(plan, outlook), *source]
    prose += [styled(line, BAD) for line in _lint_errors(plan)]
    lines = [part for text in prose for part in wrap(text, columns)]
    for number, wave in enumerate(plan.waves, start=1):
        lines.append(Text())
        if len(plan.waves) > 1:
            eta = outlook.eta.waves[number - 1] if outlook is not None else None
            lines += wrap(_wave_head(number, len(plan.waves), eta), columns)
        lines += table_lines(_table(wave, outlook, columns), columns)
    return lines


def _sentence(plan: ReleasePlan, outlook: Forecast | None) -> str:
    steps = [group.step for group in plan.groups]
    adopted = outlook.adopted if outlook is not None else {}
    fresh = [g for g in plan.groups if g.step is GroupAction.DEPLOY and g.group not in adopted]
    workers = sum(len(g.workers) for g in fresh)
    parts = [
        f"{count(len(fresh), 'new deployment' if adopted else 'deployment')} to {count(workers, 'worker')}"
    ]
    if adopted:
        parts.append(f"{count(len(adopted), 'deployment')} resumed")
    if GroupAction.EMPTY in steps:
        parts.append(f"{count(steps.count(GroupAction.EMPTY), 'group')} without workers in service")
    if GroupAction.DONE in steps:
        parts.append(f"{count(steps.count(GroupAction.DONE), 'group')} already done")
    name = f"{sanitize(plan.release_id)} of {sanitize(plan.application)} {sanitize(plan.version)}"
    verb = "would resume" if plan.resumes else "would start"
    return f"{plan.kind.value} {name} {verb}: {', '.join(parts)}. Nothing was changed."


def _lint_errors(plan: ReleasePlan) -> Iterator[str]:
    """The lint errors that a build ignored, for each artifact that has some."""
    for artifact in plan.artifacts:
        manifest = artifact.manifest
        if manifest.lint_errors:
            number = count(len(manifest.lint_errors), "lint error")
            first = sanitize(manifest.lint_errors[0])
            yield f"{sanitize(manifest.version)} is built with --lint=warn: {number} ignored, such as {first}"


def _policy(plan: ReleasePlan) -> str:
    """What happens on failure, and how long each wave bakes."""
    policy, budgets = plan.policy, Counter(str(g.max_failed) for g in plan.groups)
    ranked = sorted(budgets.items(), key=lambda item: (-item[1], item[0]))
    each = (
        f"{ranked[0][0]} in each group"
        if len(ranked) == 1
        else ", ".join(f"{budget} in {count(number, 'group')}" for budget, number in ranked)
    )
    parts = [f"on failure: {policy.on_failure.value}", f"failed workers allowed: {each}"]
    if policy.max_failed_total is not None:
        parts.append(f"{policy.max_failed_total} in total")
    if policy.bake_s:
        names = list_some(map(sanitize, policy.alarms), most=MAX_NAMES)
        parts.append(f"each wave bakes {duration(policy.bake_s)}{f', watching {names}' if names else ''}")
    return "; ".join(parts)


def _outlook(plan: ReleasePlan, outlook: Forecast | None) -> Iterator[Text]:
    if outlook is None:
        return
    if any(g.step is GroupAction.DEPLOY for g in plan.groups):
        yield Text(_eta(plan, outlook))
    yield Text(_calls(outlook.calls))
    for name, holder in sorted(outlook.busy.items()):
        yield styled(f"{sanitize(name)} is busy with {sanitize(str(holder))}: would be queued", BUSY)


def _eta(plan: ReleasePlan, outlook: Forecast) -> str:
    eta = outlook.eta
    if outlook.history_gap is not None:
        return f"ETA unknown, no history: {sanitize(outlook.history_gap)}"
    if not eta.is_known:
        return f"ETA unknown: no verified release used these strategies in the last {HISTORY_DAYS} days"
    slowest = eta.waves[0].slowest if len(plan.waves) == 1 else None
    last = f"; {sanitize(slowest)} is the slowest" if slowest is not None else ""
    names = list_some(map(sanitize, eta.unknown), most=MAX_NAMES)
    unknown = f"; may take longer, no history for the strategy of {names}" if names else ""
    basis = f"from the verified releases of the last {HISTORY_DAYS} days"
    return f"ETA {_range(eta)}, {basis}{last}{unknown}"


def _range(eta: ReleaseEta | WaveEta) -> str:
    return f"{duration(eta.p50_s)} (P50) to {duration(eta.p95_s)} (P95)"


def _calls(calls: Mapping[str, int]) -> str:
    """The total, and the most frequent operations."""
    ranked = sorted(calls.items(), key=lambda item: (-item[1], item[0]))
    named = (f"{number:,} {name.partition(':')[2]}" for name, number in ranked)
    most = list_some(named, most=MAX_CALLS, noun="other operations")
    return f"about {count(sum(calls.values()), 'AWS call')}: {most}"


def _wave_head(number: int, of: int, eta: WaveEta | None) -> Text:
    head = styled(f"wave {number} of {of}", STRONG)
    if eta is None or eta.slowest is None:
        return head
    bakes = f", then bakes {duration(eta.bake_s)}" if eta.bake_s else ""
    return head.append(f": {_range(eta)}, {sanitize(eta.slowest)} is the slowest{bakes}")


def _table(groups: tuple[GroupPlan, ...], outlook: Forecast | None, columns: int) -> Table:
    table = plain_table()
    has_asgs = columns >= ASGS_FROM_COLUMNS
    longest = max((cell_len(sanitize(g.group)) for g in groups), default=0)
    table.add_column("group", overflow="fold", min_width=min(longest, columns // 3))
    if has_asgs:
        table.add_column("ASGs", overflow="fold")
    table.add_column("strategy", no_wrap=True)
    table.add_column("config", overflow="fold")
    table.add_column("workers", justify="right", no_wrap=True)
    table.add_column("runs", overflow="fold")
    if outlook is not None:
        table.add_column("P50", justify="right", no_wrap=True)
        table.add_column("P95", justify="right", no_wrap=True)
    table.add_column("step")
    for group in groups:
        asgs = [Text(", ".join(map(sanitize, group.asgs)))] if has_asgs else []
        table.add_row(
            Text(sanitize(group.group)),
            *asgs,
            Text(str(group.strategy)),
            Text(sanitize(group.config.name).removeprefix("CodeDeployDefault.")),
            Text(f"{len(group.workers):,}"),
            Text(_versions(group.versions_now)),
            *(_took(group.group, outlook) if outlook is not None else ()),
            _step(group, outlook),
        )
    return table


def _took(group: GroupName, outlook: Forecast) -> tuple[Text, Text]:
    took = outlook.durations.get(group)
    if took is None:
        return styled("-", REST), styled("-", REST)
    return Text(duration(took.p50_s)), Text(duration(took.p95_s))


def _step(group: GroupPlan, outlook: Forecast | None) -> Text:
    if outlook is not None and group.group in outlook.adopted:
        return styled(f"resume {sanitize(outlook.adopted[group.group])}", BUSY)
    if outlook is not None and group.group in outlook.busy:
        return styled("queued", BUSY)
    if group.known_verdict is not None and not group.known_verdict.is_verified:
        return styled(f"skip: {group.known_verdict.value}", BAD)
    if group.known_verdict is Verdict.EMPTY:
        return styled("already set", GOOD)
    word, style = _STEPS[group.step]
    return styled(word, style)


def _versions(versions: Mapping[str, int]) -> str:
    """`v122`, or `5 v122, 1 v121` for several, the most frequent first."""
    if len(versions) == 1:
        return sanitize(next(iter(versions)))
    ranked = sorted(versions.items(), key=lambda item: (-item[1], item[0]))
    return ", ".join(f"{number:,} {sanitize(version)}" for version, number in ranked)
