"""Findings of groups: one block a cause, with the command that fixes each group."""

from collections.abc import Sequence

from rich.text import Text

from deployctl.model.group_finding import GroupFinding
from deployctl.report.formatting import count, sanitize
from deployctl.report.style import BAD, REST, STRONG, Glyphs, styled
from deployctl.report.table import indent, wrap

#: The findings shown of one cause; the others are counted.
MOST_SHOWN = 5
_INDENT = "  "


def finding_lines(findings: Sequence[GroupFinding], *, columns: int, glyphs: Glyphs) -> list[Text]:
    """By cause; commands stay whole, however narrow the terminal."""
    lines: list[Text] = []
    for cause in dict.fromkeys(finding.cause for finding in findings):
        same = [finding for finding in findings if finding.cause == cause]
        groups = count(len({finding.group_name for finding in same}), "group")
        lines.append(styled(f"{glyphs.failed} {cause}, {groups}", BAD))
        for finding in same[:MOST_SHOWN]:
            what = styled(sanitize(finding.group_name), STRONG).append(f": {sanitize(finding.evidence)}", "")
            lines += indent(wrap(what, columns - len(_INDENT)), _INDENT)
            if finding.remedy is not None:
                lines.append(Text(f"{_INDENT}{glyphs.arrow} {sanitize(finding.remedy)}"))
        if (further := len(same) - MOST_SHOWN) > 0:
            more = f"{glyphs.ellipsis} and {further:,} more: deployctl reconcile --json"
            lines.append(styled(_INDENT + more, REST))
    return lines
