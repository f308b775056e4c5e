"""`deployctl athena`: the database, tables and workgroups that reconciliation reads with."""

from __future__ import annotations

import typer

from deployctl.cli.globals import globals_of
from deployctl.cli.options import ConfigPath, JsonFlag
from deployctl.cli.output import print_json

app = typer.Typer(help="Set up what reconciliation needs in Athena.", no_args_is_help=True)


@app.callback()
def athena() -> None:
    pass


@app.command()
def setup(ctx: typer.Context, *, config: ConfigPath = None, json: JsonFlag = False) -> None:
    """Create the database, its tables and both workgroups, and limit what a reconciliation may scan."""
    options = globals_of(ctx, config_path=config, json=json)
    settings = options.settings()
    from deployctl.wiring import set_up_athena  # noqa: PLC0415 - it imports boto3

    made = set_up_athena(settings)
    if options.json:
        print_json({"schema": "deployctl.athena-setup/1", "database": settings.database, "made": list(made)})
        return
    for name in made:
        typer.echo(f"made {name}")
    typer.echo(f"Athena is ready: database {settings.database}, workgroup {settings.workgroup}")
