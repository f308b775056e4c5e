"""`deployctl status`: the release in progress, and each group's version and verdict."""

from __future__ import annotations

import sys

from deployctl.cli.context import CliContext
from deployctl.cli.options import GroupGlobs
from deployctl.cli.output import columns_of, glyphs, print_json, show
from deployctl.cli.verb import verb
from deployctl.flows import status as flow
from deployctl.report.json_status import status_json
from deployctl.report.status import status_lines


@verb("config", "json", "quiet", "no_input")
def status(options: CliContext, *, group: GroupGlobs = None) -> None:
    """Show the release in progress, the process running it, and each group's version and verdict.

    Changes nothing; exit code 0.
    """
    settings = options.settings()
    found = flow.status(settings, options.connect(settings), globs=tuple(group or ()))
    if options.json:
        print_json(status_json(found))
    else:
        show(status_lines(found, columns=columns_of(sys.stdout), glyphs=glyphs(sys.stdout)), options)
