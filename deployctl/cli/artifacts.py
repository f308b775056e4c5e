"""`deployctl artifacts`: published artifacts, their users, and the removal of unused ones."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from deployctl.cli.confirm import confirm_removal, require_confirmation
from deployctl.cli.context import CliContext
from deployctl.cli.options import DryRun
from deployctl.cli.output import columns_of, note, print_json, show
from deployctl.cli.verb import verb
from deployctl.config.settings import Settings
from deployctl.flows import artifact_prune as flow
from deployctl.flows.identity import actor
from deployctl.plan.prune import PrunePlan
from deployctl.ports import Ports
from deployctl.report.artifacts import VERSIONED, artifact_lines, artifacts_json, prune_json, prune_lines

KEEP = 20


@verb("config", "json")
def list_artifacts(options: CliContext) -> None:
    """List published versions, newest first: time, actor, commit, and what needs each."""
    settings = options.settings()
    found = flow.list_artifacts(settings, options.connect(settings))
    name, columns = settings.application, columns_of(sys.stdout)
    if options.json:
        print_json(artifacts_json(name, found.artifacts, found.uses, found.leftovers))
        return
    lines = artifact_lines(
        name, found.artifacts, found.uses, found.leftovers, groups=found.groups, columns=columns
    )
    show(lines, options)


@verb("config", "json", "quiet", "no_input", "yes")
def prune(
    options: CliContext,
    *,
    keep: Annotated[
        int, typer.Option(min=1, metavar="N", help="How many of the newest to keep in any case.")
    ] = KEEP,
    dry_run: DryRun = False,
) -> None:
    """Remove old artifacts that nothing needs, and the remains of interrupted uploads.

    Keeps, whatever its age, every version that any group desires, deployed last, would roll back to, is being
    deployed or runs. No release starts while a prune runs.
    """
    settings = options.settings()
    if not dry_run:
        require_confirmation(
            options, noun="artifacts prune", command=f"deployctl artifacts prune --keep {keep}"
        )
    ports = options.connect(settings)
    plan = flow.plan(settings, ports, keep=keep)
    if dry_run or plan.removes_nothing:
        _show(plan, settings, options, keep=keep)
    elif confirm_removal(options, lambda: _show(plan, settings, options, keep=keep)):
        _prune(plan, settings, ports, options, keep=keep)


def _show(
    plan: PrunePlan,
    settings: Settings,
    options: CliContext,
    *,
    keep: int,
    done: bool = False,
    kept_as_versions: bool = False,
) -> None:
    name = settings.application
    if options.json:
        print_json(prune_json(name, plan, keep=keep, done=done, kept_as_versions=kept_as_versions))
    else:
        show(prune_lines(name, plan, keep=keep, columns=columns_of(sys.stdout), done=done), options)


def _prune(plan: PrunePlan, settings: Settings, ports: Ports, options: CliContext, *, keep: int) -> None:
    pruned = flow.prune(settings, ports, agreed=plan, keep=keep, actor=actor(options.environment))
    kept = pruned.kept_as_versions
    _show(pruned.plan, settings, options, keep=keep, done=True, kept_as_versions=kept)
    if kept and not options.quiet:
        note([VERSIONED], options)
