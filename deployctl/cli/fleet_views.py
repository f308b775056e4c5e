"""Commands that show the fleet or its releases: `status`, `history`, `logs`, `explain`, `snapshot`, `report`."""

import sys
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from deployctl.cli.completion import complete_groups, complete_releases
from deployctl.cli.context import CliContext
from deployctl.cli.options import GroupGlobs
from deployctl.cli.output import glyphs, note, print_json, print_result
from deployctl.cli.verb import verb


@verb("config", "json", "quiet", "no_input")
def status(options: CliContext, *, group: GroupGlobs = None) -> None:
    """Show the release in progress, the process running it, and each group's version and verdict.

    Changes nothing; exit code 0.
    """
    from deployctl.flows import status as flow
    from deployctl.report.status import status_json, status_lines

    found = flow.status(*options.open(), globs=tuple(group or ()))
    print_result(options, partial(status_json, found), partial(status_lines, found))


@verb("config", "json", "quiet", "no_input")
def history(
    options: CliContext,
    *,
    limit: Annotated[
        int, typer.Option("--limit", "-n", min=1, metavar="N", help="How many, newest first.")
    ] = 20,
) -> None:
    """List past releases and rollbacks: time, actor, versions before and after, verdict."""
    from deployctl.flows import history as flow
    from deployctl.report.history import history_json, history_lines

    found = flow.history(*options.open(), limit=limit)
    print_result(options, partial(history_json, found), partial(history_lines, found))


@verb("config", "json", "quiet", "no_input")
def logs(
    options: CliContext,
    release: Annotated[
        str,
        typer.Argument(
            metavar="RELEASE",
            help="A release's id or its beginning, a version (its newest release), or `last`.",
            autocompletion=complete_releases,
        ),
    ] = "last",
    *,
    group: GroupGlobs = None,
) -> None:
    """Show each failed worker's lifecycle events, script, error and log tail, by group."""
    from deployctl.flows import logs as flow
    from deployctl.report.logs import logs_json, logs_lines

    found = flow.logs(*options.open(), asked=release, globs=tuple(group or ()))
    print_result(options, partial(logs_json, found), partial(logs_lines, found), pipe_columns=None)


@verb("config", "json", "quiet")
def explain(
    options: CliContext,
    noun: Annotated[
        str,
        typer.Argument(
            metavar="INSTANCE|GROUP",
            help="A worker's instance id, or its beginning; or a group's name.",
            autocompletion=complete_groups,
        ),
    ],
) -> None:
    """Explain a worker or a group: its events, the version each source reports, the cause, and the fix."""
    from deployctl.flows import explain as flow
    from deployctl.report.explain import cost_line, explain_json, explain_lines

    settings, ports = options.open()
    began_s = ports.clock.monotonic_s()
    found = flow.explain(settings, ports, noun)
    elapsed_s, calls = ports.clock.monotonic_s() - began_s, sum(ports.calls().values())
    print_result(options, partial(explain_json, found), partial(explain_lines, found))
    if not options.quiet:
        note([cost_line(elapsed_s, calls, glyphs(sys.stderr))], options)


@verb("config", "json", "quiet", "no_input")
def snapshot(options: CliContext) -> None:
    """Write the fleet's current state to the lake, for history. Exit code 0, whatever the workers run."""
    from deployctl.flows import snapshot as flow
    from deployctl.lake.ddl import lake_location
    from deployctl.report.lake_maintenance import snapshot_json, snapshot_line

    settings, ports = options.open()
    written = flow.snapshot(settings, ports)
    if options.json:
        print_json(snapshot_json(written, uri=lake_location(settings.bucket) + written.key))
    else:
        typer.echo(snapshot_line(written))


@verb("config", "quiet", "no_input")
def report(
    options: CliContext,
    *,
    html: Annotated[
        str,
        typer.Option(metavar="FILE", help="The file to write; - for stdout.", show_default=False),
    ],
    days: Annotated[
        int,
        typer.Option(min=1, max=366, metavar="N", help="How many days of releases and versions."),
    ] = 7,
) -> None:
    """Write the last reconcile and the last releases as one HTML page, which loads nothing.

    The page shows the fleet as the last snapshot recorded it. Changes nothing in AWS; exit code 0.
    """
    from deployctl.flows import report as flow
    from deployctl.report.formatting import size
    from deployctl.report.html.page import page

    body = page(flow.report(*options.open(), days=days)).encode("utf-8", errors="replace")
    if html == "-":
        sys.stdout.buffer.write(body)
        sys.stdout.buffer.flush()
        return
    flow.save(Path(html), body)
    if not options.quiet:
        typer.echo(f"wrote {html}: {size(len(body))}", err=True)
