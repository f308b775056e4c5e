"""`deployctl lock`: the holder of the application's lock, and taking the lock away."""

import sys
from typing import Annotated

import typer

from deployctl.cli.completion import complete_releases
from deployctl.cli.context import CliContext
from deployctl.cli.output import glyphs, print_json, show
from deployctl.cli.verb import verb


@verb("config", "json")
def status(options: CliContext) -> None:
    """Show the lock's holder and expiry, or the release that was left unfinished. Exit code 0, held or free."""
    from deployctl.report.lock import lock_json, lock_lines

    settings, ports = options.open()
    # The lock first: a process that has released the lock has already recorded that its release finished.
    view = ports.lease.view()
    in_progress = ports.states.read(settings.application)[0].in_progress
    if options.json:
        print_json(lock_json(settings.application, view, in_progress))
        return
    now, marks = ports.clock.now(), glyphs(sys.stdout)
    show(lock_lines(settings.application, view, now=now, glyphs=marks, in_progress=in_progress), options)


@verb("config", "json")
def release(
    options: CliContext,
    release_id: Annotated[
        str | None,
        typer.Argument(
            metavar="[RELEASE]",
            help="Only if this release holds the lock, such as r-20260102T030405-3f9a1c.",
            autocompletion=complete_releases,
        ),
    ] = None,
    *,
    force: Annotated[
        bool, typer.Option("--force", help="Take the lock even from a running process.")
    ] = False,
) -> None:
    """Take the lock from a deployctl that hangs. That process starts nothing more; its deployments keep running.

    The lock of a process that died expires within half a minute. Without --force, shows the holder, takes
    nothing, and exits with 5.
    """
    from deployctl.flows.lock import force_release
    from deployctl.model.names import ReleaseId
    from deployctl.report.lock import lock_release_json, lock_release_lines

    settings, ports = options.open()
    name, only = settings.application, ReleaseId(release_id) if release_id else None
    taken = force_release(name, ports, actor=options.actor, release=only, force=force)
    if options.json:
        print_json(lock_release_json(name, taken))
    else:
        show(lock_release_lines(name, taken, glyphs=glyphs(sys.stdout)), options)
