"""`deployctl reconcile`: which workers drifted, why, and the command that fixes each."""

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from functools import partial
from typing import Annotated, ClassVar

import typer

from deployctl.cli.command_line import corrected_command, rerun_command
from deployctl.cli.completion import complete_categories
from deployctl.cli.context import CliContext
from deployctl.cli.options import DryRun, GroupGlobs, TimeoutText, WaitForLock, duration_s
from deployctl.cli.output import print_result
from deployctl.cli.verb import given_options, verb
from deployctl.errors import ExitCode, UsageError
from deployctl.model.cause import Category
from deployctl.model.reconciliation import Reconciliation
from deployctl.report.worker_filter import DRIFT, Sort, WorkerFilter

SORTS = tuple(each.value for each in Sort)


@dataclass(frozen=True, slots=True, kw_only=True)
class FilterOptions:
    section: ClassVar = "Which workers"
    group: GroupGlobs = None
    category: Annotated[
        list[str] | None,
        typer.Option(
            "--category",
            "-c",
            metavar="CATEGORY,...",
            help="Only workers of these categories, such as failed; may be repeated.",
            autocompletion=complete_categories,
        ),
    ] = None
    stale_for: Annotated[
        str | None,
        typer.Option(metavar="DURATION", help="Only workers behind for at least this long, such as 30m."),
    ] = None
    fail_on: Annotated[
        list[str] | None,
        typer.Option(
            metavar="CATEGORY,...",
            help="Exit with 3 only if a worker is in these categories. Default: all that are drift.",
            autocompletion=complete_categories,
        ),
    ] = None

    @property
    def globs(self) -> tuple[str, ...]:
        return tuple(self.group or ())


@dataclass(frozen=True, slots=True, kw_only=True)
class ListOptions:
    section: ClassVar = "Output"
    sort: Annotated[str, typer.Option(metavar="ORDER", help=f"Sort workers by {', '.join(SORTS)}.")] = "group"
    limit: Annotated[int | None, typer.Option(min=1, metavar="N", help="List at most this many workers.")] = (
        None
    )
    csv: Annotated[bool, typer.Option("--csv", help="Print CSV on stdout, one line a worker.")] = False
    watch: Annotated[
        bool, typer.Option("--watch", "-w", help="Refresh until q or Ctrl-C; keys filter, sort and scroll.")
    ] = False
    every: Annotated[
        str, typer.Option(metavar="DURATION", help="With --watch: the time between refreshes.")
    ] = "15s"
    engine: Annotated[
        str | None,
        typer.Option(
            metavar="ENGINE",
            help="What runs the SQL: athena or duckdb. --watch uses duckdb: Athena bills at least 10 MB a query.",
        ),
    ] = None


@dataclass(frozen=True, slots=True, kw_only=True)
class FixOptions:
    section: ClassVar = "Fix"
    fix: Annotated[
        bool, typer.Option("--fix", help="Fix drifted workers, after showing the plan and asking.")
    ] = False
    replace: Annotated[
        bool,
        typer.Option(
            "--replace",
            help="With --fix: have Auto Scaling replace workers that no deployment can fix.",
        ),
    ] = False
    dry_run: DryRun = False
    wait_for_lock: WaitForLock = None
    timeout: TimeoutText = None


@verb("config", "json", "quiet", "no_input", "yes")
def reconcile(
    options: CliContext, *, workers: FilterOptions, listing: ListOptions, fixing: FixOptions
) -> None:
    """Compare the version each worker should run with the version it runs.

    Exit code 3 if any worker drifted, or a group has a finding. With --group, --category or --stale-for, only those
    workers count.

    With --fix, bring drifted workers to their group's verified version: show the plan, ask, repair. Exit code 0
    if no drift is left, 3 if some is, 5 if a release is in progress.
    """
    categories = _words(workers.category)
    if fixing.fix:
        _reject_together({"--fix": True, "--watch": listing.watch, "--csv": listing.csv})
        _reject_with_fix(given_options(workers, listing))
        from deployctl.cli.fix import fix_drift

        fix_drift(fixing, options, globs=workers.globs, categories=categories, engine=listing.engine)
    _reject_without_fix(fixing)
    _reject_together({"--watch": listing.watch, "--json": options.json, "--csv": listing.csv})
    raise typer.Exit(_list(workers, listing, options))


