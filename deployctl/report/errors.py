"""An error as people read it, on stderr; pipelines take `DeployctlError.as_json`."""

from __future__ import annotations

from rich.text import Text

from deployctl.errors import DeployctlError
from deployctl.report.formatting import sanitize
from deployctl.report.style import BAD, Glyphs, styled


def error_lines(error: DeployctlError, *, glyphs: Glyphs) -> list[Text]:
    """`error: what happened`, its details, and what to type next, each on lines of their own."""
    lines = [styled("error: ", BAD).append(sanitize(error.message))]
    lines += [Text(f"  {sanitize(detail)}") for detail in error.details]
    if error.remedy:
        lines.append(Text(f"{glyphs.arrow} {sanitize(error.remedy)}"))
    return lines
