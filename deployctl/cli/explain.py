"""`deployctl explain`: the story of one worker, or of one group, and what mends it."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from deployctl.cli.context import cli_context
from deployctl.cli.options import ConfigPath, JsonFlag, Quiet
from deployctl.cli.output import columns_of, glyphs, print_json, print_lines


def explain(
    ctx: typer.Context,
    noun: Annotated[
        str,
        typer.Argument(
            metavar="INSTANCE|GROUP",
            help="A worker's instance id, or the beginning of one; or a group's name.",
        ),
    ],
    *,
    config: ConfigPath = None,
    json: JsonFlag = False,
    quiet: Quiet = False,
) -> None:
    """Tell what happened to a worker or a group, what each witness says it runs, why that is, and what mends it."""
    options = cli_context(ctx, config_path=config, json=json, quiet=quiet)
    settings = options.settings()
    from deployctl.flows.explain import explain as run  # noqa: PLC0415 - what follows imports boto3 and more
    from deployctl.report.explain import cost_line, story_json, story_lines  # noqa: PLC0415
    from deployctl.wiring import connect  # noqa: PLC0415

    ports = connect(settings)
    began_s = ports.clock.monotonic_s()
    story = run(settings, ports, noun)
    elapsed_s, calls = ports.clock.monotonic_s() - began_s, sum(ports.calls().values())
    if options.json:
        print_json(story_json(story))
    else:
        lines = story_lines(story, columns=columns_of(sys.stdout), glyphs=glyphs(sys.stdout))
        print_lines(lines, stream=sys.stdout, environment=options.environment)
    if not options.quiet:
        cost = cost_line(elapsed_s, calls, glyphs(sys.stderr))
        print_lines([cost], stream=sys.stderr, environment=options.environment)
