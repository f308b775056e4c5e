"""`deployctl history`: the releases there were, the newest first."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from deployctl.cli.context import cli_context
from deployctl.cli.options import ConfigPath, JsonFlag, NoInput, Quiet
from deployctl.cli.output import columns_of, glyphs, print_json, print_lines


def history(
    ctx: typer.Context,
    *,
    limit: Annotated[
        int, typer.Option("--limit", "-n", min=1, metavar="N", help="How many, the newest first.")
    ] = 20,
    config: ConfigPath = None,
    json: JsonFlag = False,
    quiet: Quiet = False,
    no_input: NoInput = False,
) -> None:
    """List the releases and rollbacks: when, who, from which version to which, and how they came out."""
    options = cli_context(ctx, config_path=config, json=json, quiet=quiet, no_input=no_input)
    settings = options.settings()
    from deployctl.flows.history import history as run  # noqa: PLC0415 - what follows imports boto3 and more
    from deployctl.report.history import history_lines  # noqa: PLC0415
    from deployctl.report.json_status import history_json  # noqa: PLC0415
    from deployctl.wiring import connect  # noqa: PLC0415

    found = run(settings, connect(settings), limit=limit)
    if options.json:
        print_json(history_json(found))
        return
    lines = history_lines(found, columns=columns_of(sys.stdout), glyphs=glyphs(sys.stdout))
    print_lines(lines, stream=sys.stdout, environment=options.environment)
