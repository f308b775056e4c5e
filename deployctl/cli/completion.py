"""What the shell offers for an option's value. A completion never fails: without an answer it offers nothing."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterable
from importlib import import_module
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING

import typer

from deployctl.cli.context import CliContext

if TYPE_CHECKING:
    from deployctl.config.settings import Settings
    from deployctl.ports import Ports

#: How long AWS may take. Someone waits at the prompt.
LIMIT_S = 2.0
STRATEGIES = ("one", "half", "all", "25%", "50%", "75%")


def complete_versions(ctx: typer.Context, incomplete: str) -> list[str]:
    return _ask(
        ctx,
        incomplete,
        lambda settings, ports: [
            each.manifest.version for each in ports.artifacts.published(settings.application)
        ],
    )


def complete_groups(ctx: typer.Context, incomplete: str) -> list[str]:
    return _ask(
        ctx,
        incomplete,
        lambda settings, ports: [group.name for group in ports.deployments.groups(settings.application)],
    )


def complete_releases(ctx: typer.Context, incomplete: str) -> list[str]:
    return _ask(ctx, incomplete, lambda _settings, ports: ports.journal.release_ids())


def complete_strategies(incomplete: str) -> list[str]:
    return [word for word in STRATEGIES if word.startswith(incomplete)]


def complete_on_failure(incomplete: str) -> list[str]:
    return [word for word in ("stop", "continue", "rollback") if word.startswith(incomplete)]


def complete_categories(incomplete: str) -> list[str]:
    """The last one of a list with commas."""
    from deployctl.model.cause import Category

    before, comma, last = incomplete.rpartition(",")
    return [before + comma + each.value for each in Category if each.value.startswith(last)]


def _ask(
    ctx: typer.Context, incomplete: str, question: Callable[[Settings, Ports], Iterable[str]]
) -> list[str]:
    path = ctx.params.get("config") or ctx.find_root().params.get("config")
    options = CliContext(config_path=Path(path) if path else None)
    try:
        settings = options.settings()
        # The limit is for AWS, not for these imports.
        import_module("deployctl.wiring")
        signal.signal(signal.SIGALRM, _give_up)
        signal.setitimer(signal.ITIMER_REAL, LIMIT_S)
        return [word for word in question(settings, options.connect(settings)) if word.startswith(incomplete)]
    except Exception:  # noqa: BLE001 - a traceback would be written into the prompt
        return []
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)


def _give_up(_number: int, _frame: FrameType | None) -> None:
    # At once: threads that wait for AWS would keep the process, and the prompt, for minutes.
    os._exit(0)
