"""`deployctl help` and `deployctl version`."""

from __future__ import annotations

from typing import Annotated

import typer

from deployctl.cli.app import print_version


def show_help(
    ctx: typer.Context,
    command: Annotated[
        list[str] | None, typer.Argument(metavar="[COMMAND]...", help="Such as release, or athena query.")
    ] = None,
) -> None:
    """Show the help of deployctl or of one command."""
    ctx.find_root().command.main([*(command or ()), "--help"], prog_name="deployctl", standalone_mode=False)


def version() -> None:
    """Print the version."""
    print_version()
