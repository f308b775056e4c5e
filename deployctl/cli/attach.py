"""`deployctl attach`: watch what is under way, and go on with it where nobody else does."""

from __future__ import annotations

from functools import partial

import typer

from deployctl.cli.context import cli_context
from deployctl.cli.options import ConfigPath, JsonFlag, NoInput, Quiet, ReleaseArgument, TimeoutText, Yes
from deployctl.cli.run_command import run_and_report


def attach(
    ctx: typer.Context,
    release: ReleaseArgument = None,
    *,
    timeout: TimeoutText = None,
    config: ConfigPath = None,
    json: JsonFlag = False,
    quiet: Quiet = False,
    no_input: NoInput = False,
    yes: Yes = False,
) -> None:
    """Show the release or rollback under way until it is over, and go on with it where nobody runs it any more.

    Exit codes are those of the release.
    """
    options = cli_context(ctx, config_path=config, json=json, quiet=quiet, no_input=no_input, yes=yes)
    settings = options.settings({"timeout": timeout})
    from deployctl.flows.attach import attach as run  # noqa: PLC0415 - what follows imports boto3 and more
    from deployctl.flows.identity import actor  # noqa: PLC0415
    from deployctl.wiring import connect  # noqa: PLC0415

    ports = connect(settings)
    run_and_report(
        partial(
            run,
            settings,
            ports,
            release=release,
            actor=actor(options.environment),
            timeout_s=settings.timeout_s,
        ),
        what="it",
        settings=settings,
        ports=ports,
        options=options,
    )
