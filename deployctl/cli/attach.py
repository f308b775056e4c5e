"""`deployctl attach`: watches the release in progress, and resumes it if its process is gone."""

from __future__ import annotations

from functools import partial

from deployctl.cli.context import CliContext
from deployctl.cli.options import ReleaseArgument, TimeoutText
from deployctl.cli.run_command import DETACHED, run_and_report
from deployctl.cli.verb import verb
from deployctl.flows import attach as flow
from deployctl.flows.identity import actor


@verb("config", "json", "quiet", "no_input", "yes")
def attach(options: CliContext, release: ReleaseArgument = None, *, timeout: TimeoutText = None) -> None:
    """Watch the release or rollback in progress until it finishes. If its process is gone, resume it.

    Exit codes are those of the release.
    """
    settings = options.settings({"timeout": timeout})
    ports = options.connect(settings)
    run_and_report(
        partial(
            flow.attach,
            settings,
            ports,
            release=release,
            actor=actor(options.environment),
            timeout_s=settings.timeout_s,
        ),
        settings,
        ports,
        options,
        on_interrupt=f"detached from the release; {DETACHED}",
    )
