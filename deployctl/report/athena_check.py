"""The result of checking Athena for people and as JSON: each check, and the commands that fix it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rich.text import Text

from deployctl.model.setup_check import SetupCheck
from deployctl.report.formatting import count, sanitize
from deployctl.report.json_output import json_value
from deployctl.report.style import BAD, GOOD, REST, Glyphs, styled

CHECK_SCHEMA = "deployctl.athena-check/1"


def check_lines(found: Sequence[SetupCheck], *, glyphs: Glyphs) -> list[Text]:
    """One line per check, then each remedy once."""
    wrong = [each for each in found if not each.is_right]
    head = styled(f"{glyphs.ok} Athena is set up correctly", GOOD)
    if wrong:
        head = styled(f"{glyphs.failed} {len(wrong):,} of {count(len(found), 'Athena check')} failed", BAD)
    remedies = dict.fromkeys(each.remedy for each in wrong if each.remedy)
    return [
        head,
        *(_line(each, glyphs) for each in found),
        *(Text(f"{glyphs.arrow} {sanitize(remedy)}") for remedy in remedies),
    ]


def _line(each: SetupCheck, glyphs: Glyphs) -> Text:
    if each.wrong is None:
        return styled(f"  {glyphs.ok} {sanitize(each.noun)}", REST)
    return styled(f"  {glyphs.failed} ", BAD).append(f"{sanitize(each.noun)} {sanitize(each.wrong)}")


def check_json(found: Sequence[SetupCheck]) -> dict[str, Any]:
    """`wrong` and `remedy` are null for a check that passed."""
    return {
        "schema": CHECK_SCHEMA,
        "is_right": all(each.is_right for each in found),
        "checked": json_value(tuple(found)),
    }
