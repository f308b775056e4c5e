"""`deployctl reconcile`: who is behind, why, and the command that mends it."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from deployctl.cli.globals import globals_of
from deployctl.cli.options import ConfigPath, GroupGlobs, JsonFlag, Quiet
from deployctl.cli.output import columns_of, glyphs, print_json, print_lines
from deployctl.errors import ExitCode


def reconcile(
    ctx: typer.Context,
    *,
    group: GroupGlobs = None,
    engine: Annotated[
        str | None, typer.Option(metavar="ENGINE", help="Who runs the SQL: athena or duckdb.")
    ] = None,
    config: ConfigPath = None,
    json: JsonFlag = False,
    quiet: Quiet = False,
) -> None:
    """Match what each worker should run against what it runs. Exit code 3 where any worker has drifted."""
    options = globals_of(ctx, config_path=config, json=json, quiet=quiet)
    settings = options.settings({"engine": engine})
    from deployctl.flows.reconcile import reconcile as run  # noqa: PLC0415 - what follows imports boto3 and more
    from deployctl.report.envelope import reconcile_json  # noqa: PLC0415
    from deployctl.report.fleet import fleet_lines  # noqa: PLC0415
    from deployctl.wiring import connect  # noqa: PLC0415

    ports = connect(settings)
    found = run(settings, ports, globs=tuple(group or ()))
    if options.json:
        print_json(reconcile_json(found))
    else:
        lines = fleet_lines(
            found, now=ports.clock.now(), columns=columns_of(sys.stdout), glyphs=glyphs(sys.stdout)
        )
        print_lines(lines, stream=sys.stdout, environment=options.environment)
    raise typer.Exit(ExitCode.DRIFT if found.drifted else ExitCode.DONE)
