"""`deployctl report`: the fleet, the last releases and the versions over time as one HTML page."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from deployctl.cli.context import cli_context
from deployctl.cli.options import ConfigPath, NoInput, Quiet

STDOUT = "-"


def report(
    ctx: typer.Context,
    *,
    html: Annotated[
        str,
        typer.Option(
            "--html", metavar="FILE", help="Where to write the page; - is stdout.", show_default=False
        ),
    ],
    days: Annotated[
        int,
        typer.Option("--days", min=1, max=366, metavar="N", help="How far back releases and versions go."),
    ] = 7,
    config: ConfigPath = None,
    quiet: Quiet = False,
    no_input: NoInput = False,
) -> None:
    """Write the last reconcile and the last releases as one HTML page.

    It looks at the fleet as the last snapshot saw it, and changes nothing; exit code 0. The page loads nothing.
    """
    options = cli_context(ctx, config_path=config, quiet=quiet, no_input=no_input)
    settings = options.settings()
    from deployctl.flows.report import report as run  # noqa: PLC0415 - what follows imports boto3 and more
    from deployctl.flows.report import save  # noqa: PLC0415
    from deployctl.report.formatting import size  # noqa: PLC0415
    from deployctl.report.html.page import page  # noqa: PLC0415
    from deployctl.wiring import connect  # noqa: PLC0415

    body = page(run(settings, connect(settings), days=days)).encode("utf-8", errors="replace")
    if html == STDOUT:
        sys.stdout.buffer.write(body)
        sys.stdout.buffer.flush()
        return
    save(Path(html), body)
    if not options.quiet:
        typer.echo(f"wrote {html}: {size(len(body))}", err=True)
