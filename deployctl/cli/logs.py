"""`deployctl logs`: what the failed workers of a release printed."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from deployctl.cli.context import cli_context
from deployctl.cli.options import ConfigPath, GroupGlobs, JsonFlag, NoInput, Quiet
from deployctl.cli.output import columns_of, glyphs, print_json, print_lines


def logs(
    ctx: typer.Context,
    release: Annotated[
        str,
        typer.Argument(
            metavar="RELEASE",
            help="A release's id or its beginning, a version (its newest release), or `last`.",
        ),
    ] = "last",
    *,
    group: GroupGlobs = None,
    config: ConfigPath = None,
    json: JsonFlag = False,
    quiet: Quiet = False,
    no_input: NoInput = False,
) -> None:
    """Show each failed worker's lifecycle events, script, error and the end of its log, by group."""
    options = cli_context(ctx, config_path=config, json=json, quiet=quiet, no_input=no_input)
    settings = options.settings()
    from deployctl.flows.logs import logs as run  # noqa: PLC0415 - what follows imports boto3 and more
    from deployctl.report.json_status import logs_json  # noqa: PLC0415
    from deployctl.report.logs import logs_lines  # noqa: PLC0415
    from deployctl.wiring import connect  # noqa: PLC0415

    found = run(settings, connect(settings), asked=release, globs=tuple(group or ()))
    if options.json:
        print_json(logs_json(found))
        return
    columns = columns_of(sys.stdout) if sys.stdout.isatty() else None
    lines = logs_lines(found, columns=columns, glyphs=glyphs(sys.stdout))
    print_lines(lines, stream=sys.stdout, environment=options.environment)
