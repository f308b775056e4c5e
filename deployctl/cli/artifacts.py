"""`deployctl artifacts`: published artifacts, their users, and the removal of unused ones."""

from __future__ import annotations

import sys
from functools import partial
from typing import TYPE_CHECKING, Annotated

import typer

from deployctl.cli.context import CliContext
from deployctl.cli.options import DryRun
from deployctl.cli.output import columns_of, confirm_removal, note, print_json, require_confirmation, show
from deployctl.cli.verb import verb

if TYPE_CHECKING:
    from deployctl.model.names import ApplicationName
    from deployctl.plan.prune import PrunePlan


@verb("config", "json")
def list_all(options: CliContext) -> None:
    """List published versions, newest first: time, actor, commit, and what needs each."""
    from deployctl.flows.artifact_prune import list_artifacts
    from deployctl.report.artifacts import artifact_lines, artifacts_json

    settings, ports = options.open()
    found = list_artifacts(settings, ports)
    published = (settings.application, found.artifacts, found.uses, found.leftovers)
    if options.json:
        print_json(artifacts_json(*published))
    else:
        show(artifact_lines(*published, groups=found.groups, columns=columns_of(sys.stdout)), options)


@verb("config", "json", "quiet", "no_input", "yes")
def prune(
    options: CliContext,
    *,
    keep: Annotated[
        int, typer.Option(min=1, metavar="N", help="How many of the newest to keep in any case.")
    ] = 20,
    dry_run: DryRun = False,
) -> None:
    """Remove old artifacts that nothing needs, and the remains of interrupted uploads.

    Keeps, whatever its age, every version that any group desires, deployed last, would roll back to, is being
    deployed or runs. No release starts while a prune runs.
    """
    from deployctl.flows import artifact_prune as flow
    from deployctl.report.artifacts import VERSIONED

    settings = options.settings()
    if not dry_run:
        require_confirmation(
            options, noun="artifacts prune", command=f"deployctl artifacts prune --keep {keep}"
        )
    ports = options.connect(settings)
    plan = flow.plan(settings, ports, keep=keep)
    show_plan = partial(_show, settings.application, options, keep=keep)
    if dry_run or plan.removes_nothing:
        show_plan(plan)
    elif confirm_removal(options, partial(show_plan, plan)):
        pruned = flow.prune(settings, ports, agreed=plan, keep=keep, actor=options.actor)
        kept = pruned.kept_as_versions
        show_plan(pruned.plan, done=True, kept_as_versions=kept)
        if kept and not options.quiet:
            note([VERSIONED], options)


def _show(
    application: ApplicationName,
    options: CliContext,
    plan: PrunePlan,
    *,
    keep: int,
    done: bool = False,
    kept_as_versions: bool = False,
) -> None:
    from deployctl.report.artifacts import prune_json, prune_lines

    if options.json:
        print_json(prune_json(application, plan, keep=keep, done=done, kept_as_versions=kept_as_versions))
    else:
        show(prune_lines(application, plan, keep=keep, columns=columns_of(sys.stdout), done=done), options)
