"""`release --dry-run --out FILE` and `release --plan FILE`: what they take, and what goes with them."""

from __future__ import annotations

import shlex
from collections.abc import Collection
from pathlib import Path
from typing import Annotated, Final

import typer

from deployctl.errors import UsageError

OutPath = Annotated[
    Path | None,
    typer.Option("--out", metavar="FILE", help="With --dry-run: save the plan there, for --plan."),
]
PlanPath = Annotated[
    Path | None,
    typer.Option(
        "--plan",
        metavar="FILE",
        help="Carry out exactly the plan in this file, or nothing should the fleet have changed. Takes no VERSION.",
    ),
]

#: What may stand beside --plan: how it is watched and told, and never what is done.
_BESIDE: Final = frozenset(
    {
        "plan", "dry_run", "timeout", "wait_for_lock", "wait_for_group",
        "config", "json", "quiet", "no_input", "yes",
    }
)  # fmt: skip


def reject_conflicting_options(
    ctx: typer.Context, *, version: str | None, plan: Path | None, out: Path | None
) -> None:
    """Raises: UsageError for options that cannot be meant together."""
    if plan is not None:
        _refuse_beside_plan(ctx, plan, _BESIDE)
    elif version is None:
        raise UsageError(
            "missing argument 'VERSION'",
            noun=ctx.command_path,
            remedy=f"{ctx.command_path} VERSION, or {ctx.command_path} --plan FILE",
        )
    if out is not None and not ctx.params.get("dry_run"):
        raise UsageError(
            "--out saves the plan of a dry run",
            noun="--out",
            remedy=f"{ctx.command_path} {version} --dry-run --out {shlex.quote(str(out))}",
        )


def _refuse_beside_plan(ctx: typer.Context, plan: Path, allowed: Collection[str]) -> None:
    for parameter in ctx.command.params:
        name = parameter.name or ""
        source = ctx.get_parameter_source(name)
        if source is not None and source.name == "COMMANDLINE" and name not in allowed:
            option = parameter.opts[0] if parameter.param_type_name == "option" else name.upper()
            raise UsageError(
                f"{option} and --plan cannot be meant together: the plan says what is done",
                noun=option,
                remedy=f"{ctx.command_path} --plan {shlex.quote(str(plan))}",
            )


def saved_line(out: Path) -> str:
    return f"the plan is in {out}; carry it out: deployctl release --plan {shlex.quote(str(out))}"
