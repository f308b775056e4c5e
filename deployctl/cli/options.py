"""Options that several commands take, each said once."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

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
