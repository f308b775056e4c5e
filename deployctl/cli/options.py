"""Options that several commands take, each written once."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, ClassVar, TypeVar

import typer

from deployctl.cli.completion import complete_groups, complete_releases, complete_strategies
from deployctl.config.duration import parse_duration_s
from deployctl.errors import UsageError

_Value = TypeVar("_Value")

JsonFlag = Annotated[bool, typer.Option("--json", help="Print JSON on stdout.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Print results and errors only.")]
NoInput = Annotated[bool, typer.Option("--no-input", help="Never ask; fail where an answer is missing.")]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Answer every confirmation with yes.")]
ConfigPath = Annotated[
    Path | None,
    typer.Option(
        "--config",
        metavar="PATH",
        help="The configuration file. Default: the first deployctl.toml from here upwards.",
    ),
]
GroupGlobs = Annotated[
    list[str] | None,
    typer.Option(
        "--group",
        "-g",
        metavar="GLOB",
        help="Only groups whose names match; may be repeated.",
        autocompletion=complete_groups,
    ),
]
StrategyText = Annotated[
    str | None,
    typer.Option(
        "--strategy",
        metavar="STRATEGY",
        help="How many workers may be down at a time: one, half, all, N%.",
        autocompletion=complete_strategies,
    ),
]
TimeoutText = Annotated[
    str | None,
    typer.Option("--timeout", metavar="DURATION", help="How long to watch, such as 90s, 45m or 1h30m."),
]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Show the plan and change nothing.")]
WaitForLock = Annotated[
    str | None,
    typer.Option(
        "--wait-for-lock", metavar="DURATION", help="How long to wait for the lock. Default: fail at once."
    ),
]
WaitForGroup = Annotated[
    str | None,
    typer.Option(
        "--wait-for-group",
        metavar="DURATION",
        help="How long to wait while another deployment is active in a group. Default: 15m.",
    ),
]
Engine = Annotated[
    str | None,
    typer.Option("--engine", metavar="ENGINE", help="What runs the SQL: athena or duckdb."),
]
ReleaseArgument = Annotated[
    str | None,
    typer.Argument(
        metavar="[RELEASE]",
        help="The release's id or version; fail if another one is in progress.",
        autocompletion=complete_releases,
    ),
]


@dataclass(frozen=True, slots=True, kw_only=True)
class CommonOptions:
    section: ClassVar = "Common options"
    config: ConfigPath = None
    json: JsonFlag = False
    quiet: Quiet = False
    no_input: NoInput = False
    yes: Yes = False


@dataclass(frozen=True, slots=True, kw_only=True)
class WaitOptions:
    section: ClassVar = "Time limits"
    timeout: TimeoutText = None
    wait_for_lock: WaitForLock = None
    wait_for_group: WaitForGroup = None

    @property
    def lock_s(self) -> int | None:
        return duration_s("--wait-for-lock", self.wait_for_lock)

    @property
    def group_s(self) -> int | None:
        return duration_s("--wait-for-group", self.wait_for_group)


def duration_s(flag: str, text: str | None) -> int | None:
    """The seconds of a flag's duration; None where the flag is not given. Raises: UsageError."""
    if text is None:
        return None
    return parse_flag(flag, text, parse_duration_s, remedy="use a duration such as 15s or 1m")


def parse_flag(flag: str, text: str, parse: Callable[[str], _Value], *, remedy: str) -> _Value:
    """Raises: UsageError, which ends with the text of the ValueError that `parse` raised."""
    try:
        return parse(text)
    except ValueError as error:
        raise UsageError(f"{flag}: {text!r} {error}", noun=flag, remedy=remedy) from error
