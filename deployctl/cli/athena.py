"""`deployctl athena`: sets up, checks and queries the lake's tables."""

from __future__ import annotations

import sys
from datetime import timedelta
from typing import Annotated, Any

import typer

from deployctl.cli.context import CliContext
from deployctl.cli.options import Engine, duration_s
from deployctl.cli.output import columns_of, glyphs, note, print_json, show
from deployctl.cli.verb import verb
from deployctl.errors import ExitCode, UsageError
from deployctl.flows.lake_query import QueryScope, run_query
from deployctl.model.lake_query import LakeQuery
from deployctl.model.query_rows import QueryRows
from deployctl.report.athena_check import check_json, check_lines
from deployctl.report.query_table import query_csv, query_json, query_lines
from deployctl.wiring import check_athena, history_engine, set_up_athena, system_clock


@verb("config", "json")
def setup(options: CliContext) -> None:
    """Create the database, its tables and both workgroups, and limit what a reconcile may scan."""
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
    _show_rows(found, question, scope, options, as_csv=csv)


def _show_rows(
    found: QueryRows[Any], question: LakeQuery, scope: QueryScope, options: CliContext, *, as_csv: bool
) -> None:
    if options.json:
        print_json(query_json(question, found, application=scope.application, since=scope.since))
        return
    if as_csv:
        typer.echo(query_csv(found), nl=False)
        return
    marks = glyphs(sys.stdout)
    lines = query_lines(
        found, application=scope.application, days=scope.days, columns=columns_of(sys.stdout), glyphs=marks
    )
    show(lines, options)
    if not found.rows and question.reads_spans and not options.quiet:
        note([f"{marks.arrow} deployctl athena compact   # this query reads compacted days only"], options)
