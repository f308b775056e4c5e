"""`deployctl stop`: stops the release in progress."""

from __future__ import annotations

from functools import partial

from deployctl.cli.context import CliContext
from deployctl.cli.options import ReleaseArgument, WaitForLock, duration_s
from deployctl.cli.run_command import run_and_report
from deployctl.cli.verb import verb
from deployctl.flows import stop as flow
from deployctl.flows.identity import actor


@verb("config", "json", "quiet", "no_input", "yes")
def stop(options: CliContext, release: ReleaseArgument = None, *, wait_for_lock: WaitForLock = None) -> None:
    """Stop every deployment of the release in progress, and show each group's verdict.

    If another process is running the release, asks that process to stop; if that process is gone, stops the
    deployments itself.

    Exit codes: 0 the release had finished verified, 1 stopped; otherwise as the release's.
    """
    settings = options.settings()
    ports = options.connect(settings)
    run_and_report(
        partial(
            flow.stop,
            settings,
            ports,
            release=release,
            actor=actor(options.environment),
            wait_for_lock_s=duration_s("--wait-for-lock", wait_for_lock),
        ),
        settings,
        ports,
        options,
        on_interrupt="interrupted while stopping; some deployments may still be running",
    )
