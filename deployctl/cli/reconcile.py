"""`deployctl reconcile`: who is behind, why, and the command that mends it."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated

import typer

from deployctl.cli.fix import Categories, Fix, FixFlags, Replace, fix_drift, refuse_without_fix
from deployctl.cli.globals import Globals, globals_of
from deployctl.cli.options import (
    ConfigPath,
    DryRun,
    GroupGlobs,
    JsonFlag,
    NoInput,
    Quiet,
    TimeoutText,
    WaitForLock,
    Yes,
    duration_s,
)
from deployctl.cli.output import columns_of, glyphs, print_json, print_lines
from deployctl.errors import ExitCode, Unreachable, UsageError

if TYPE_CHECKING:
    from deployctl.model.cause import Reconciliation
    from deployctl.ports import Clock

Look = Callable[[], "Reconciliation"]


def reconcile(
    ctx: typer.Context,
    *,
    group: GroupGlobs = None,
    watch: Annotated[bool, typer.Option("--watch", "-w", help="Keep looking until Ctrl-C.")] = False,
    every: Annotated[
        str, typer.Option(metavar="DURATION", help="With --watch: how long from one look to the next.")
    ] = "15s",
    engine: Annotated[
        str | None,
        typer.Option(
            metavar="ENGINE",
            help="Who runs the SQL: athena or duckdb. With --watch it is duckdb: Athena bills 10 MB a look.",
        ),
    ] = None,
    fix: Fix = False,
    category: Categories = None,
    replace: Replace = False,
    dry_run: DryRun = False,
    wait_for_lock: WaitForLock = None,
    timeout: TimeoutText = None,
    config: ConfigPath = None,
    json: JsonFlag = False,
    quiet: Quiet = False,
    no_input: NoInput = False,
    yes: Yes = False,
) -> None:
    """Match what each worker should run against what it runs. Exit code 3 where any worker has drifted.

    With --fix, bring those that have drifted to the version that holds in their group: shows what will be done and
    asks first. Exit code 0 where no drift is left, 3 otherwise, 5 where a release is under way.
    """
    options = globals_of(ctx, config_path=config, json=json, quiet=quiet, no_input=no_input, yes=yes)
    flags = FixFlags(
        globs=tuple(group or ()),
        categories=tuple(category or ()),
        replaces=replace,
        dry_run=dry_run,
        wait_for_lock=wait_for_lock,
        timeout=timeout,
        engine=engine,
    )
    if fix:
        fix_drift(flags, options, watch=watch)
    refuse_without_fix(flags)
    if watch and options.json:
        raise UsageError(
            "--watch draws a table and --json prints one document",
            noun="--watch",
            remedy="deployctl reconcile --json   # as often as you need it",
        )
    every_s = duration_s("--every", every) or 0
    settings = options.settings({"engine": engine or ("duckdb" if watch else None)})
    from deployctl.flows.reconcile import reconcile as run  # noqa: PLC0415 - what follows imports boto3 and more
    from deployctl.wiring import connect  # noqa: PLC0415

    ports = connect(settings)

    def look() -> Reconciliation:
        return run(settings, ports, globs=tuple(group or ()))

    found = _watch(look, ports.clock, options, every_s) if watch else _once(look, ports.clock, options)
    raise typer.Exit(ExitCode.DRIFT if found.drifted else ExitCode.DONE)


def _once(look: Look, clock: Clock, options: Globals) -> Reconciliation:
    from deployctl.report.envelope import reconcile_json  # noqa: PLC0415
    from deployctl.report.fleet import fleet_lines  # noqa: PLC0415

    found = look()
    if options.json:
        print_json(reconcile_json(found))
    else:
        lines = fleet_lines(found, now=clock.now(), columns=columns_of(sys.stdout), glyphs=glyphs(sys.stdout))
        print_lines(lines, stream=sys.stdout, environment=options.environment)
    return found


def _watch(look: Look, clock: Clock, options: Globals, every_s: int) -> Reconciliation:
    """Look again and again until Ctrl-C; what was found last. A look without an answer leaves the table as it is."""
    from deployctl.report.watched import WatchedTable  # noqa: PLC0415

    found = look()
    with WatchedTable(sys.stdout, clock=clock, environment=options.environment) as table:
        try:
            while True:
                table.show(found, for_s=every_s)
                try:
                    found = look()
                except Unreachable as error:
                    table.trouble(error)
                else:
                    table.trouble(None)
        except KeyboardInterrupt:
            return found
