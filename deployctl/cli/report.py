"""`deployctl report`: the fleet, the last releases and the versions over time as one HTML page."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from deployctl.cli.context import CliContext
from deployctl.cli.verb import verb
from deployctl.flows import report as flow
from deployctl.report.formatting import size
from deployctl.report.html.page import page

STDOUT = "-"


@verb("config", "quiet", "no_input")
def report(
    options: CliContext,
    *,
    html: Annotated[
        str,
        typer.Option(metavar="FILE", help="The file to write; - for stdout.", show_default=False),
    ],
    days: Annotated[
        int,
        typer.Option(min=1, max=366, metavar="N", help="How many days of releases and versions."),
    ] = 7,
) -> None:
    """Write the last reconcile and the last releases as one HTML page, which loads nothing.

    The page shows the fleet as the last snapshot recorded it. Changes nothing in AWS; exit code 0.
    """
    settings = options.settings()
    found = flow.report(settings, options.connect(settings), days=days)
    body = page(found).encode("utf-8", errors="replace")
    if html == STDOUT:
        sys.stdout.buffer.write(body)
        sys.stdout.buffer.flush()
        return
    flow.save(Path(html), body)
    if not options.quiet:
        typer.echo(f"wrote {html}: {size(len(body))}", err=True)
