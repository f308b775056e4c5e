"""A command group that imports a command only when it runs or its own help is asked for."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import Any

import typer
from typer._click.shell_completion import CompletionItem
from typer.core import TyperCommand, TyperGroup
from typer.exceptions import TyperException


@dataclass(frozen=True, slots=True)
class Verb:
    """A command: its summary (45 characters at most), and its function as `module:attribute` below deployctl.cli."""

    summary: str
    target: str
    examples: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class VerbGroup:
    """A command with commands of its own, each under the title of its section in the help."""

    summary: str
    sections: Mapping[str, Mapping[str, Verb]]


Sections = Mapping[str, Mapping[str, Verb | VerbGroup]]


class NoSuchCommand(TyperException):
    """`known` are the commands that exist in the group of `ctx`."""

    def __init__(self, name: str, known: list[str], ctx: Any) -> None:
        super().__init__(f"No such command: {name}")
        self.name = name
        self.known = known
        self.ctx = ctx


class VerbCommand(TyperCommand):
    """A command whose help lists options by section, and ends with examples."""

    def format_options(self, ctx: Any, formatter: Any) -> None:
        write_options(self, ctx, formatter)

    def format_epilog(self, ctx: Any, formatter: Any) -> None:
        if self.epilog:
            with formatter.section("Examples"):
                formatter.write_text(f"\b\n{self.epilog}")


class LazyGroup(TyperGroup):
    sections: Sections

    def list_commands(self, ctx: Any) -> list[str]:
        return [name for name, _ in self._entries()]

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        entry = dict(self._entries()).get(cmd_name)
        return None if entry is None else _load(cmd_name, entry)

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        known = self.list_commands(ctx)
        if args[0] not in known and not args[0].startswith("-") and not ctx.resilient_parsing:
            raise NoSuchCommand(args[0], known, ctx)
        return super().resolve_command(ctx, args)

    def shell_complete(self, ctx: Any, incomplete: str) -> list[CompletionItem]:
        names = [
            CompletionItem(name, help=entry.summary)
            for name, entry in self._entries()
            if name.startswith(incomplete)
        ]
        return names + super(TyperGroup, self).shell_complete(ctx, incomplete)

    def format_options(self, ctx: Any, formatter: Any) -> None:
        width = max(len(name) for name, _ in self._entries())
        for title, entries in self.sections.items():
            with formatter.section(title):
                formatter.write_dl([(name.ljust(width), entry.summary) for name, entry in entries.items()])
        write_options(self, ctx, formatter)

    def _entries(self) -> Iterator[tuple[str, Verb | VerbGroup]]:
        for entries in self.sections.values():
            yield from entries.items()


def write_options(command: Any, ctx: Any, formatter: Any) -> None:
    """Arguments first, then each section of options; --help stands in the last one."""
    sections: dict[str, list[tuple[str, str]]] = {}
    last = "Options"
    for parameter in command.get_params(ctx):
        is_argument = parameter.param_type_name == "argument"
        if not is_argument and "--help" not in parameter.opts:
            last = parameter.rich_help_panel or "Options"
        record = parameter.get_help_record(ctx)
        if record is not None:
            sections.setdefault("Arguments" if is_argument else last, []).append(record)
    for title, records in sections.items():
        with formatter.section(title):
            formatter.write_dl(records)


def _load(name: str, entry: Verb | VerbGroup) -> Any:
    if isinstance(entry, VerbGroup):
        group = LazyGroup(name=name, help=f"{entry.summary}.", no_args_is_help=True, rich_markup_mode=None)
        group.sections = entry.sections
        return group
    module, _, attribute = entry.target.partition(":")
    single = typer.Typer(add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False)
    single.command(name, cls=VerbCommand, epilog="\n".join(entry.examples))(
        getattr(import_module(f"deployctl.cli.{module}"), attribute)
    )
    return typer.main.get_command(single)
