"""Option sets: a verb takes dataclasses of options, and typer reads their fields as its options."""

import inspect
from collections.abc import Callable
from copy import copy
from dataclasses import fields, is_dataclass, replace
from functools import wraps
from pathlib import Path
from typing import Annotated, Any, Literal, get_args, get_type_hints

import typer

from deployctl.aws.prompts import forbid_prompts
from deployctl.cli.context import CliContext
from deployctl.cli.options import CommonOptions

Common = Literal["config", "json", "quiet", "no_input", "yes"]


def verb(*common: Common) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Make a function a command: its first parameter is the CliContext, made from the `common` options it takes.

    Each parameter whose type is a dataclass becomes the options in its fields, in the help under its `section`.
    """

    def decorate(function: Callable[..., None]) -> Callable[..., None]:
        _, *own = inspect.signature(function, eval_str=True).parameters.values()
        sets: dict[str, Any] = {each.name: each.annotation for each in own if is_dataclass(each.annotation)}
        parameters = [inspect.Parameter("ctx", _POSITIONAL, annotation=typer.Context)]
        for each in own:
            parameters += _parameters(sets[each.name]) if each.name in sets else [each]
        parameters += [each for each in _parameters(CommonOptions) if each.name in common]

        @wraps(function)
        def run(ctx: typer.Context, **given: Any) -> None:
            context = cli_context(ctx, **{name: given.pop(name) for name in common})
            for name, option_set in sets.items():
                given[name] = option_set(**{each.name: given.pop(each.name) for each in fields(option_set)})
            function(context, **given)

        run.__dict__["__signature__"] = inspect.Signature(sorted(parameters, key=lambda each: each.kind))
        return run

    return decorate


_POSITIONAL = inspect.Parameter.POSITIONAL_OR_KEYWORD


def _parameters(option_set: Any) -> list[inspect.Parameter]:
    hints = get_type_hints(option_set, include_extras=True)
    return [
        inspect.Parameter(
            each.name,
            inspect.Parameter.KEYWORD_ONLY,
            default=each.default,
            annotation=_in_section(hints[each.name], option_set.section),
        )
        for each in fields(option_set)
    ]


def _in_section(hint: Any, section: str) -> Any:
    kind, option = get_args(hint)
    option = copy(option)
    option.rich_help_panel = section
    return Annotated.__class_getitem__((kind, option))  # type: ignore[attr-defined]


def given_options(*option_sets: Any) -> list[str]:
    """The options of these sets that were given on the command line, such as `--strategy`."""
    return [
        "--" + each.name.replace("_", "-")
        for option_set in option_sets
        for each in fields(option_set)
        if getattr(option_set, each.name) != each.default
    ]


def cli_context(ctx: typer.Context, *, config: Path | None = None, **flags: bool) -> CliContext:
    """The common options as given before the command's name or after it."""
    given = ctx.find_root().obj
    before = given if isinstance(given, CliContext) else CliContext()
    set_here: dict[str, Any] = {name: True for name, is_given in flags.items() if is_given}
    context = replace(before, config_path=config or before.config_path, **set_here)
    if context.no_input or not context.has_terminal or context.environment.get("CI"):
        forbid_prompts()
    return context
