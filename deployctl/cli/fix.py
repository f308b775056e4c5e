"""`deployctl reconcile --fix`: shows what will be done, asks, mends, and says what came of it."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from difflib import get_close_matches
from typing import TYPE_CHECKING, Annotated, NoReturn, TextIO

import typer

from deployctl.cli.options import duration_s
from deployctl.cli.output import columns_of, glyphs, print_json, print_lines
from deployctl.cli.run_command import attach_command, rerun_command
from deployctl.errors import ExitCode, Interrupted, UsageError

if TYPE_CHECKING:
    from deployctl.cli.context import CliContext
    from deployctl.config.settings import Settings
    from deployctl.execute.repair_outcome import RepairOutcome
    from deployctl.flows.repair import RepairOptions, RepairProposal
    from deployctl.model.cause import Category
    from deployctl.model.event import Event
    from deployctl.ports import Ports

Fix = Annotated[bool, typer.Option("--fix", help="Mend what has drifted; shows what will be done and asks.")]
Replace = Annotated[
    bool,
    typer.Option(
        "--replace",
        help="With --fix: have Auto Scaling terminate workers that no deployment can mend, and launch others.",
    ),
]


@dataclass(frozen=True, slots=True, kw_only=True)
class FixFlags:
    """As they were given."""

    globs: tuple[str, ...]
    categories: tuple[str, ...]
    replaces: bool
    dry_run: bool
    wait_for_lock: str | None
    timeout: str | None
    engine: str | None


class ConfirmationRequired(UsageError, code="confirmation-required"):
    """The command asks for confirmation, and no terminal is attached."""

    def __init__(self) -> None:
        super().__init__(
            "nobody is there to confirm it, so nothing was changed",
            noun="--fix",
            remedy=f"{rerun_command()} --yes",
        )


def reject_fix_only_options(flags: FixFlags) -> None:
    """Raises: UsageError for a flag that means something with --fix only."""
    given = {
        "--replace": flags.replaces,
        "--dry-run": flags.dry_run,
        "--wait-for-lock": flags.wait_for_lock,
        "--timeout": flags.timeout,
    }
    for flag, value in given.items():
        if value:
            words = [flag, shlex.quote(value)] if isinstance(value, str) else [flag]
            remedy = " ".join(["deployctl reconcile --fix", *words])
            raise UsageError(f"{flag} goes with --fix", noun=flag, remedy=remedy)


def reject_incompatible_options(listing: Mapping[str, object]) -> None:
    """Raises: UsageError for a flag that says which workers are listed: a plan names them all."""
    for flag, value in listing.items():
        if value:
            raise UsageError(
                f"{flag} does not go with --fix; --group and --category choose what is mended",
                noun=flag,
                remedy="deployctl reconcile --fix --dry-run",
            )


def fix_drift(flags: FixFlags, options: CliContext) -> NoReturn:
    """Leaves with the exit code. Raises: typer.Exit; all that the repair may."""
    settings = options.settings({"engine": flags.engine, "timeout": flags.timeout})
    categories = tuple(_category(text) for text in flags.categories)
    wait_s = duration_s("--wait-for-lock", flags.wait_for_lock)
    from deployctl.flows.identity import actor  # noqa: PLC0415 - what follows imports boto3 and more
    from deployctl.flows.repair import RepairOptions, propose_repair  # noqa: PLC0415
    from deployctl.wiring import connect  # noqa: PLC0415

    asked = RepairOptions(
        actor=actor(options.environment),
        globs=flags.globs,
        categories=categories,
        replaces=flags.replaces,
        timeout_s=settings.timeout_s,
        wait_for_lock_s=wait_s,
    )
    ports = connect(settings)
    proposal = propose_repair(asked, settings, ports)
    if not flags.dry_run and (wait_s is None or not proposal.acts):
        proposal.ensure_free()
    if flags.dry_run or not proposal.acts:
        _show(proposal, options, stream=sys.stdout)
        raise typer.Exit(_code(_asked_for(proposal, asked)))
    _agree(proposal, options, drifted=_asked_for(proposal, asked))
    outcome = _repair(asked, settings, ports, options, proposal)
    _tell(outcome, options)
    raise typer.Exit(ExitCode.STILL_RUNNING if outcome.is_running else _code(outcome.remaining))


def _asked_for(proposal: RepairProposal, asked: RepairOptions) -> int:
    """How many have drifted of those that were asked for, as `reconcile` counts with the same --category."""
    from deployctl.execute.repair_outcome import selected_drift  # noqa: PLC0415 - --help does without it

    return len(selected_drift(proposal.found, asked.categories))


def _code(drifted: int) -> ExitCode:
    return ExitCode.DRIFT if drifted else ExitCode.DONE


def _category(text: str) -> Category:
    """Raises: UsageError for one that is unknown or no drift."""
    from deployctl.model.cause import Category  # noqa: PLC0415 - --help does without it

    drift = [c.value for c in Category if c.is_drift]
    if text in drift:
        return Category(text)
    near = get_close_matches(text, drift, n=1)
    known = text in {c.value for c in Category}
    raise UsageError(
        f"{text} is no drift" if known else f"no category of drift is called {text!r}",
        noun=text,
        remedy=f"did you mean {near[0]}?" if near else f"use one of {', '.join(drift)}",
    )


def _agree(proposal: RepairProposal, options: CliContext, *, drifted: int) -> None:
    """Show what will be done, and go on only with a yes. Raises: typer.Exit, NobodyToAsk."""
    if not (options.yes or options.may_ask):
        _show(proposal, options, stream=sys.stdout)
        _refuse(options)
    if not (options.yes and options.quiet):
        _show(proposal, options, stream=sys.stderr, as_json=False)
    if not options.yes and not typer.confirm("Go ahead?", default=False, err=True):
        typer.echo("nothing was changed", err=True)
        raise typer.Exit(_code(drifted))


def _refuse(options: CliContext) -> NoReturn:
    """With --json the plan is the one document on stdout."""
    error = ConfirmationRequired()
    if not options.json:
        raise error
    from deployctl.report.errors import error_lines  # noqa: PLC0415 - it imports rich

    lines = error_lines(error, glyphs=glyphs(sys.stderr))
    print_lines(lines, stream=sys.stderr, environment=options.environment)
    raise typer.Exit(error.exit_code)


def _show(
    proposal: RepairProposal, options: CliContext, *, stream: TextIO, as_json: bool | None = None
) -> None:
    from deployctl.report.json_repair import repair_plan_json  # noqa: PLC0415 - it imports rich
    from deployctl.report.repair import repair_plan_lines  # noqa: PLC0415

    if options.json if as_json is None else as_json:
        print_json(repair_plan_json(proposal.plan, in_progress=proposal.in_progress))
        return
    lines = repair_plan_lines(
        proposal.plan,
        in_progress=proposal.in_progress,
        columns=columns_of(stream),
        glyphs=glyphs(stream),
    )
    print_lines(lines, stream=stream, environment=options.environment)


def _repair(
    asked: RepairOptions, settings: Settings, ports: Ports, options: CliContext, proposal: RepairProposal
) -> RepairOutcome:
    from deployctl.cli.notify import NotifyHook  # noqa: PLC0415 - what follows imports rich
    from deployctl.cli.release_display import ReleaseDisplay  # noqa: PLC0415
    from deployctl.flows.repair import repair  # noqa: PLC0415

    environment, folder, clock = options.environment, settings.path.parent, ports.clock

    @contextmanager
    def watched() -> Iterator[Callable[[Event], None]]:
        with (
            NotifyHook(
                settings.notify, folder=folder, stream=sys.stderr, clock=clock, environment=environment
            ) as notify,
            ReleaseDisplay(sys.stderr, clock=clock, environment=environment, quiet=options.quiet) as watch,
        ):

            def emit(event: Event) -> None:
                watch.emit(event)
                notify.emit(event)

            yield emit

    try:
        return repair(asked, settings, ports, agreed=proposal, watched=watched)
    except KeyboardInterrupt:
        raise Interrupted(
            "left the repair; deployments that have begun go on without it",
            noun=settings.application,
            remedy=attach_command(options),
        ) from None


def _tell(outcome: RepairOutcome, options: CliContext) -> None:
    from deployctl.report.json_repair import repair_json  # noqa: PLC0415 - it imports rich
    from deployctl.report.repair import repair_lines  # noqa: PLC0415

    if options.json:
        print_json(repair_json(outcome))
    stream = sys.stderr if options.json else sys.stdout
    if not (options.json and options.quiet):
        lines = repair_lines(outcome, columns=columns_of(stream), glyphs=glyphs(stream))
        print_lines(lines, stream=stream, environment=options.environment)
    if outcome.is_running:
        print_lines([f"→ {attach_command(options)}"], stream=sys.stderr, environment=options.environment)
