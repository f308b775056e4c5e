"""`deployctl rollback`: back to the previous successful version."""

from __future__ import annotations

import sys
from functools import partial
from typing import Annotated

import typer

from deployctl.cli.completion import complete_versions
from deployctl.cli.context import CliContext
from deployctl.cli.options import DryRun, GroupGlobs, StrategyText, WaitOptions
from deployctl.cli.output import columns_of, print_json, show
from deployctl.cli.run_command import DETACHED, run_and_report
from deployctl.cli.verb import verb
from deployctl.flows import rollback as flow
from deployctl.flows.identity import actor
from deployctl.model.names import parse_version
from deployctl.report.json_output import plan_json
from deployctl.report.plan import plan_lines


@verb("config", "json", "quiet", "no_input", "yes")
def rollback(
    options: CliContext,
    *,
    to: Annotated[
        str | None,
        typer.Option(
            metavar="VERSION",
            help="Roll every group back to this version. Default: each group's previous successful version.",
            autocompletion=complete_versions,
        ),
    ] = None,
    group: GroupGlobs = None,
    dry_run: DryRun = False,
    strategy: StrategyText = None,
    waiting: WaitOptions,
) -> None:
    """Roll every group of the last release back to its previous successful version, all groups at once.

    If the release is still in progress, ask the process running it to stop, and wait for that.

    Exit codes: 0 every group is back, 1 failed, 5 another release is in progress, 124 still running at --timeout.
    """
    settings = options.settings({"strategy": strategy, "timeout": waiting.timeout})
    request = flow.RollbackOptions(
        actor=actor(options.environment),
        to=parse_version(to) if to is not None else None,
        globs=tuple(group or ()),
        timeout_s=settings.timeout_s,
        wait_for_lock_s=waiting.lock_s,
        wait_for_group_s=waiting.group_s,
    )
    ports = options.connect(settings)
    if dry_run:
        plan = flow.dry_run(request, settings, ports)
        if options.json:
            print_json(plan_json(plan))
        else:
            show(plan_lines(plan, columns=columns_of(sys.stdout)), options)
        return
    run_and_report(
        partial(flow.rollback, request, settings, ports),
        settings,
        ports,
        options,
        on_interrupt=f"detached from the rollback; {DETACHED}",
    )
