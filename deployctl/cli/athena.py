"""`deployctl athena`: sets up, checks, queries and maintains the lake's tables."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from datetime import date, timedelta
from functools import partial
from typing import TYPE_CHECKING, Annotated

import typer

from deployctl.cli.context import CliContext
from deployctl.cli.options import DryRun, Engine, duration_s, parse_flag
from deployctl.cli.output import (
    confirm_removal,
    glyphs,
    note,
    print_json,
    print_result,
    require_confirmation,
    show,
)
from deployctl.cli.verb import verb
from deployctl.config.duration import parse_age
from deployctl.errors import ExitCode, UsageError
from deployctl.model.lake_query import LakeQuery

if TYPE_CHECKING:
    from deployctl.model.lake_maintenance import LakePrune
    from deployctl.model.names import ApplicationName


@verb("config", "json")
def setup(options: CliContext) -> None:
    """Create the database, its tables and both workgroups, and limit what a reconcile may scan."""
    from deployctl.wiring import set_up_athena

    settings = options.settings()
    made = set_up_athena(settings)
    if options.json:
        print_json({"schema": "deployctl.athena-setup/1", "database": settings.database, "made": list(made)})
        return
    for name in made:
        typer.echo(f"created {name}")
    typer.echo(f"Athena is ready: database {settings.database}, workgroup {settings.workgroup}")


@verb("config", "json")
def check(options: CliContext) -> None:
    """Check tables, columns, partitions, workgroups and limits. Changes nothing.

    Exit code 1 if a check fails, with the command that fixes it.
    """
    from deployctl.report.lake_maintenance import check_json, check_lines
    from deployctl.wiring import check_athena

    found = check_athena(options.settings())
    if options.json:
        print_json(check_json(found))
    else:
        show(check_lines(found, glyphs=glyphs(sys.stdout)), options)
    if not all(each.is_right for each in found):
        raise typer.Exit(ExitCode.FAILED)


@verb("config", "json", "quiet")
def query(
    options: CliContext,
    *,
    question: Annotated[LakeQuery, typer.Argument(metavar="QUESTION", help="See above.", show_default=False)],
    days: Annotated[
        int, typer.Option(min=1, max=730, metavar="N", help="How many days back, and today.")
    ] = 7,
    longer_than: Annotated[
        str, typer.Option(metavar="DURATION", help="With stale-for: the threshold.")
    ] = "30m",
    engine: Engine = None,
    csv: Annotated[bool, typer.Option("--csv", help="Print CSV on stdout.")] = False,
) -> None:
    """Query the fleet's history.

    \b
    summary          workers of each group by category
    stale-for        workers behind without a break, and for how long
    skew             versions running at once, and the desired one's share
    time-to-current  time until 50, 95, 100 % of a release's workers were current
    durations        P50 and P95 duration of each group's verified releases
    never-reached    groups in a release's plan that the release never reached

    The first three read compacted days; `deployctl reconcile` shows the fleet now.
    """  # noqa: D301 - typer keeps the lines after this mark as they are
    from deployctl.flows.lake_query import QueryScope, run_query
    from deployctl.report.query_table import query_csv, query_json, query_lines
    from deployctl.wiring import history_engine, system_clock

    if csv and options.json:
        raise UsageError("--csv and --json cannot be combined", noun="--csv", remedy="choose one of them")
    long_s = duration_s("--longer-than", longer_than) or 0
    settings = options.settings({"engine": engine})
    since = (system_clock().now() - timedelta(days=days)).date()
    scope = QueryScope(
        application=settings.application, since=since, days=days, longer_than_minutes=long_s // 60
    )
    long = f" --longer-than {longer_than}" if question is LakeQuery.STALE_FOR else ""
    instead = f"deployctl athena query {question} --days {days}{long} --engine duckdb"
    found = run_query(history_engine(settings, instead=instead), question, scope)
    if csv:
        typer.echo(query_csv(found), nl=False)
        return
    print_result(
        options,
        partial(query_json, question, found, application=scope.application, since=since),
        partial(query_lines, found, application=scope.application, days=days),
    )
    if not (found.rows or options.json or options.quiet) and question.reads_spans:
        arrow = glyphs(sys.stdout).arrow
        note([f"{arrow} deployctl athena compact   # this query reads compacted days only"], options)


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
    from deployctl.flows import compact as flow
    from deployctl.report.lake_maintenance import compact_json, compacted_line

    settings, ports = options.open()
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
    from deployctl.flows.lake_retention import plan_lake_prune, prune_lake

    remedy = "use an age such as 30d or 2y"
    ages = {
        "keep_raw": parse_flag("--keep-raw", keep_raw, parse_age, remedy=remedy),
        "keep_spans": parse_flag("--keep-spans", keep_spans, parse_age, remedy=remedy),
    }
    if not dry_run:
        command = f"deployctl athena prune --keep-raw {keep_raw} --keep-spans {keep_spans}"
        require_confirmation(options, noun="athena prune", command=command)
    settings, ports = options.open()
    plan = plan_lake_prune(settings, ports, **ages)
    name = settings.application
    if dry_run or plan.removes_nothing:
        _show_prune(plan, name, ages, options, done=not dry_run)
    elif confirm_removal(options, lambda: _show_prune(plan, name, ages, options, done=False)):
        prune_lake(ports, plan)
        _show_prune(plan, name, ages, options, done=True)


def _show_prune(
    plan: LakePrune,
    application: ApplicationName,
    ages: Mapping[str, timedelta],
    options: CliContext,
    *,
    done: bool,
) -> None:
    from deployctl.report.lake_maintenance import prune_json, prune_lines

    if options.json:
        print_json(prune_json(application, plan, **ages, done=done))
    else:
        show(prune_lines(application, plan, **ages, done=done, glyphs=glyphs(sys.stdout)), options)
