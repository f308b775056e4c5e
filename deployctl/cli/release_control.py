"""`deployctl rollback`, `stop` and `attach`: commands on the release in progress, or the last one."""

from functools import partial
from typing import Annotated

import typer

from deployctl.cli.completion import complete_versions
from deployctl.cli.context import CliContext
from deployctl.cli.options import (
    DryRun,
    GroupGlobs,
    ReleaseArgument,
    StrategyText,
    TimeoutText,
    WaitForLock,
    WaitOptions,
    duration_s,
)
from deployctl.cli.release import print_plan
from deployctl.cli.verb import verb


@verb("config", "json", "quiet", "no_input", "yes")
def rollback(
    options: CliContext,
    *,
    to: Annotated[
        str | None,
        typer.Option(
            metavar="VERSION",
            help="Roll every group back to this version. Default: each group's previous successful version.",
            autocompletion=complete_versions,
        ),
    ] = None,
    group: GroupGlobs = None,
    dry_run: DryRun = False,
    strategy: StrategyText = None,
    waiting: WaitOptions,
) -> None:
    """Roll every group of the last release back to its previous successful version, all groups at once.

    If the release is still in progress, ask the process running it to stop, and wait for that.

    Exit codes: 0 every group is back, 1 failed, 5 another release is in progress, 124 still running at --timeout.
    """
    from deployctl.cli.run_command import DETACHED, run_and_report
    from deployctl.flows import rollback as flow
    from deployctl.model.names import parse_version

    settings = options.settings({"strategy": strategy, "timeout": waiting.timeout})
    request = flow.RollbackOptions(
        actor=options.actor,
        to=parse_version(to) if to is not None else None,
        globs=tuple(group or ()),
        timeout_s=settings.timeout_s,
        wait_for_lock_s=waiting.lock_s,
        wait_for_group_s=waiting.group_s,
    )
    ports = options.connect(settings)
    if dry_run:
        print_plan(flow.dry_run(request, settings, ports), options)
        return
    run_and_report(
        partial(flow.rollback, request),
        settings,
        ports,
        options,
        on_interrupt=f"detached from the rollback; {DETACHED}",
    )


@verb("config", "json", "quiet", "no_input", "yes")
def stop(options: CliContext, release: ReleaseArgument = None, *, wait_for_lock: WaitForLock = None) -> None:
    """Stop every deployment of the release in progress, and show each group's verdict.

    If another process is running the release, asks that process to stop; if that process is gone, stops the
    deployments itself.

    Exit codes: 0 the release had finished verified, 1 stopped; otherwise as the release's.
    """
    from deployctl.cli.run_command import run_and_report
    from deployctl.flows import stop as flow

    settings, ports = options.open()
    lock_s = duration_s("--wait-for-lock", wait_for_lock)
    run_and_report(
        partial(flow.stop, release=release, actor=options.actor, wait_for_lock_s=lock_s),
        settings,
        ports,
        options,
        on_interrupt="interrupted while stopping; some deployments may still be running",
    )


@verb("config", "json", "quiet", "no_input", "yes")
def attach(options: CliContext, release: ReleaseArgument = None, *, timeout: TimeoutText = None) -> None:
    """Watch the release or rollback in progress until it finishes. If its process is gone, resume it.

    Exit codes are those of the release.
    """
    from deployctl.cli.run_command import DETACHED, run_and_report
    from deployctl.flows import attach as flow

    settings, ports = options.open({"timeout": timeout})
    run_and_report(
        partial(flow.attach, release=release, actor=options.actor, timeout_s=settings.timeout_s),
        settings,
        ports,
        options,
        on_interrupt=f"detached from the release; {DETACHED}",
    )
