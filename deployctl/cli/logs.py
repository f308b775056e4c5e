"""`deployctl logs`: what the failed workers of a release printed."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from deployctl.cli.completion import complete_releases
from deployctl.cli.context import CliContext
from deployctl.cli.options import GroupGlobs
from deployctl.cli.output import columns_of, glyphs, print_json, show
from deployctl.cli.verb import verb
from deployctl.flows import logs as flow
from deployctl.report.json_status import logs_json
from deployctl.report.logs import logs_lines


@verb("config", "json", "quiet", "no_input")
def logs(
    options: CliContext,
    release: Annotated[
        str,
        typer.Argument(
            metavar="RELEASE",
            help="A release's id or its beginning, a version (its newest release), or `last`.",
            autocompletion=complete_releases,
        ),
    ] = "last",
    *,
    group: GroupGlobs = None,
) -> None:
    """Show each failed worker's lifecycle events, script, error and log tail, by group."""
    settings = options.settings()
    found = flow.logs(settings, options.connect(settings), asked=release, globs=tuple(group or ()))
    if options.json:
        print_json(logs_json(found))
        return
    columns = columns_of(sys.stdout) if sys.stdout.isatty() else None
    show(logs_lines(found, columns=columns, glyphs=glyphs(sys.stdout)), options)
