"""`deployctl artifacts`: what is published, what needs it, and the removal of what nothing does."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from deployctl.cli.context import CliContext, cli_context
from deployctl.cli.options import ConfigPath, JsonFlag, NoInput, Quiet, Yes
from deployctl.cli.output import columns_of, print_json, print_lines
from deployctl.errors import UsageError

if TYPE_CHECKING:
    from deployctl.config.settings import Settings
    from deployctl.plan.prune import PrunePlan
    from deployctl.ports import Ports

KEEP = 20

app = typer.Typer(help="List published artifacts, and remove old ones.", no_args_is_help=True)


@app.command("list")
def list_(ctx: typer.Context, *, config: ConfigPath = None, json: JsonFlag = False) -> None:
    """Every published version, the newest first: when, by whom, from which commit, and what needs it."""
    options = cli_context(ctx, config_path=config, json=json)
    settings = options.settings()
    from deployctl.flows.artifact_prune import list_artifacts  # noqa: PLC0415 - what follows imports boto3 and more
    from deployctl.report.artifacts import artifact_lines, artifacts_json  # noqa: PLC0415
    from deployctl.wiring import connect  # noqa: PLC0415

    found = list_artifacts(settings, connect(settings))
    if options.json:
        print_json(artifacts_json(settings.application, found.artifacts, found.uses, found.leftovers))
        return
    lines = artifact_lines(
        settings.application,
        found.artifacts,
        found.uses,
        found.leftovers,
        groups=found.groups,
        columns=columns_of(sys.stdout),
    )
    print_lines(lines, stream=sys.stdout, environment=options.environment)


@app.command()
def prune(
    ctx: typer.Context,
    *,
    keep: Annotated[
        int, typer.Option("--keep", min=1, metavar="N", help="How many of the newest stay in any case.")
    ] = KEEP,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show what would be removed and change nothing.")
    ] = False,
    yes: Yes = False,
    config: ConfigPath = None,
    json: JsonFlag = False,
    quiet: Quiet = False,
    no_input: NoInput = False,
) -> None:
    """Remove old artifacts that nothing needs, and what broken-off publications left.

    In any group of the application, what is desired, was deployed last, would be rolled back to, is being
    deployed or is running stays, whatever its age. No release begins while it runs.
    """
    options = cli_context(ctx, config_path=config, json=json, quiet=quiet, no_input=no_input, yes=yes)
    settings = options.settings()
    if not (dry_run or options.yes or options.may_ask):
        raise UsageError(
            "nobody is there to confirm a removal",
            noun="artifacts prune",
            remedy=f"deployctl artifacts prune --keep {keep} --yes   # or --dry-run, to see what would go",
        )
    from deployctl.flows.artifact_prune import plan  # noqa: PLC0415 - what follows imports boto3 and more
    from deployctl.wiring import connect  # noqa: PLC0415

    ports = connect(settings)
    planned = plan(settings, ports, keep=keep)
    if dry_run or planned.removes_nothing:
        _show(planned, settings, options, keep=keep)
        return
    if not options.yes:
        _show(planned, settings, options, keep=keep)
        if not typer.confirm("Remove them for good?", default=False, err=True):
            typer.echo("nothing was removed", err=True)
            return
    _prune(planned, settings, ports, options, keep=keep)


def _show(planned: PrunePlan, settings: Settings, options: CliContext, *, keep: int) -> None:
    from deployctl.report.artifacts import prune_json, prune_lines  # noqa: PLC0415

    name = settings.application
    if options.json:
        print_json(prune_json(name, planned, keep=keep, done=False, kept_as_versions=False))
        return
    lines = prune_lines(name, planned, keep=keep, columns=columns_of(sys.stdout), done=False)
    print_lines(lines, stream=sys.stdout, environment=options.environment)


def _prune(planned: PrunePlan, settings: Settings, ports: Ports, options: CliContext, *, keep: int) -> None:
    from deployctl.flows.artifact_prune import prune as carry_out  # noqa: PLC0415
    from deployctl.flows.identity import actor  # noqa: PLC0415
    from deployctl.report.artifacts import VERSIONED, prune_json, prune_lines  # noqa: PLC0415

    name, who = settings.application, actor(options.environment)
    pruned = carry_out(settings, ports, agreed=planned, keep=keep, actor=who)
    if options.json:
        kept = pruned.kept_as_versions
        print_json(prune_json(name, pruned.plan, keep=keep, done=True, kept_as_versions=kept))
    else:
        lines = prune_lines(name, pruned.plan, keep=keep, columns=columns_of(sys.stdout), done=True)
        print_lines(lines, stream=sys.stdout, environment=options.environment)
    if pruned.kept_as_versions and not options.quiet:
        print_lines([VERSIONED], stream=sys.stderr, environment=options.environment)
