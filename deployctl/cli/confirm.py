"""Confirmation of a removal: shown first, then asked for, unless --yes answers."""

from __future__ import annotations

from collections.abc import Callable

import typer

from deployctl.cli.context import CliContext
from deployctl.errors import UsageError


def require_confirmation(options: CliContext, *, noun: str, command: str) -> None:
    """Raises: UsageError if the removal needs an answer and no terminal can give it."""
    if not (options.yes or options.may_ask):
        raise UsageError(
            "the removal needs confirmation and no terminal is attached",
            noun=noun,
            remedy=f"{command} --yes   # or --dry-run, to see what it would remove",
        )


def confirm_removal(options: CliContext, show: Callable[[], None]) -> bool:
    if options.yes:
        return True
    show()
    if typer.confirm("Remove them permanently?", default=False, err=True):
        return True
    typer.echo("nothing was removed", err=True)
    return False
