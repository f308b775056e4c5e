"""Shows a verb that changes the fleet while it runs, and exits with its outcome's code."""

import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from typing import Any, Protocol, TextIO

import typer
from rich.text import Text

from deployctl.cli.command_line import attach_command, rerun_command
from deployctl.cli.context import CliContext
from deployctl.cli.notify import NotifyHook
from deployctl.cli.output import glyphs, note, print_json, print_lines
from deployctl.cli.release_display import ReleaseDisplay
from deployctl.cli.streams import ignore_broken_pipe, write_failure
from deployctl.config.settings import Settings
from deployctl.errors import Interrupted
from deployctl.model.event import Event
from deployctl.model.release import ReleaseOutcome
from deployctl.model.verdict import EXIT_CODES
from deployctl.ports import Ports
from deployctl.report.json_output import release_json
from deployctl.report.release_summary import summary

Emit = Callable[[Event], None]
DETACHED = "its deployments keep running in CodeDeploy"


class Verb(Protocol):
    """A flow that changes the fleet, with its own arguments already bound."""

    def __call__(self, *, settings: Settings, ports: Ports, emit: Emit) -> ReleaseOutcome: ...


def run_and_report(
    verb: Verb,
    settings: Settings,
    ports: Ports,
    options: CliContext,
    *,
    on_interrupt: str,
    repeats: bool = False,
) -> None:
    """Run `verb`, show its events, and exit with its outcome's code.

    `on_interrupt` is the message after Ctrl-C. `repeats`: a second run of the same command resumes the release.
    Raises: typer.Exit, Interrupted.
    """
    # The fleet and the exit code do not depend on a reader of the output.
    ignore_broken_pipe()
    with watch_events(settings, ports, options) as emit:
        try:
            outcome = verb(settings=settings, ports=ports, emit=emit)
        except KeyboardInterrupt:
            raise interrupted(on_interrupt, settings, options) from None
    again = rerun_command() if repeats else None

    def lines_for(stream: TextIO) -> list[Text]:
        return summary(outcome, glyphs=glyphs(stream), again=again)

    print_outcome(partial(release_json, outcome), lines_for, options, is_running=outcome.is_running)
    raise typer.Exit(EXIT_CODES[outcome.verdict])


@contextmanager
def watch_events(settings: Settings, ports: Ports, options: CliContext) -> Iterator[Emit]:
    """Draw events on stderr, and pass them to the `notify` program."""
    environment, clock = options.environment, ports.clock
    with (
        NotifyHook(
            settings.notify,
            folder=settings.path.parent,
            stream=sys.stderr,
            clock=clock,
            environment=environment,
        ) as notify,
        ReleaseDisplay(sys.stderr, clock=clock, environment=environment, quiet=options.quiet) as display,
    ):

        def emit(event: Event) -> None:
            display.emit(event)
            notify.emit(event)

        yield emit


def interrupted(message: str, settings: Settings, options: CliContext) -> Interrupted:
    return Interrupted(message, noun=settings.application, remedy=attach_command(options))


def print_outcome(
    as_json: Callable[[], Mapping[str, Any]],
    lines_for: Callable[[TextIO], Iterable[Text]],
    options: CliContext,
    *,
    is_running: bool,
) -> None:
    """The result on stdout; for people also on stderr, with --json or where stdout cannot be written."""

    def print_on(stream: TextIO) -> None:
        print_lines(lines_for(stream), stream=stream, environment=options.environment)

    if options.json:
        print_json(as_json())
    else:
        print_on(sys.stdout)
    if write_failure(sys.stdout) is not None or (options.json and not options.quiet):
        print_on(sys.stderr)
    if is_running:
        note([f"→ {attach_command(options)}"], options)
