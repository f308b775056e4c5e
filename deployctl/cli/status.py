"""`deployctl status`: what is under way, and how each group stands."""

from __future__ import annotations

import sys

import typer

from deployctl.cli.context import cli_context
from deployctl.cli.options import ConfigPath, GroupGlobs, JsonFlag, NoInput, Quiet
from deployctl.cli.output import columns_of, glyphs, print_json, print_lines


def status(
    ctx: typer.Context,
    *,
    group: GroupGlobs = None,
    config: ConfigPath = None,
    json: JsonFlag = False,
    quiet: Quiet = False,
    no_input: NoInput = False,
) -> None:
    """Say what is being released and by whom, and how each group stands. Changes nothing; exit code 0."""
    options = cli_context(ctx, config_path=config, json=json, quiet=quiet, no_input=no_input)
    settings = options.settings()
    from deployctl.flows.status import status as run  # noqa: PLC0415 - what follows imports boto3 and more
    from deployctl.report.json_status import status_json  # noqa: PLC0415
    from deployctl.report.status import standing_lines  # noqa: PLC0415
    from deployctl.wiring import connect  # noqa: PLC0415

    standing = run(settings, connect(settings), globs=tuple(group or ()))
    if options.json:
        print_json(status_json(standing))
        return
    lines = standing_lines(standing, columns=columns_of(sys.stdout), glyphs=glyphs(sys.stdout))
    print_lines(lines, stream=sys.stdout, environment=options.environment)
