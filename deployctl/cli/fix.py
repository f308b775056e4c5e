"""`deployctl reconcile --fix`: shows the plan, asks, repairs, and shows the result."""

import sys
from difflib import get_close_matches
from functools import partial
from typing import NoReturn, TextIO

import typer
from rich.text import Text

from deployctl.cli.command_line import corrected_command, rerun_command
from deployctl.cli.context import CliContext
from deployctl.cli.options import duration_s
from deployctl.cli.output import columns_of, glyphs, note, print_json, print_lines
from deployctl.cli.reconcile import FixOptions
from deployctl.cli.run_command import DETACHED, interrupted, print_outcome, watch_events
from deployctl.config.settings import Settings
from deployctl.errors import ExitCode, UsageError
from deployctl.execute.repair_outcome import RepairOutcome, selected_drift
from deployctl.flows.repair import RepairOptions, RepairProposal, propose_repair, repair
from deployctl.model.cause import Category
from deployctl.ports import Ports
from deployctl.report.errors import error_lines
from deployctl.report.repair import repair_json, repair_lines, repair_plan_json, repair_plan_lines


class ConfirmationRequired(UsageError, code="confirmation-required"):
    """The command asks for confirmation, and no terminal is attached."""

    def __init__(self) -> None:
        super().__init__(
            "confirmation required and no terminal is attached; nothing was changed",
            noun="--fix",
            remedy=f"{rerun_command()} --yes",
        )


def fix_drift(
    flags: FixOptions,
    options: CliContext,
    *,
    globs: tuple[str, ...],
    categories: tuple[str, ...],
    engine: str | None,
) -> NoReturn:
    """Raises: typer.Exit with the exit code; every error of the repair."""
    settings = options.settings({"engine": engine, "timeout": flags.timeout})
    request = RepairOptions(
        actor=options.actor,
        globs=globs,
        categories=tuple(_category(text) for text in categories),
        replaces=flags.replace,
        timeout_s=settings.timeout_s,
        wait_for_lock_s=duration_s("--wait-for-lock", flags.wait_for_lock),
    )
    ports = options.connect(settings)
    proposal = propose_repair(request, settings, ports)
    if not flags.dry_run and (request.wait_for_lock_s is None or not proposal.has_actions):
        proposal.require_no_release()
    drifted = len(selected_drift(proposal.found, request.categories))
    if flags.dry_run or not proposal.has_actions:
        _show_plan(proposal, options, stream=sys.stdout, as_json=options.json)
        raise typer.Exit(_exit_code(drifted))
    _confirm(proposal, options, drifted=drifted)
    outcome = _repair(request, settings, ports, options, proposal)

    def lines_for(stream: TextIO) -> list[Text]:
        return repair_lines(outcome, columns=columns_of(stream), glyphs=glyphs(stream))

    print_outcome(partial(repair_json, outcome), lines_for, options, is_running=outcome.is_running)
    raise typer.Exit(ExitCode.STILL_RUNNING if outcome.is_running else _exit_code(outcome.remaining))


def _exit_code(drifted: int) -> ExitCode:
    return ExitCode.DRIFT if drifted else ExitCode.DONE


def _category(text: str) -> Category:
    """Raises: UsageError for a category that is unknown or is not drift."""
    drift = [each.value for each in Category if each.is_drift]
    if text in drift:
        return Category(text)
    near = get_close_matches(text, drift, n=1)
    is_known = text in {each.value for each in Category}
    raise UsageError(
        f"workers in category {text} have not drifted" if is_known else f"unknown category {text!r}",
        noun=text,
        remedy=corrected_command(text, near[0]) if near else f"use one of {', '.join(drift)}",
    )


def _confirm(proposal: RepairProposal, options: CliContext, *, drifted: int) -> None:
    """Show the plan, and return only after a yes. Raises: typer.Exit, ConfirmationRequired."""
    if not (options.yes or options.may_ask):
        _show_plan(proposal, options, stream=sys.stdout, as_json=options.json)
        _refuse(options)
    if not (options.yes and options.quiet):
        _show_plan(proposal, options, stream=sys.stderr, as_json=False)
    if not options.yes and not typer.confirm("Go ahead?", default=False, err=True):
        typer.echo("nothing was changed", err=True)
        raise typer.Exit(_exit_code(drifted))


def _refuse(options: CliContext) -> NoReturn:
    """With --json, the plan is the one document on stdout."""
    error = ConfirmationRequired()
    if not options.json:
        raise error
    note(error_lines(error, glyphs=glyphs(sys.stderr)), options)
    raise typer.Exit(error.exit_code)


def _show_plan(proposal: RepairProposal, options: CliContext, *, stream: TextIO, as_json: bool) -> None:
    if as_json:
        print_json(repair_plan_json(proposal.plan, in_progress=proposal.in_progress))
        return
    lines = repair_plan_lines(
        proposal.plan, in_progress=proposal.in_progress, columns=columns_of(stream), glyphs=glyphs(stream)
    )
    print_lines(lines, stream=stream, environment=options.environment)


def _repair(
    request: RepairOptions, settings: Settings, ports: Ports, options: CliContext, proposal: RepairProposal
) -> RepairOutcome:
    try:
        return repair(
            request,
            settings,
            ports,
            approved=proposal,
            watch=lambda: watch_events(settings, ports, options),
        )
    except KeyboardInterrupt:
        raise interrupted(f"detached from the repair; {DETACHED}", settings, options) from None
