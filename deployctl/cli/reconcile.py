"""`deployctl reconcile`: who is behind, why, and the command that mends it."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from difflib import get_close_matches
from typing import TYPE_CHECKING, Annotated

import typer

from deployctl.cli.context import CliContext, cli_context
from deployctl.cli.fix import (
    Fix,
    FixFlags,
    Replace,
    fix_drift,
    reject_fix_only_options,
    reject_incompatible_options,
)
from deployctl.cli.options import (
    ConfigPath,
    DryRun,
    GroupGlobs,
    JsonFlag,
    NoInput,
    Quiet,
    TimeoutText,
    WaitForLock,
    Yes,
    duration_s,
)
from deployctl.cli.output import columns_of, glyphs, print_json, print_lines
from deployctl.errors import ExitCode, UsageError

if TYPE_CHECKING:
    from deployctl.cli.reconcile_watch import Look
    from deployctl.model.cause import Category, Reconciliation
    from deployctl.ports import Clock
    from deployctl.report.worker_filter import WorkerFilter

SORTS = ("group", "age", "category", "cause", "instance")


def reconcile(
    ctx: typer.Context,
    *,
    group: GroupGlobs = None,
    category: Annotated[
        list[str] | None,
        typer.Option(
            "--category",
            "-c",
            metavar="CATEGORY",
            help="Only workers of this category, such as failed; may be given several times, or with commas.",
        ),
    ] = None,
    stale_for: Annotated[
        str | None,
        typer.Option(
            "--stale-for",
            metavar="DURATION",
            help="Only workers that have been behind for so long, such as 30m.",
        ),
    ] = None,
    sort: Annotated[
        str, typer.Option(metavar="ORDER", help=f"What is listed first: by {', '.join(SORTS)}.")
    ] = "group",
    limit: Annotated[int | None, typer.Option(min=1, help="List so many workers at most.")] = None,
    csv: Annotated[bool, typer.Option("--csv", help="Print CSV on stdout, a line a worker.")] = False,
    fail_on: Annotated[
        list[str] | None,
        typer.Option(
            "--fail-on",
            metavar="CATEGORY,...",
            help="Exit code 3 only where a worker is of these categories. Default: every one that is drift.",
        ),
    ] = None,
    watch: Annotated[
        bool,
        typer.Option("--watch", "-w", help="Keep looking, until q or Ctrl-C; keys choose what is shown."),
    ] = False,
    every: Annotated[
        str, typer.Option(metavar="DURATION", help="With --watch: how long from one look to the next.")
    ] = "15s",
    engine: Annotated[
        str | None,
        typer.Option(
            metavar="ENGINE",
            help="Who runs the SQL: athena or duckdb. With --watch it is duckdb: Athena bills 10 MB a look.",
        ),
    ] = None,
    fix: Fix = False,
    replace: Replace = False,
    dry_run: DryRun = False,
    wait_for_lock: WaitForLock = None,
    timeout: TimeoutText = None,
    config: ConfigPath = None,
    json: JsonFlag = False,
    quiet: Quiet = False,
    no_input: NoInput = False,
    yes: Yes = False,
) -> None:
    """Match what each worker should run against what it runs.

    Exit code 3 where any worker has drifted. With --group, --category or --stale-for only those workers count.

    With --fix, bring those that have drifted to the version that holds in their group: shows what will be done and
    asks first. Exit code 0 where no drift is left, 3 otherwise, 5 where a release is under way.
    """
    options = cli_context(ctx, config_path=config, json=json, quiet=quiet, no_input=no_input, yes=yes)
    flags = FixFlags(
        globs=tuple(group or ()),
        categories=tuple(_words(category)),
        replaces=replace,
        dry_run=dry_run,
        wait_for_lock=wait_for_lock,
        timeout=timeout,
        engine=engine,
    )
    if fix:
        _refuse_together({"--fix": fix, "--watch": watch, "--csv": csv})
        listing = {
            "--stale-for": stale_for,
            "--limit": limit,
            "--fail-on": fail_on,
            "--sort": sort != "group",
        }
        reject_incompatible_options(listing)
        fix_drift(flags, options)
    reject_fix_only_options(flags)
    _refuse_together({"--watch": watch, "--json": options.json, "--csv": csv})
    every_s = duration_s("--every", every) or 0
    selection = _selection(category, stale_for, sort, limit, fail_on)
    settings = options.settings({"engine": engine or ("duckdb" if watch else None)})
    from deployctl.flows.reconcile import reconcile as run  # noqa: PLC0415 - what follows imports boto3 and more
    from deployctl.wiring import connect  # noqa: PLC0415

    ports = connect(settings, watches=watch)

    def look() -> Reconciliation:
        return run(settings, ports, globs=tuple(group or ()))

    if watch:
        from deployctl.cli.reconcile_watch import watch as watch_table  # noqa: PLC0415

        left = watch_table(
            look, clock=ports.clock, environment=options.environment, every_s=every_s, selection=selection
        )
        left.exit(_exit_code(left.found, selection))
    raise typer.Exit(_exit_code(_once(look, ports.clock, options, selection, csv=csv), selection))


def _exit_code(found: Reconciliation, selection: WorkerFilter) -> ExitCode:
    return ExitCode.DRIFT if selection.fails(found.workers) else ExitCode.DONE


def _once(
    look: Look, clock: Clock, options: CliContext, selection: WorkerFilter, *, csv: bool
) -> Reconciliation:
    from deployctl.report.csv_output import write_csv  # noqa: PLC0415
    from deployctl.report.json_output import reconcile_json  # noqa: PLC0415
    from deployctl.report.reconcile_table import fleet_lines  # noqa: PLC0415

    found = look()
    if options.json:
        print_json(reconcile_json(found, selection))
    elif csv:
        write_csv(sys.stdout, selection.of(found.workers))
    else:
        lines = fleet_lines(
            found,
            now=clock.now(),
            columns=columns_of(sys.stdout),
            glyphs=glyphs(sys.stdout),
            selection=selection,
        )
        print_lines(lines, stream=sys.stdout, environment=options.environment)
    return found


def _refuse_together(asked: dict[str, bool]) -> None:
    """One form of output at a time. Raises: UsageError."""
    flags = [flag for flag, is_given in asked.items() if is_given]
    if len(flags) > 1:
        raise UsageError(
            f"{flags[0]} and {flags[1]} do not go together",
            noun=flags[0],
            remedy=f"deployctl reconcile {flags[1]}",
        )


def _selection(
    category: Sequence[str] | None,
    stale_for: str | None,
    sort: str,
    limit: int | None,
    fail_on: Sequence[str] | None,
) -> WorkerFilter:
    """Raises: UsageError, which names what would have been right."""
    from deployctl.report.worker_filter import DRIFT, Sort, WorkerFilter  # noqa: PLC0415 - --help does without it

    if sort not in SORTS:
        raise _unknown("--sort", sort, SORTS, instead=SORTS[0])
    return WorkerFilter(
        categories=_categories("--category", category),
        stale_for_s=duration_s("--stale-for", stale_for),
        sort=Sort(sort),
        limit=limit,
        fail_on=_categories("--fail-on", fail_on) or DRIFT,
    )


def _words(given: Sequence[str] | None) -> list[str]:
    return [word.strip() for text in given or () for word in text.split(",")]


def _categories(flag: str, given: Sequence[str] | None) -> frozenset[Category]:
    from deployctl.model.cause import Category  # noqa: PLC0415 - --help does without it

    words = _words(given)
    known = tuple(c.value for c in Category)
    drift = ",".join(c.value for c in Category if c.is_drift)
    for word in words:
        if word not in known:
            raise _unknown(flag, word, known, instead=drift)
    return frozenset(Category(word) for word in words)


def _unknown(flag: str, word: str, known: Sequence[str], *, instead: str) -> UsageError:
    near = get_close_matches(word, known, n=1)
    return UsageError(
        f"{flag}: {word!r} is none of {', '.join(known)}",
        noun=flag,
        remedy=f"did you mean {near[0]}?" if near else f"use {flag} {instead}",
    )
