"""The dry run: a release plan as a table, and in one sentence what it comes to."""

from __future__ import annotations

from collections.abc import Mapping

from rich.console import Console
from rich.table import Table
from rich.text import Text

from deployctl.model.release import GroupPlan, ReleasePlan, Step
from deployctl.report.look import GOOD, REST, STRONG, styled
from deployctl.report.words import clean, count

_STEPS = {
    Step.DEPLOY: ("deploy", STRONG),
    Step.EMPTY: ("set the version", REST),
    Step.DONE: ("done", GOOD),
}


def plan_lines(plan: ReleasePlan, *, columns: int) -> list[Text]:
    """Each wave's groups with what would be done to them; cells wrap, so that no name is cut off."""
    console = Console(width=columns, color_system=None)
    lines = [*styled(_sentence(plan), STRONG).wrap(console, columns), Text()]
    for number, wave in enumerate(plan.waves, start=1):
        if len(plan.waves) > 1:
            lines.append(styled(f"wave {number} of {len(plan.waves)}", STRONG))
        lines += _laid_out(_table(wave), console)
    return lines


def _laid_out(table: Table, console: Console) -> list[Text]:
    rendered = console.render_lines(table, pad=False)
    return [Text.assemble(*((s.text, s.style or "") for s in line)) for line in rendered]


def _sentence(plan: ReleasePlan) -> str:
    steps = [group.step for group in plan.groups]
    workers = sum(len(g.workers) for g in plan.groups if g.step is Step.DEPLOY)
    said = [f"{count(steps.count(Step.DEPLOY), 'deployment')} to {count(workers, 'worker')}"]
    if Step.EMPTY in steps:
        said.append(f"{count(steps.count(Step.EMPTY), 'group')} without workers in service")
    if Step.DONE in steps:
        said.append(f"{count(steps.count(Step.DONE), 'group')} done already")
    verb = "would go on" if plan.resumes else "would start"
    return (
        f"release {clean(plan.release_id)} of {clean(plan.application)} {clean(plan.version)} {verb}:"
        f" {', '.join(said)}. Nothing was changed."
    )


def _table(groups: tuple[GroupPlan, ...]) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, header_style=REST)
    table.add_column("group", overflow="fold", min_width=12)
    table.add_column("ASGs", overflow="fold")
    table.add_column("strategy", no_wrap=True)
    table.add_column("configuration", overflow="fold")
    table.add_column("workers", justify="right", no_wrap=True)
    table.add_column("now on", overflow="fold")
    table.add_column("step")
    for group in groups:
        word, style = _STEPS[group.step]
        table.add_row(
            Text(clean(group.group)),
            Text(", ".join(map(clean, group.asgs))),
            Text(str(group.strategy)),
            Text(_configuration(group)),
            Text(f"{len(group.workers):,}"),
            Text(_versions(group.versions_now)),
            styled(word, style),
        )
    return table


def _configuration(group: GroupPlan) -> str:
    """Without the prefix that all of AWS's own share, which would cost each row a quarter of its width."""
    return clean(group.config.name).removeprefix("CodeDeployDefault.")


def _versions(versions: Mapping[str, int]) -> str:
    """`v122`, or `5 v122, 1 v121` where they differ, the most frequent first."""
    if len(versions) == 1:
        return clean(next(iter(versions)))
    ranked = sorted(versions.items(), key=lambda item: (-item[1], item[0]))
    return ", ".join(f"{number:,} {clean(version)}" for version, number in ranked)
