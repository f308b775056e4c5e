"""`deployctl config`: is the file right, what holds and why, what may stand in it."""

from __future__ import annotations

import typer

from deployctl.cli.context import cli_context
from deployctl.cli.options import ConfigPath, JsonFlag
from deployctl.cli.output import print_json

app = typer.Typer(help="Check, show and describe deployctl.toml.", no_args_is_help=True)


@app.command()
def check(ctx: typer.Context, *, config: ConfigPath = None, json: JsonFlag = False) -> None:
    """Read the configuration and name everything that is wrong with it."""
    from deployctl.cli.config_view import in_one_line  # noqa: PLC0415 - --help does without it

    options = cli_context(ctx, config_path=config, json=json)
    settings = options.settings()
    if options.json:
        print_json({"schema": "deployctl.config-check/1", "path": str(settings.path), "valid": True})
    else:
        typer.echo(f"{settings.path} is right: {in_one_line(settings)}")


@app.command()
def show(ctx: typer.Context, *, config: ConfigPath = None, json: JsonFlag = False) -> None:
    """Print each value and where it came from."""
    from deployctl.cli.config_view import as_json, as_text  # noqa: PLC0415 - --help does without it

    options = cli_context(ctx, config_path=config, json=json)
    settings = options.settings()
    if options.json:
        print_json(as_json(settings))
    else:
        typer.echo(as_text(settings))


@app.command()
def schema() -> None:
    """Print the JSON Schema of deployctl.toml, for editors."""
    from deployctl.config.schema import json_schema  # noqa: PLC0415 - it imports pydantic

    print_json(json_schema())
