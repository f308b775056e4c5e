"""`deployctl snapshot`: the fleet as it is seen now, into the lake; for a schedule."""

from __future__ import annotations

import typer

from deployctl.cli.context import cli_context
from deployctl.cli.options import ConfigPath, JsonFlag, NoInput, Quiet
from deployctl.cli.output import print_json


def snapshot(
    ctx: typer.Context,
    *,
    config: ConfigPath = None,
    json: JsonFlag = False,
    quiet: Quiet = False,
    no_input: NoInput = False,
) -> None:
    """Write the fleet as it is seen now to the lake, for history. Exit code 0, whatever the workers run."""
    options = cli_context(ctx, config_path=config, json=json, quiet=quiet, no_input=no_input)
    settings = options.settings()
    from deployctl.flows.snapshot import snapshot as run  # noqa: PLC0415 - what follows imports boto3 and more
    from deployctl.lake.ddl import lake_location  # noqa: PLC0415
    from deployctl.report.lake_maintenance import snapshot_json, snapshot_line  # noqa: PLC0415
    from deployctl.wiring import connect  # noqa: PLC0415

    written = run(settings, connect(settings))
    if options.json:
        print_json(snapshot_json(written, uri=lake_location(settings.bucket) + written.key))
    else:
        typer.echo(snapshot_line(written))
