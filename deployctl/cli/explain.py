"""`deployctl explain`: one worker's or group's history, state, cause and fix."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from deployctl.cli.completion import complete_groups
from deployctl.cli.context import CliContext
from deployctl.cli.output import columns_of, glyphs, note, print_json, show
from deployctl.cli.verb import verb
from deployctl.flows import explain as flow
from deployctl.report.explain import cost_line, explain_json, explain_lines


@verb("config", "json", "quiet")
def explain(
    options: CliContext,
    noun: Annotated[
        str,
        typer.Argument(
            metavar="INSTANCE|GROUP",
            help="A worker's instance id, or its beginning; or a group's name.",
            autocompletion=complete_groups,
        ),
    ],
) -> None:
    """Explain a worker or a group: its events, the version each source reports, the cause, and the fix."""
    settings = options.settings()
    ports = options.connect(settings)
    began_s = ports.clock.monotonic_s()
    story = flow.explain(settings, ports, noun)
    elapsed_s, calls = ports.clock.monotonic_s() - began_s, sum(ports.calls().values())
    if options.json:
        print_json(explain_json(story))
    else:
        show(explain_lines(story, columns=columns_of(sys.stdout), glyphs=glyphs(sys.stdout)), options)
    if not options.quiet:
        note([cost_line(elapsed_s, calls, glyphs(sys.stderr))], options)
