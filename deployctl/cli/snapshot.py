"""`deployctl snapshot`: the fleet's state now, into the lake; for a schedule."""

from __future__ import annotations

import typer

from deployctl.cli.context import CliContext
from deployctl.cli.output import print_json
from deployctl.cli.verb import verb
from deployctl.flows import snapshot as flow
from deployctl.lake.ddl import lake_location
from deployctl.report.lake_maintenance import snapshot_json, snapshot_line


@verb("config", "json", "quiet", "no_input")
def snapshot(options: CliContext) -> None:
    """Write the fleet's current state to the lake, for history. Exit code 0, whatever the workers run."""
    settings = options.settings()
    written = flow.snapshot(settings, options.connect(settings))
    if options.json:
        print_json(snapshot_json(written, uri=lake_location(settings.bucket) + written.key))
    else:
        typer.echo(snapshot_line(written))
