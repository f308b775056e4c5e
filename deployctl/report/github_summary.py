"""A release's result as Markdown, for the summary of a GitHub Actions step.

Source: docs.github.com, workflow commands, "Adding a job summary": GitHub shows nothing above 1 MiB per step.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from deployctl.model.release import GroupOutcome, ReleaseOutcome
from deployctl.model.verdict import Verdict
from deployctl.report.formatting import count, duration, iso, sanitize
from deployctl.report.group_progress import final_counts
from deployctl.report.release_summary import troubled_groups, verdict_line

LIMIT_BYTES = 1_048_576
MAX_REASON = 500
_MARKS = {
    Verdict.VERIFIED: "✅",
    Verdict.EMPTY: "✅",
    Verdict.PARTIAL: "⚠️",
    Verdict.RUNNING: "⏳",
    Verdict.NOT_STARTED: "⚪",
}
_HEADS = ("| Group | Verdict | Workers | Reason |\n", "|---|---|---:|---|\n")
# Every ASCII character with a meaning in GitHub's Markdown or in HTML.
_SPECIAL = re.compile(r"([\\`*_{}\[\]()<>#+\-.!|~&:@=\"'/^$%?,;])")


def step_summary(outcomes: Sequence[ReleaseOutcome], *, room_bytes: int = LIMIT_BYTES) -> str:
    """A heading, the verdict in one sentence and a table of groups for each outcome, in at most `room_bytes`.

    Groups that are not verified come first and stay visible; the others are folded.
    """
    parts: list[str] = []
    left = room_bytes
    for outcome in outcomes:
        part = _section(outcome, left)
        parts.append(part)
        left -= len(part.encode())
    return "".join(parts)


def append_summary(path: Path, outcomes: Sequence[ReleaseOutcome]) -> None:
    """Append the summary to the step's file. Raises: OSError."""
    written_bytes = path.stat().st_size if path.exists() else 0
    text = step_summary(outcomes, room_bytes=LIMIT_BYTES - written_bytes)
    with path.open("a", encoding="utf-8") as file:
        file.write(text)


def _section(outcome: ReleaseOutcome, room_bytes: int) -> str:
    bad = troubled_groups(outcome)
    good = sorted((g for g in outcome.groups if g.verdict.is_verified), key=lambda g: g.group)
    head = (
        f"## {_mark(outcome.verdict)} {_escaped(outcome.kind.value)} of {_escaped(outcome.application)}"
        f" to {_escaped(outcome.version)}: {_escaped(outcome.verdict.value)}\n\n"
        f"{_escaped(verdict_line(outcome))}\n\n"
        f"Release {_escaped(outcome.release_id)}, began {_escaped(iso(outcome.started_at))},"
        f" took {_escaped(duration(outcome.elapsed_s))}\n\n"
    )
    fold = f"<details><summary>{count(len(good), 'group')} verified</summary>\n\n"
    left = room_bytes - len(head.encode())
    table = "".join(_within(_table(bad), left)) + "\n" if bad else ""
    left -= len(table.encode())
    folded = fold + "".join(_within(_table(good), left - len(fold) - 20)) + "\n</details>\n\n" if good else ""
    found = head
    for part in (table, folded):
        found += part if len((found + part).encode()) <= room_bytes else ""
    return found if len(found.encode()) <= room_bytes else ""


def _table(groups: Sequence[GroupOutcome]) -> list[str]:
    return [*_HEADS, *map(_row, groups)]


def _within(rows: Iterable[str], room_bytes: int) -> Iterator[str]:
    """As many rows as fit, and a line that counts the rest."""
    every = list(rows)
    left = room_bytes - 100
    for number, row in enumerate(every):
        left -= len(row.encode())
        if left < 0:
            yield f"| and {count(len(every) - number, 'group')} more | | | |\n"
            return
        yield row


def _row(group: GroupOutcome) -> str:
    at = final_counts(group)
    workers = f"{at.done}/{at.total}" if group.workers else ""
    reason = sanitize(group.reason or "")
    if len(reason) > MAX_REASON:
        reason = reason[: MAX_REASON - 1] + "…"
    verdict = f"{_mark(group.verdict)} {_escaped(group.verdict.value)}"
    return f"| {_escaped(group.group)} | {verdict} | {workers} | {_escaped(reason)} |\n"


def _mark(verdict: Verdict) -> str:
    return _MARKS.get(verdict, "❌")


def _escaped(text: str) -> str:
    """Text without Markdown or HTML markup, on one line."""
    return _SPECIAL.sub(r"\\\1", sanitize(text))


def every_outcome(outcome: ReleaseOutcome) -> list[ReleaseOutcome]:
    """The release's outcome, then its automatic rollback's."""
    return [outcome, *(every_outcome(outcome.rollback) if outcome.rollback else ())]
