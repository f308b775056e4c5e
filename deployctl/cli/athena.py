"""`deployctl athena`: the tables and workgroups that are read with, and the upkeep of what they read."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from datetime import date, timedelta
from typing import TYPE_CHECKING, Annotated, Any

import typer

from deployctl.cli.context import CliContext, cli_context
from deployctl.cli.options import ConfigPath, JsonFlag, NoInput, Quiet, Yes, duration_s
from deployctl.cli.output import columns_of, glyphs, print_json, print_lines
from deployctl.config.duration import parse_age
from deployctl.errors import ExitCode, UsageError
from deployctl.model.lake_query import LakeQuery

if TYPE_CHECKING:
    from deployctl.flows.lake_query import QueryScope
    from deployctl.model.lake_maintenance import LakePrune
    from deployctl.model.names import ApplicationName
    from deployctl.model.query_rows import QueryRows

app = typer.Typer(help="Set up, check and keep the lake that Athena reads, and ask it.", no_args_is_help=True)


@app.callback()
def athena() -> None:
    pass


@app.command()
def setup(ctx: typer.Context, *, config: ConfigPath = None, json: JsonFlag = False) -> None:
    """Create the database, its tables and both workgroups, and limit what a reconciliation may scan."""
    options = cli_context(ctx, config_path=config, json=json)
    settings = options.settings()
    from deployctl.wiring import set_up_athena  # noqa: PLC0415 - it imports boto3

    made = set_up_athena(settings)
    if options.json:
        print_json({"schema": "deployctl.athena-setup/1", "database": settings.database, "made": list(made)})
        return
    for name in made:
        typer.echo(f"made {name}")
    typer.echo(f"Athena is ready: database {settings.database}, workgroup {settings.workgroup}")


@app.command()
def check(ctx: typer.Context, *, config: ConfigPath = None, json: JsonFlag = False) -> None:
    """Look whether tables, columns, partitions, workgroups and limits are as they must be. Changes nothing.

    Exit code 1 where something differs, with the command that mends it.
    """
    options = cli_context(ctx, config_path=config, json=json)
    settings = options.settings()
    from deployctl.report.athena_check import check_json, check_lines  # noqa: PLC0415 - it imports rich
    from deployctl.wiring import check_athena  # noqa: PLC0415 - it imports boto3

    found = check_athena(settings)
    if options.json:
        print_json(check_json(found))
    else:
        lines = check_lines(found, glyphs=glyphs(sys.stdout))
        print_lines(lines, stream=sys.stdout, environment=options.environment)
    if not all(each.is_right for each in found):
        raise typer.Exit(ExitCode.FAILED)


@app.command()
def query(
    ctx: typer.Context,
    *,
    question: Annotated[LakeQuery, typer.Argument(metavar="QUESTION", help="See above.", show_default=False)],
    days: Annotated[
        int, typer.Option("--days", min=1, max=730, metavar="N", help="How many days back, and today.")
    ] = 7,
    longer_than: Annotated[
        str, typer.Option("--longer-than", metavar="DURATION", help="With stale-for: what is long.")
    ] = "30m",
    engine: Annotated[
        str | None, typer.Option(metavar="ENGINE", help="Who runs the SQL: athena or duckdb.")
    ] = None,
    csv: Annotated[bool, typer.Option("--csv", help="Print CSV on stdout.")] = False,
    config: ConfigPath = None,
    json: JsonFlag = False,
    quiet: Quiet = False,
) -> None:
    """Ask the lake about days and weeks.

    \b
    summary          how many workers of each group were in each category
    stale-for        who was behind without a break, and for how long
    skew             how many versions ran at once, and on what share of the fleet the desired one
    time-to-current  how long each release took until 50, 95 and 100 % of its workers were current
    durations        how long each group takes, P50 and P95 of the releases that held
    never-reached    groups that a release set out for in vain

    The first three know the days that are compacted; `deployctl reconcile` knows what is so now.
    """  # noqa: D301 - typer keeps the lines after this mark as they are
    options = cli_context(ctx, config_path=config, json=json, quiet=quiet)
    if csv and options.json:
        raise UsageError("--csv and --json are two formats", noun="--csv", remedy="choose one of them")
    long_s = duration_s("--longer-than", longer_than) or 0
    settings = options.settings({"engine": engine})
    from deployctl.flows.lake_query import QueryScope, run_query  # noqa: PLC0415 - what follows imports boto3 and more
    from deployctl.wiring import history_engine, system_clock  # noqa: PLC0415

    since = (system_clock().now() - timedelta(days=days)).date()
    scope = QueryScope(
        application=settings.application, since=since, days=days, longer_than_minutes=long_s // 60
    )
    long = f" --longer-than {longer_than}" if question is LakeQuery.STALE_FOR else ""
    instead = f"deployctl athena query {question} --days {days}{long} --engine duckdb"
    found = run_query(history_engine(settings, instead=instead), question, scope)
    _answer(found, question, scope, options, as_csv=csv)


def _answer(
    found: QueryRows[Any], question: LakeQuery, scope: QueryScope, options: CliContext, *, as_csv: bool
) -> None:
    from deployctl.report.query_table import answer_csv, answer_json, query_lines  # noqa: PLC0415

    if options.json:
        print_json(answer_json(question, found, application=scope.application, since=scope.since))
        return
    if as_csv:
        typer.echo(answer_csv(found), nl=False)
        return
    marks = glyphs(sys.stdout)
    lines = query_lines(
        found,
        application=scope.application,
        days=scope.days,
        columns=columns_of(sys.stdout),
        glyphs=marks,
    )
    print_lines(lines, stream=sys.stdout, environment=options.environment)
    if not found.rows and question.reads_spans and not options.quiet:
        hint = "days that are not compacted yet are not known here: deployctl athena compact"
        print_lines([f"{marks.arrow} {hint}"], stream=sys.stderr, environment=options.environment)


@app.command()
def compact(
    ctx: typer.Context,
    *,
    day: Annotated[
        str | None,
        typer.Option(
            metavar="DAY",
            help="Only this day, even before it is over: YYYY-MM-DD in UTC, today or yesterday.",
            show_default=False,
        ),
    ] = None,
    config: ConfigPath = None,
    json: JsonFlag = False,
    quiet: Quiet = False,
) -> None:
    """Fold the snapshots of each day that is over into spans, which questions over time read.

    A day is compacted once; days that are compacted already are left as they are.
    """
    options = cli_context(ctx, config_path=config, json=json, quiet=quiet)
    settings = options.settings()
    from deployctl.flows.compact import compact as run  # noqa: PLC0415 - what follows imports boto3 and more
    from deployctl.report.lake_maintenance import compact_json, compacted_line  # noqa: PLC0415
    from deployctl.wiring import connect  # noqa: PLC0415

    ports = connect(settings)
    asked = None if day is None else _day(day, ports.clock.now().date())
    days = run(
        settings,
        ports,
        day=asked,
        told=lambda each: None if options.json else typer.echo(compacted_line(each)),
    )
    if options.json:
        print_json(compact_json(settings.application, days))
    elif not days:
        typer.echo("nothing to compact: every day that is over is compacted already")


def _day(text: str, today: date) -> date:
    """Raises: UsageError."""
    named = {"today": today, "yesterday": today - timedelta(days=1)}
    try:
        return named.get(text) or date.fromisoformat(text)
    except ValueError as error:
        raise UsageError(
            f"--day: {text!r} is no day",
            noun="--day",
            remedy=f"use a day such as {today}, today or yesterday, in UTC",
        ) from error


@app.command()
def prune(
    ctx: typer.Context,
    *,
    keep_raw: Annotated[
        str, typer.Option(metavar="AGE", help="How long snapshots stay, once their day is compacted.")
    ] = "30d",
    keep_spans: Annotated[str, typer.Option(metavar="AGE", help="How long spans stay.")] = "2y",
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show what would be removed and change nothing.")
    ] = False,
    yes: Yes = False,
    config: ConfigPath = None,
    json: JsonFlag = False,
    quiet: Quiet = False,
    no_input: NoInput = False,
) -> None:
    """Remove old snapshots, none before its day is compacted, and very old spans."""
    options = cli_context(ctx, config_path=config, json=json, quiet=quiet, no_input=no_input, yes=yes)
    ages = {"keep_raw": _age("--keep-raw", keep_raw), "keep_spans": _age("--keep-spans", keep_spans)}
    if not (dry_run or options.yes or options.may_ask):
        raise UsageError(
            "nobody is there to confirm a removal",
            noun="athena prune",
            remedy=f"deployctl athena prune --keep-raw {keep_raw} --keep-spans {keep_spans} --yes   # or --dry-run",
        )
    settings = options.settings()
    from deployctl.flows.lake_retention import plan_lake_prune, prune_lake  # noqa: PLC0415 - boto3 and more
    from deployctl.wiring import connect  # noqa: PLC0415

    ports = connect(settings)
    planned = plan_lake_prune(settings, ports, **ages)
    if dry_run or planned.removes_nothing:
        _show(planned, settings.application, ages, options, done=not dry_run)
        return
    if not options.yes:
        _show(planned, settings.application, ages, options, done=False)
        if not typer.confirm("Remove them for good?", default=False, err=True):
            typer.echo("nothing was removed", err=True)
            return
    prune_lake(ports, planned)
    _show(planned, settings.application, ages, options, done=True)


def _show(
    planned: LakePrune,
    application: ApplicationName,
    ages: Mapping[str, timedelta],
    options: CliContext,
    *,
    done: bool,
) -> None:
    from deployctl.report.lake_maintenance import prune_json, prune_lines  # noqa: PLC0415

    if options.json:
        print_json(prune_json(application, planned, **ages, done=done))
        return
    lines = prune_lines(application, planned, **ages, done=done, glyphs=glyphs(sys.stdout))
    print_lines(lines, stream=sys.stdout, environment=options.environment)


def _age(flag: str, text: str) -> timedelta:
    """Raises: UsageError."""
    try:
        return parse_age(text)
    except ValueError as error:
        raise UsageError(
            f"{flag}: {text!r} {error}", noun=flag, remedy="use an age such as 30d or 2y"
        ) from error
