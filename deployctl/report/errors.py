"""An error as lines for people; pipelines read `DeployctlError.as_json`."""

from rich.text import Text

from deployctl.errors import DeployctlError
from deployctl.report.formatting import sanitize
from deployctl.report.style import BAD, Glyphs, styled


def error_lines(error: DeployctlError, *, glyphs: Glyphs) -> list[Text]:
    """`error: what happened`, its details, and the command to type next, each on its own line."""
    lines = [styled("error: ", BAD).append(sanitize(error.message))]
    lines += [Text(f"  {sanitize(detail)}") for detail in error.details]
    if error.remedy:
        lines.append(Text(f"{glyphs.arrow} {sanitize(error.remedy)}"))
    return lines
