"""Annotations and folded groups for GitHub Actions: workflow commands on lines of their own.

Source: docs.github.com, workflow commands; actions/runner, ActionCommand.cs (the escapes).
"""

from __future__ import annotations


def annotation(level: str, message: str, *, title: str) -> str:
    """`::error title=…::message`; `level` is `error`, `warning` or `notice`."""
    return f"::{level} title={_property(title)}::{_data(message)}"


def group_begins(title: str) -> str:
    """What follows is folded under this title, until it is ended or another begins."""
    return f"::group::{_data(title)}"


GROUP_ENDS = "::endgroup::"


def escape_commands(line: str) -> str:
    """A line of log that the runner takes for no command.

    The runner still finds the old form, `##[command]`, anywhere in a line: a worker's log tail that holds one
    could mask or stop the rest of the log.
    """
    return line.replace("##[", "## [")


def _data(text: str) -> str:
    return escape_commands(text).replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")
