"""`deployctl lock`: who holds the lease on the application, and taking it away."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from deployctl.cli.context import cli_context
from deployctl.cli.options import ConfigPath, JsonFlag
from deployctl.cli.output import glyphs, print_json, print_lines
from deployctl.model.names import ReleaseId

app = typer.Typer(
    help="See who is releasing, and take the lease from a deployctl that hangs.", no_args_is_help=True
)


@app.command()
def status(ctx: typer.Context, *, config: ConfigPath = None, json: JsonFlag = False) -> None:
    """Say who holds the lease, and until when, or what was left unfinished. Exit code 0, held or free."""
    options = cli_context(ctx, config_path=config, json=json)
    settings = options.settings()
    from deployctl.report.lock import lock_json, lock_lines  # noqa: PLC0415 - what follows imports boto3 and rich
    from deployctl.wiring import connect  # noqa: PLC0415

    ports = connect(settings)
    # The lease first: whoever has it free again has written that the release is over.
    view = ports.lease.view()
    in_progress = ports.states.read(settings.application)[0].in_progress
    if options.json:
        print_json(lock_json(settings.application, view, in_progress))
        return
    lines = lock_lines(
        settings.application, view, now=ports.clock.now(), glyphs=glyphs(sys.stdout), in_progress=in_progress
    )
    print_lines(lines, stream=sys.stdout, environment=options.environment)


@app.command()
def release(
    ctx: typer.Context,
    release_id: Annotated[
        str | None,
        typer.Argument(
            metavar="[RELEASE]",
            help="Only where it is held for this one, such as r-20260102T030405-3f9a1c.",
            show_default=False,
        ),
    ] = None,
    *,
    force: Annotated[bool, typer.Option("--force", help="Take it even from a deployctl that lives.")] = False,
    config: ConfigPath = None,
    json: JsonFlag = False,
) -> None:
    """Take the lease from a deployctl that hangs. It starts nothing more; what it has begun goes on.

    One that is dead needs no such thing: its lease is free within half a minute. Without --force nothing is taken:
    who holds the lease is said, with exit code 5.
    """
    options = cli_context(ctx, config_path=config, json=json)
    settings = options.settings()
    from deployctl.flows.identity import actor  # noqa: PLC0415 - what follows imports boto3 and rich
    from deployctl.flows.lock import force_release  # noqa: PLC0415
    from deployctl.report.lock import taken_json, taken_lines  # noqa: PLC0415
    from deployctl.wiring import connect  # noqa: PLC0415

    taken = force_release(
        settings.application,
        connect(settings),
        actor=actor(options.environment),
        release=ReleaseId(release_id) if release_id else None,
        force=force,
    )
    if options.json:
        print_json(taken_json(settings.application, taken))
        return
    lines = taken_lines(settings.application, taken, glyphs=glyphs(sys.stdout))
    print_lines(lines, stream=sys.stdout, environment=options.environment)
