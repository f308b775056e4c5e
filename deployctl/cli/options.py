"""Options that several commands take, each said once."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from deployctl.config.duration import parse_duration_s
from deployctl.errors import UsageError

JsonFlag = Annotated[bool, typer.Option("--json", help="Print JSON for programs on stdout.")]
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
        "--group", "-g", metavar="GLOB", help="Only groups whose names match; may be given several times."
    ),
]
StrategyText = Annotated[
    str | None,
    typer.Option("--strategy", metavar="STRATEGY", help="How many workers may be down: one, half, all, N%."),
]
TimeoutText = Annotated[
    str | None,
    typer.Option("--timeout", metavar="DURATION", help="How long to watch, such as 90s, 45m or 1h30m."),
]
MaxFailedText = Annotated[
    str | None,
    typer.Option("--max-failed", metavar="N|N%", help="How many workers of a group may fail: 2, or 10%."),
]
OnFailureText = Annotated[
    str | None,
    typer.Option(
        "--on-failure", metavar="ACTION", help="Once a wave does not hold: stop, continue, or rollback."
    ),
]
BakeText = Annotated[
    str | None,
    typer.Option("--bake", metavar="DURATION", help="How long to watch each wave before it holds; 0s: not."),
]
ProgressDeadlineText = Annotated[
    str | None,
    typer.Option(
        "--progress-deadline",
        metavar="DURATION",
        help="End a deployment in which no worker has moved for so long; 5m at least.",
    ),
]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Show the plan and change nothing.")]
WaitForLock = Annotated[
    str | None,
    typer.Option(
        "--wait-for-lock",
        metavar="DURATION",
        help="How long to wait while somebody else releases. Default: not at all.",
        show_default=False,
    ),
]
WaitForGroup = Annotated[
    str | None,
    typer.Option(
        "--wait-for-group",
        metavar="DURATION",
        help="How long to wait for a group that another deployment holds. Default: 15m.",
        show_default=False,
    ),
]
ReleaseArgument = Annotated[
    str | None,
    typer.Argument(
        metavar="[RELEASE]",
        help="Its id or version, to be sure that it is the one you mean.",
        show_default=False,
    ),
]


def duration_s(flag: str, text: str | None) -> int | None:
    """The seconds of a duration that a flag gives; None where it is not given. Raises: UsageError."""
    if text is None:
        return None
    try:
        return parse_duration_s(text)
    except ValueError as error:
        raise UsageError(
            f"{flag}: {text!r} {error}", noun=flag, remedy="use a duration such as 15s or 1m"
        ) from error
