"""Annotations and folded groups for GitHub Actions: workflow commands on lines of their own.

Source: docs.github.com, workflow commands; actions/runner, ActionCommand.cs (the escapes).
"""

from __future__ import annotations


def annotation(level: str, message: str, *, title: str) -> str:
    """`::error title=…::message`; `level` is `error`, `warning` or `notice`."""
    return f"::{level} title={_property(title)}::{_data(message)}"


def group_begins(title: str) -> str:
    """Fold the following lines under this title, until the group's end or the next group."""
    return f"::group::{_data(title)}"


GROUP_ENDS = "::endgroup::"


def escape_commands(line: str) -> str:
    """A log line without runner commands.

    The runner still obeys the old form, `##[command]`, anywhere in a line: one in a worker's log tail could hide
    the rest of the log.
    """
    return line.replace("##[", "## [")


def _data(text: str) -> str:
    return escape_commands(text).replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")
