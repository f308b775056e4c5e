"""`deployctl history`: past releases, rollbacks and repairs, newest first."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from deployctl.cli.context import CliContext
from deployctl.cli.output import columns_of, glyphs, print_json, show
from deployctl.cli.verb import verb
from deployctl.flows import history as flow
from deployctl.report.history import history_lines
from deployctl.report.json_status import history_json


@verb("config", "json", "quiet", "no_input")
def history(
    options: CliContext,
    *,
    limit: Annotated[
        int, typer.Option("--limit", "-n", min=1, metavar="N", help="How many, newest first.")
    ] = 20,
) -> None:
    """List past releases and rollbacks: time, actor, versions before and after, verdict."""
    settings = options.settings()
    found = flow.history(settings, options.connect(settings), limit=limit)
    if options.json:
        print_json(history_json(found))
    else:
        show(history_lines(found, columns=columns_of(sys.stdout), glyphs=glyphs(sys.stdout)), options)
