"""`deployctl athena compact` and `prune`: the maintenance of the lake."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from datetime import date, timedelta
from typing import Annotated

import typer

from deployctl.cli.confirm import confirm_removal, require_confirmation
from deployctl.cli.context import CliContext
from deployctl.cli.options import DryRun
from deployctl.cli.output import glyphs, print_json, show
from deployctl.cli.verb import verb
from deployctl.config.duration import parse_age
from deployctl.errors import UsageError
from deployctl.flows import compact as flow
from deployctl.flows.lake_retention import plan_lake_prune, prune_lake
from deployctl.model.lake_maintenance import LakePrune
from deployctl.model.names import ApplicationName
from deployctl.report.lake_maintenance import compact_json, compacted_line, prune_json, prune_lines


@verb("config", "json", "quiet")
def compact(
    options: CliContext,
    *,
    day: Annotated[
        str | None,
        typer.Option(
            metavar="DAY", help="Only this day, even before it ends: YYYY-MM-DD in UTC, today or yesterday."
        ),
    ] = None,
) -> None:
    """Fold the snapshots of each finished day into spans, which queries over time read.

    Compacts each day once; skips days that are already compacted.
    """
    settings = options.settings()
    ports = options.connect(settings)
    days = flow.compact(
        settings,
        ports,
        day=None if day is None else _day(day, ports.clock.now().date()),
        report=lambda each: None if options.json else typer.echo(compacted_line(each)),
    )
    if options.json:
        print_json(compact_json(settings.application, days))
    elif not days:
        typer.echo("nothing to compact: every finished day is already compacted")


def _day(text: str, today: date) -> date:
    """Raises: UsageError."""
    named = {"today": today, "yesterday": today - timedelta(days=1)}
    try:
        return named.get(text) or date.fromisoformat(text)
    except ValueError as error:
        raise UsageError(
            f"--day: {text!r} is not a date (YYYY-MM-DD)",
            noun="--day",
            remedy=f"use a date such as {today}, today or yesterday, in UTC",
        ) from error


@verb("config", "json", "quiet", "no_input", "yes")
def prune(
    options: CliContext,
    *,
    keep_raw: Annotated[
        str, typer.Option(metavar="AGE", help="How long to keep snapshots of compacted days.")
    ] = "30d",
    keep_spans: Annotated[str, typer.Option(metavar="AGE", help="How long to keep spans.")] = "2y",
    dry_run: DryRun = False,
) -> None:
    """Remove old snapshots of compacted days, and very old spans."""
    ages = {"keep_raw": _age("--keep-raw", keep_raw), "keep_spans": _age("--keep-spans", keep_spans)}
    if not dry_run:
        command = f"deployctl athena prune --keep-raw {keep_raw} --keep-spans {keep_spans}"
        require_confirmation(options, noun="athena prune", command=command)
    settings = options.settings()
    ports = options.connect(settings)
    plan = plan_lake_prune(settings, ports, **ages)
    name = settings.application
    if dry_run or plan.removes_nothing:
        _show(plan, name, ages, options, done=not dry_run)
    elif confirm_removal(options, lambda: _show(plan, name, ages, options, done=False)):
        prune_lake(ports, plan)
        _show(plan, name, ages, options, done=True)


def _show(
    plan: LakePrune,
    application: ApplicationName,
    ages: Mapping[str, timedelta],
    options: CliContext,
    *,
    done: bool,
) -> None:
    if options.json:
        print_json(prune_json(application, plan, **ages, done=done))
    else:
        show(prune_lines(application, plan, **ages, done=done, glyphs=glyphs(sys.stdout)), options)


def _age(flag: str, text: str) -> timedelta:
    """Raises: UsageError."""
    try:
        return parse_age(text)
    except ValueError as error:
        raise UsageError(
            f"{flag}: {text!r} {error}", noun=flag, remedy="use an age such as 30d or 2y"
        ) from error
