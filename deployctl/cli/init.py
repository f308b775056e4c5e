"""`deployctl init`: what a repository needs before its first release."""

from __future__ import annotations

from typing import Annotated

import typer

from deployctl.cli.context import cli_context, working_directory
from deployctl.cli.options import JsonFlag, NoInput, Quiet, Yes
from deployctl.cli.output import print_json


def init(
    ctx: typer.Context,
    *,
    application: Annotated[
        str | None, typer.Option(metavar="NAME", help="The CodeDeploy application.")
    ] = None,
    region: Annotated[str | None, typer.Option(metavar="REGION", help="The AWS region.")] = None,
    bucket: Annotated[str | None, typer.Option(metavar="NAME", help="The S3 bucket.")] = None,
    workgroup: Annotated[str | None, typer.Option(metavar="NAME", help="The Athena workgroup.")] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace files that exist.")] = False,
    no_input: NoInput = False,
    yes: Yes = False,
    json: JsonFlag = False,
    quiet: Quiet = False,
) -> None:
    """Write deployctl.toml, appspec.yml and hooks into this git repository.

    What exists is kept. With --yes, what was found in the account is taken without asking, and the new
    files are committed.
    """
    # --help does without all of these.
    from deployctl.build.templates import init_files  # noqa: PLC0415
    from deployctl.cli import init_prompts as dialogue  # noqa: PLC0415
    from deployctl.flows.init import COMMIT_MESSAGE, initialise  # noqa: PLC0415
    from deployctl.flows.scaffold import commit  # noqa: PLC0415

    options = cli_context(ctx, json=json, quiet=quiet, no_input=no_input, yes=yes)
    outcome = initialise(
        working_directory(),
        flags={"application": application, "region": region, "bucket": bucket, "workgroup": workgroup},
        environment=options.environment,
        discovery=options.discovery() if options.discovery else None,
        ask=dialogue.prompt(options) if options.may_ask else None,
        may_replace=dialogue.confirm_replace(options, force=force),
        templates=init_files(kind="plain"),
    )
    refusal = (
        commit(outcome.root, outcome.ours, COMMIT_MESSAGE) if dialogue.wants_commit(options, outcome) else ""
    )
    is_committed = refusal is None
    if options.json:
        print_json(dialogue.as_json(outcome, is_committed=is_committed))
        return
    dialogue.report(outcome)
    if not options.quiet:
        dialogue.explain(outcome, is_committed=is_committed, refusal=refusal)
