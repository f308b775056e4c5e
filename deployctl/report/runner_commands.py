"""Commands that a CI runner obeys in a job's output: deployctl's own pass, foreign text is defused.

Source: GitHub's actions/runner, ActionCommand (`::name` begins a line, `##[name]` stands anywhere); Azure Pipelines,
logging commands (`##vso[…]`); GitLab, collapsible sections (`section_start:TIME:NAME`).
"""

import re
from collections.abc import Mapping

_RUNNERS = ("GITHUB_ACTIONS", "GITLAB_CI", "TF_BUILD")
_COMMAND = re.compile(
    r"(?:\A|(?<=[\r\n]))[^\S\r\n]*:(?=:)|##(?=\w*\[)|section_(?:start|end)(?=:\d)", re.IGNORECASE
)


class RunnerCommand(str):
    """Text that the runner is meant to obey."""

    __slots__ = ()


def is_on_runner(environment: Mapping[str, str]) -> bool:
    return any(environment.get(variable) for variable in _RUNNERS)


def defuse(text: str) -> str:
    """The text with a blank in each command: `: :error::`, `## [group]`."""
    return _COMMAND.sub(r"\g<0> ", text)


def defuse_json(document: str) -> str:
    """The same JSON, with an escape in each command."""
    return _COMMAND.sub(_escape_first, document)


def _escape_first(command: re.Match[str]) -> str:
    first, rest = command[0][0], command[0][1:]
    return f"\\u{ord(first):04x}{rest}"
