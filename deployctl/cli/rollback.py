"""`deployctl rollback`: back to what held before."""

from __future__ import annotations

import sys
from functools import partial
from typing import TYPE_CHECKING, Annotated

import typer

from deployctl.cli.context import CliContext, cli_context
from deployctl.cli.options import (
    ConfigPath,
    DryRun,
    GroupGlobs,
    JsonFlag,
    NoInput,
    Quiet,
    StrategyText,
    TimeoutText,
    WaitForGroup,
    WaitForLock,
    Yes,
    duration_s,
)
from deployctl.cli.output import columns_of, print_json, print_lines
from deployctl.cli.run_command import run_and_report
from deployctl.model.names import parse_version

if TYPE_CHECKING:
    from deployctl.config.settings import Settings
    from deployctl.flows.rollback import RollbackOptions


def rollback(
    ctx: typer.Context,
    *,
    to: Annotated[
        str | None,
        typer.Option(
            "--to",
            metavar="VERSION",
            help="Go back to this version, in every group. Default: what held in each before its last release.",
        ),
    ] = None,
    group: GroupGlobs = None,
    dry_run: DryRun = False,
    strategy: StrategyText = None,
    timeout: TimeoutText = None,
    wait_for_lock: WaitForLock = None,
    wait_for_group: WaitForGroup = None,
    config: ConfigPath = None,
    json: JsonFlag = False,
    quiet: Quiet = False,
    no_input: NoInput = False,
    yes: Yes = False,
) -> None:
    """Take the last release back: its groups, all at once, to the version that held in each of them before.

    A release that is under way is stopped first, by asking whoever runs it. Exit codes are those of a release: 0
    every group is back, 1 failed, 5 somebody else is at work, 124 still running at --timeout.
    """
    options = cli_context(ctx, config_path=config, json=json, quiet=quiet, no_input=no_input, yes=yes)
    settings = options.settings({"strategy": strategy, "timeout": timeout})
    from deployctl.flows.identity import actor  # noqa: PLC0415 - what follows imports boto3 and more
    from deployctl.flows.rollback import RollbackOptions  # noqa: PLC0415

    asked = RollbackOptions(
        actor=actor(options.environment),
        to=parse_version(to) if to is not None else None,
        globs=tuple(group or ()),
        timeout_s=settings.timeout_s,
        wait_for_lock_s=duration_s("--wait-for-lock", wait_for_lock),
        wait_for_group_s=duration_s("--wait-for-group", wait_for_group),
    )
    if dry_run:
        _show_plan(asked, settings, options)
    else:
        _rollback(asked, settings, options)


def _show_plan(asked: RollbackOptions, settings: Settings, options: CliContext) -> None:
    from deployctl.flows.rollback import dry_run  # noqa: PLC0415
    from deployctl.report.json_output import plan_json  # noqa: PLC0415
    from deployctl.report.plan import plan_lines  # noqa: PLC0415
    from deployctl.wiring import connect  # noqa: PLC0415

    plan = dry_run(asked, settings, connect(settings))
    if options.json:
        print_json(plan_json(plan))
        return
    lines = plan_lines(plan, columns=columns_of(sys.stdout))
    print_lines(lines, stream=sys.stdout, environment=options.environment)


def _rollback(asked: RollbackOptions, settings: Settings, options: CliContext) -> None:
    from deployctl.flows.rollback import rollback as run  # noqa: PLC0415
    from deployctl.wiring import connect  # noqa: PLC0415

    ports = connect(settings)
    run_and_report(
        partial(run, asked, settings, ports),
        what="the rollback",
        settings=settings,
        ports=ports,
        options=options,
    )
