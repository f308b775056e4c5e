"""Shows a verb that changes the fleet while it runs, and leaves with what its outcome means."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol

import typer

from deployctl.cli.broken_pipe import ignore_broken_pipe
from deployctl.cli.context import CliContext
from deployctl.cli.output import glyphs, print_json, print_lines
from deployctl.errors import Interrupted
from deployctl.model.verdict import EXIT_CODES

if TYPE_CHECKING:
    from deployctl.config.settings import Settings
    from deployctl.model.event import Event
    from deployctl.model.release import ReleaseOutcome
    from deployctl.ports import Ports


class Verb(Protocol):
    """A flow that changes the fleet, with all its arguments but where its events go."""

    def __call__(self, *, emit: Callable[[Event], None]) -> ReleaseOutcome: ...


def attach_command(options: CliContext) -> str:
    """What goes on with something that was left."""
    where = ["--config", str(options.config_path)] if options.config_path is not None else []
    return f"{shlex.join(['deployctl', 'attach', *where])}   # goes on watching and tagging"


def rerun_command() -> str:
    """What was typed, options and all: without its --group it would release to every group."""
    return shlex.join(["deployctl", *sys.argv[1:]])


def run_and_report(
    verb: Verb,
    *,
    what: str,
    settings: Settings,
    ports: Ports,
    options: CliContext,
    repeats: bool = False,
) -> None:
    """Run `verb`, which is given where its events go, and leave with its outcome's exit code.

    `what` is it in words, such as "the release of v2", for who leaves it; one that `repeats` goes on when it is
    typed again. Raises: typer.Exit, Interrupted.
    """
    # What goes on in the fleet does not depend on who is told of it, and nor does the exit code.
    ignore_broken_pipe()
    from deployctl.cli.notify import NotifyHook  # noqa: PLC0415 - what follows imports rich
    from deployctl.cli.release_display import ReleaseDisplay  # noqa: PLC0415

    environment, folder, clock = options.environment, settings.path.parent, ports.clock
    with (
        NotifyHook(
            settings.notify, folder=folder, stream=sys.stderr, clock=clock, environment=environment
        ) as notify,
        ReleaseDisplay(sys.stderr, clock=clock, environment=environment, quiet=options.quiet) as watch,
    ):

        def emit(event: Event) -> None:
            watch.emit(event)
            notify.emit(event)

        try:
            outcome = verb(emit=emit)
        except KeyboardInterrupt:
            raise Interrupted(
                f"left {what}; deployments that have begun go on without it",
                noun=settings.application,
                remedy=attach_command(options),
            ) from None
    _tell(outcome, options, again=rerun_command() if repeats else None)
    raise typer.Exit(EXIT_CODES[outcome.verdict])


def _tell(outcome: ReleaseOutcome, options: CliContext, *, again: str | None) -> None:
    from deployctl.report.json_output import release_json  # noqa: PLC0415 - it imports rich
    from deployctl.report.release_summary import summary  # noqa: PLC0415

    if options.json:
        print_json(release_json(outcome))
    # With --json the verdict is for people, and so is stderr; without, it is what was asked for.
    stream = sys.stderr if options.json else sys.stdout
    if not (options.json and options.quiet):
        print_lines(
            summary(outcome, glyphs=glyphs(stream), again=again),
            stream=stream,
            environment=options.environment,
        )
    if outcome.is_running:
        print_lines([f"→ {attach_command(options)}"], stream=sys.stderr, environment=options.environment)
