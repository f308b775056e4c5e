"""`deployctl init`: what a repository needs before its first release."""

from __future__ import annotations

from typing import Annotated

import typer

from deployctl.build.templates import init_files
from deployctl.cli import init_prompts as dialogue
from deployctl.cli.context import CliContext, working_directory
from deployctl.cli.output import print_json
from deployctl.cli.verb import verb
from deployctl.flows.init import COMMIT_MESSAGE, initialise
from deployctl.flows.scaffold import commit


@verb("json", "quiet", "no_input", "yes")
def init(
    options: CliContext,
    *,
    application: Annotated[
        str | None, typer.Option(metavar="NAME", help="The CodeDeploy application.")
    ] = None,
    region: Annotated[str | None, typer.Option(metavar="REGION", help="The AWS region.")] = None,
    bucket: Annotated[str | None, typer.Option(metavar="NAME", help="The S3 bucket.")] = None,
    workgroup: Annotated[str | None, typer.Option(metavar="NAME", help="The Athena workgroup.")] = None,
    unit: Annotated[
        str | None,
        typer.Option(metavar="UNIT", help="The systemd unit that runs the worker; none if empty."),
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace files that exist.")] = False,
) -> None:
    """Write deployctl.toml, appspec.yml and hooks into this git repository.

    Keeps files that exist. With --yes, takes the values found in the account without asking, and commits the
    new files.
    """
    outcome = initialise(
        working_directory(),
        flags={"application": application, "region": region, "bucket": bucket, "workgroup": workgroup},
        environment=options.environment,
        discovery=options.discovery() if options.discovery else None,
        ask=dialogue.prompt(options) if options.may_ask else None,
        may_replace=dialogue.confirm_replace(options, force=force),
        templates=lambda: init_files(kind="plain", unit=dialogue.unit(options, unit)),
    )
    wanted = dialogue.wants_commit(options, outcome)
    refusal = commit(outcome.root, outcome.ours, COMMIT_MESSAGE) if wanted else ""
    is_committed = refusal is None
    if options.json:
        print_json(dialogue.as_json(outcome, is_committed=is_committed))
        return
    dialogue.report(outcome)
    if not options.quiet:
        dialogue.explain(outcome, is_committed=is_committed, refusal=refusal)
