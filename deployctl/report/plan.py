"""The dry run: a release plan as a table, in one sentence what it comes to, and what it will take."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping

from rich.cells import cell_len
from rich.console import Console
from rich.table import Table
from rich.text import Text

from deployctl.model.names import GroupName
from deployctl.model.release import GroupAction, GroupPlan, ReleasePlan
from deployctl.model.verdict import Verdict
from deployctl.plan.eta import ReleaseEta, WaveEta
from deployctl.plan.forecast import HISTORY_DAYS, Forecast
from deployctl.report.formatting import count, duration, list_some, sanitize
from deployctl.report.style import BAD, BUSY, GOOD, REST, STRONG, styled

MAX_NAMES = 5
MAX_CALLS = 6
# Below this there is no room for what the group's name mostly says anyway.
ASGS_FROM_COLUMNS = 110
_STEPS = {
    GroupAction.DEPLOY: ("deploy", STRONG),
    GroupAction.EMPTY: ("set the version", REST),
    GroupAction.DONE: ("held already", GOOD),
}


def plan_lines(plan: ReleasePlan, *, columns: int, outlook: Forecast | None = None) -> list[Text]:
    """Each wave's groups with what would be done to them; cells wrap, so that no name is cut off.

    `outlook` says how long it will take, what is in the way, and how many calls it costs.
    """
    console = Console(width=columns, color_system=None)
    prose = [styled(_sentence(plan, outlook), STRONG), Text(_policy(plan)), *_outlook(plan, outlook)]
    lines = [part for text in prose for part in text.wrap(console, columns)]
    for number, wave in enumerate(plan.waves, start=1):
        lines.append(Text())
        if len(plan.waves) > 1:
            eta = outlook.eta.waves[number - 1] if outlook is not None else None
            lines += _wave_head(number, len(plan.waves), eta).wrap(console, columns)
        lines += _laid_out(_table(wave, outlook, columns), console)
    return lines


def _laid_out(table: Table, console: Console) -> list[Text]:
    rendered = console.render_lines(table, pad=False)
    return [Text.assemble(*((s.text, s.style or "") for s in line)) for line in rendered]


def _sentence(plan: ReleasePlan, outlook: Forecast | None) -> str:
    steps = [group.step for group in plan.groups]
    adopted = outlook.adopted if outlook is not None else {}
    fresh = [g for g in plan.groups if g.step is GroupAction.DEPLOY and g.group not in adopted]
    workers = sum(len(g.workers) for g in fresh)
    said = [
        f"{count(len(fresh), 'new deployment' if adopted else 'deployment')} to {count(workers, 'worker')}"
    ]
    if adopted:
        said.append(f"{count(len(adopted), 'deployment')} of its own gone on with")
    if GroupAction.EMPTY in steps:
        said.append(f"{count(steps.count(GroupAction.EMPTY), 'group')} without workers in service")
    if GroupAction.DONE in steps:
        said.append(f"{count(steps.count(GroupAction.DONE), 'group')} done already")
    verb = "would go on" if plan.resumes else "would start"
    return (
        f"{plan.kind.value} {sanitize(plan.release_id)} of {sanitize(plan.application)} {sanitize(plan.version)}"
        f" {verb}: {', '.join(said)}. Nothing was changed."
    )


def _policy(plan: ReleasePlan) -> str:
    """What is done about failures, and how long a wave is watched after it."""
    policy, budgets = plan.policy, Counter(str(g.max_failed) for g in plan.groups)
    ranked = sorted(budgets.items(), key=lambda item: (-item[1], item[0]))
    each = (
        f"{ranked[0][0]} in each group"
        if len(ranked) == 1
        else ", ".join(f"{budget} in {count(number, 'group')}" for budget, number in ranked)
    )
    said = [f"on failure: {policy.on_failure.value}", f"failed workers allowed: {each}"]
    if policy.max_failed_total is not None:
        said.append(f"{policy.max_failed_total} in all")
    if policy.bake_s:
        alarms = (
            f", watching {list_some(map(sanitize, policy.alarms), most=MAX_NAMES)}" if policy.alarms else ""
        )
        said.append(f"each wave bakes {duration(policy.bake_s)}{alarms}")
    return "; ".join(said)


def _outlook(plan: ReleasePlan, outlook: Forecast | None) -> Iterator[Text]:
    if outlook is None:
        return
    if any(g.step is GroupAction.DEPLOY for g in plan.groups):
        yield Text(_eta(plan, outlook))
    yield Text(_calls(outlook.calls))
    for name, holder in sorted(outlook.busy.items()):
        yield styled(f"{sanitize(name)} is busy with {sanitize(str(holder))}: it would be queued", BUSY)


def _eta(plan: ReleasePlan, outlook: Forecast) -> str:
    eta = outlook.eta
    if outlook.history_gap is not None:
        return f"ETA unknown: no history, because {sanitize(outlook.history_gap)}"
    if not eta.is_known:
        return f"ETA unknown: no release that held used these strategies in the last {HISTORY_DAYS} days"
    slowest = eta.waves[0].slowest if len(plan.waves) == 1 else None
    who = f"; {sanitize(slowest)} is the slowest" if slowest is not None else ""
    return (
        f"ETA {duration(eta.p50_s)} (P50) to {duration(eta.p95_s)} (P95), by the releases of the last"
        f" {HISTORY_DAYS} days that held{who}{_unknown(eta)}"
    )


def _unknown(eta: ReleaseEta | WaveEta) -> str:
    if not eta.unknown:
        return ""
    names = list_some(map(sanitize, eta.unknown), most=MAX_NAMES)
    return f"; no history by their strategy, so it may take longer: {names}"


def _calls(calls: Mapping[str, int]) -> str:
    """The total, and the operations that there are most of."""
    ranked = sorted(calls.items(), key=lambda item: (-item[1], item[0]))
    named = (f"{number:,} {name.partition(':')[2]}" for name, number in ranked)
    total = count(sum(calls.values()), "call")
    return f"about {total} to AWS: {list_some(named, most=MAX_CALLS, noun='other kinds')}"


def _wave_head(number: int, of: int, eta: WaveEta | None) -> Text:
    head = styled(f"wave {number} of {of}", STRONG)
    if eta is None or eta.slowest is None:
        return head
    bakes = f", then it bakes {duration(eta.bake_s)}" if eta.bake_s else ""
    return head.append(
        f": {duration(eta.p50_s)} (P50) to {duration(eta.p95_s)} (P95), {sanitize(eta.slowest)} is the slowest{bakes}"
    )


def _table(groups: tuple[GroupPlan, ...], outlook: Forecast | None, columns: int) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, header_style=REST)
    has_asgs = columns >= ASGS_FROM_COLUMNS
    longest = max((cell_len(sanitize(g.group)) for g in groups), default=0)
    table.add_column("group", overflow="fold", min_width=min(longest, columns // 3))
    if has_asgs:
        table.add_column("ASGs", overflow="fold")
    table.add_column("strategy", no_wrap=True)
    table.add_column("config", overflow="fold")
    table.add_column("workers", justify="right", no_wrap=True)
    table.add_column("now on", overflow="fold")
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
            Text(_configuration(group)),
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
        return styled(f"go on with {sanitize(outlook.adopted[group.group])}", BUSY)
    if outlook is not None and group.group in outlook.busy:
        return styled("queued", BUSY)
    if group.known_verdict is not None and not group.known_verdict.is_verified:
        return styled(f"left {group.known_verdict.value}", BAD)
    if group.known_verdict is Verdict.EMPTY:
        return styled("set already", GOOD)
    word, style = _STEPS[group.step]
    return styled(word, style)


def _configuration(group: GroupPlan) -> str:
    """Without the prefix that all of AWS's own share, which would cost each row a quarter of its width."""
    return sanitize(group.config.name).removeprefix("CodeDeployDefault.")


def _versions(versions: Mapping[str, int]) -> str:
    """`v122`, or `5 v122, 1 v121` where they differ, the most frequent first."""
    if len(versions) == 1:
        return sanitize(next(iter(versions)))
    ranked = sorted(versions.items(), key=lambda item: (-item[1], item[0]))
    return ", ".join(f"{number:,} {sanitize(version)}" for version, number in ranked)
