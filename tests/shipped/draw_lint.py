"""Draws docs/lint.md, the lint against the CodeDeploy agents: `python -m tests.shipped.draw_lint`.

Every row is a case of tests/unit/build/agent_cases.json; the findings are those of the lint itself.
"""

from __future__ import annotations

from pathlib import Path

from tests.unit.build.agent_cases import CASES, Case, Outcome

FILE = Path(__file__).parents[2] / "docs" / "lint.md"
MAX_MESSAGE = 100
HEAD = """# The lint of appspec.yml

`build`, `push` and `release` check `appspec.yml` and its hooks before anything is uploaded, by what the CodeDeploy
agents do with them. A finding has one of two levels:

- **error**: the deployment fails on a worker. The build stops.
- **warning**: the deployment works, and the finding says what happens. The build continues.

`--lint=warn` builds and releases all the same. The manifest records the errors that were ignored (`lint_errors`), and
the dry run shows them.

There are two agents: v1 (Ruby, 1.8.1) and v2 (Rust, 2026). The level goes by v1. A finding that holds for one of them
only says so: `(fails on agent v1 only)` or `(fails on agent v2)`.

The sandbox's workers fail by the same rules, as agent v1.

## Cases

Each row is a small bundle that the tests build. *observed*: the real agent v1.8.1 deployed it. *source*: the outcome
follows from the source of the agents; where that leaves a doubt, the row has the harsher reading: *not certain*.
A lint reads files: what a script does, and what a worker has, it cannot know. This page is drawn from the cases:
`python -m tests.shipped.draw_lint`.

| case | agent v1 | agent v2 | deployctl | the lint's finding |
|---|---|---|---|---|
"""


def page() -> str:
    return HEAD + "".join(_row(case) for case in CASES)


def _row(case: Case) -> str:
    v1 = f"{_outcome(case.v1)} ({case.v1_from})"
    note = "; ".join(part for part in (case.beyond, case.note) if part)
    v2 = case.v2.replace("Succeeded", "deploys").replace("Failed", "fails")
    cells = (case.about, v1, f"{v2}{f' ({note})' if note else ''}", case.level, _findings(case))
    return f"| {' | '.join(_cell(text) for text in cells)} |\n"


def _outcome(outcome: Outcome) -> str:
    if not outcome.failed:
        return "deploys"
    message = outcome.message.removeprefix("The deployment failed because ").split("\n")[0]
    short = message if len(message) <= MAX_MESSAGE else f"{message[: MAX_MESSAGE - 1].rstrip()}…"
    return f"fails at {outcome.event}: {short}"


def _findings(case: Case) -> str:
    return "; ".join(finding.message for finding in case.findings())


def _cell(text: str) -> str:
    """Text as it is: no table, no HTML, no emphasis."""
    escaped = text.replace("\\", "\\\\")
    for character in "|<>*_`$":
        escaped = escaped.replace(character, f"\\{character}")
    return escaped.replace("\n", " ")


if __name__ == "__main__":
    FILE.write_text(page(), encoding="utf-8")