def _list(workers: FilterOptions, listing: ListOptions, options: CliContext) -> ExitCode:
    from deployctl.flows.reconcile import reconcile as read_drift
    from deployctl.report.csv_output import write_csv
    from deployctl.report.json_output import reconcile_json
    from deployctl.report.reconcile_table import fleet_lines

    every_s = duration_s("--every", listing.every) or 0
    selection = _selection(workers, listing)
    settings = options.settings({"engine": listing.engine or ("duckdb" if listing.watch else None)})
    ports = options.connect(settings, watches=listing.watch)

    def check() -> Reconciliation:
        return read_drift(settings, ports, globs=workers.globs)

    if listing.watch:
        from deployctl.cli.reconcile_watch import watch

        result = watch(
            check, clock=ports.clock, environment=options.environment, every_s=every_s, selection=selection
        )
        result.exit(_exit_code(result.found, selection))
    found = check()
    if listing.csv:
        write_csv(sys.stdout, selection.of(found.workers))
    else:
        print_result(
            options,
            partial(reconcile_json, found, selection),
            partial(fleet_lines, found, now=ports.clock.now(), selection=selection),
        )
    return _exit_code(found, selection)


def _exit_code(found: Reconciliation, selection: WorkerFilter) -> ExitCode:
    return ExitCode.DRIFT if selection.fails(found) else ExitCode.DONE


def _reject_without_fix(flags: FixOptions) -> None:
    """Raises: UsageError for an option that needs --fix."""
    for flag in given_options(flags):
        raise UsageError(
            f"{flag} needs --fix",
            noun=flag,
            remedy=rerun_command().replace(" reconcile", " reconcile --fix", 1),
        )


def _reject_with_fix(given: Sequence[str]) -> None:
    """Raises: UsageError for an option that only changes what is listed: a plan names every worker."""
    for flag in given:
        if flag in ("--stale-for", "--limit", "--fail-on", "--sort"):
            raise UsageError(
                f"{flag} cannot be combined with --fix; --group and --category select the workers to fix",
                noun=flag,
                remedy="deployctl reconcile --fix --dry-run",
            )


def _reject_together(given: dict[str, bool]) -> None:
    """One form of output at a time. Raises: UsageError."""
    flags = [flag for flag, is_given in given.items() if is_given]
    if len(flags) > 1:
        raise UsageError(
            f"{flags[0]} and {flags[1]} cannot be combined",
            noun=flags[0],
            remedy=f"deployctl reconcile {flags[1]}",
        )


def _selection(workers: FilterOptions, listing: ListOptions) -> WorkerFilter:
    """Raises: UsageError, with a command line that works."""
    if listing.sort not in SORTS:
        raise _unknown("--sort", listing.sort, SORTS, instead=SORTS[0])
    return WorkerFilter(
        categories=_categories("--category", workers.category),
        stale_for_s=duration_s("--stale-for", workers.stale_for),
        sort=Sort(listing.sort),
        limit=listing.limit,
        fail_on=_categories("--fail-on", workers.fail_on) or DRIFT,
    )


def _words(given: Sequence[str] | None) -> tuple[str, ...]:
    return tuple(word.strip() for text in given or () for word in text.split(","))


def _categories(flag: str, given: Sequence[str] | None) -> frozenset[Category]:
    words = _words(given)
    known = tuple(each.value for each in Category)
    drift = ",".join(each.value for each in Category if each.is_drift)
    for word in words:
        if word not in known:
            raise _unknown(flag, word, known, instead=drift)
    return frozenset(Category(word) for word in words)


def _unknown(flag: str, word: str, known: Sequence[str], *, instead: str) -> UsageError:
    near = get_close_matches(word, known, n=1)
    return UsageError(
        f"{flag}: {word!r} is not one of {', '.join(known)}",
        noun=flag,
        remedy=corrected_command(word, near[0]) if near else f"use {flag} {instead}",
    )
