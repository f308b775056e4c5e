"""`deployctl stop`: end what is under way."""

from __future__ import annotations

from functools import partial

import typer

from deployctl.cli.context import cli_context
from deployctl.cli.options import (
    ConfigPath,
    JsonFlag,
    NoInput,
    Quiet,
    ReleaseArgument,
    WaitForLock,
    Yes,
    duration_s,
)
from deployctl.cli.run_command import run_and_report


def stop(
    ctx: typer.Context,
    release: ReleaseArgument = None,
    *,
    wait_for_lock: WaitForLock = None,
    config: ConfigPath = None,
    json: JsonFlag = False,
    quiet: Quiet = False,
    no_input: NoInput = False,
    yes: Yes = False,
) -> None:
    """Stop every deployment of the release under way, and say where each group stands.

    Whoever runs it is asked to stop it; where nobody does any more, it is stopped from here. Exit codes are those
    of the release: 1 where it was stopped, 0 where it was over and had held by then.
    """
    options = cli_context(ctx, config_path=config, json=json, quiet=quiet, no_input=no_input, yes=yes)
    settings = options.settings()
    from deployctl.flows.identity import actor  # noqa: PLC0415 - what follows imports boto3 and more
    from deployctl.flows.stop import stop as run  # noqa: PLC0415
    from deployctl.wiring import connect  # noqa: PLC0415

    ports = connect(settings)
    run_and_report(
        partial(
            run,
            settings,
            ports,
            release=release,
            actor=actor(options.environment),
            wait_for_lock_s=duration_s("--wait-for-lock", wait_for_lock),
        ),
        what="the stopping",
        settings=settings,
        ports=ports,
        options=options,
    )
