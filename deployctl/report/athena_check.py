"""What a look at Athena found, in words and as JSON: what is right, what differs, and what mends it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rich.text import Text

from deployctl.model.setup_check import SetupCheck
from deployctl.report.formatting import count, sanitize
from deployctl.report.style import BAD, GOOD, REST, Glyphs, styled

CHECK_SCHEMA = "deployctl.athena-check/1"


def check_lines(found: Sequence[SetupCheck], *, glyphs: Glyphs) -> list[Text]:
    """One line each, those that differ with what does, then each remedy once."""
    wrong = [each for each in found if not each.is_right]
    head = (
        styled(
            f"{glyphs.failed} {len(wrong):,} of {count(len(found), 'thing')} in Athena must be mended", BAD
        )
        if wrong
        else styled(f"{glyphs.held} Athena is as it must be", GOOD)
    )
    remedies = dict.fromkeys(each.remedy for each in wrong if each.remedy)
    return [
        head,
        *(_line(each, glyphs) for each in found),
        *(Text(f"{glyphs.arrow} {sanitize(remedy)}") for remedy in remedies),
    ]


def _line(each: SetupCheck, glyphs: Glyphs) -> Text:
    if each.wrong is None:
        return styled(f"  {glyphs.held} {sanitize(each.noun)}", REST)
    return styled(f"  {glyphs.failed} ", BAD).append(f"{sanitize(each.noun)} {sanitize(each.wrong)}")


def check_json(found: Sequence[SetupCheck]) -> dict[str, Any]:
    """`wrong` and `remedy` are null of what is as it must be."""
    return {
        "schema": CHECK_SCHEMA,
        "is_right": all(each.is_right for each in found),
        "checked": [{"noun": each.noun, "wrong": each.wrong, "remedy": each.remedy} for each in found],
    }
