"""`deployctl config`: checks the file, shows the values in effect, describes the keys."""

from __future__ import annotations

import typer

from deployctl.cli.config_view import as_json, as_text, in_one_line
from deployctl.cli.context import CliContext
from deployctl.cli.output import print_json
from deployctl.cli.verb import verb
from deployctl.config.schema import json_schema


@verb("config", "json")
def check(options: CliContext) -> None:
    """Check the configuration and list every error in it."""
    settings = options.settings()
    if options.json:
        print_json({"schema": "deployctl.config-check/1", "path": str(settings.path), "valid": True})
    else:
        typer.echo(f"{settings.path} is valid: {in_one_line(settings)}")


@verb("config", "json")
def show(options: CliContext) -> None:
    """Print each value and its source."""
    settings = options.settings()
    if options.json:
        print_json(as_json(settings))
    else:
        typer.echo(as_text(settings))


def schema() -> None:
    """Print the JSON Schema of deployctl.toml, for editors."""
    print_json(json_schema())
