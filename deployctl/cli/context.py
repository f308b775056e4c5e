"""What holds for every command, however it was said."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from deployctl.config.find import ConfigurationNotFound, find_file

if TYPE_CHECKING:
    from deployctl.config.settings import Settings
    from deployctl.flows.init import DiscoverySource


@dataclass(frozen=True, slots=True, kw_only=True)
class CliContext:
    """The options that every command has; the app puts one at the root context's `obj`.

    `has_terminal` says whether someone could answer; `discovery` opens a view of the account for `init`,
    None where there is none.
    """

    config_path: Path | None = None
    json: bool = False
    quiet: bool = False
    no_input: bool = False
    yes: bool = False
    environment: Mapping[str, str] = field(default_factory=lambda: os.environ)
    has_terminal: bool = field(default_factory=lambda: sys.stdin.isatty())  # noqa: PLW0108 - None until main has opened it
    discovery: DiscoverySource | None = None

    @property
    def may_ask(self) -> bool:
        """Whether there is anyone to answer a question."""
        return self.has_terminal and not (self.no_input or self.json or self.environment.get("CI"))

    def settings(self, flags: Mapping[str, str | None] | None = None) -> Settings:
        """The configuration that holds here, `flags` by key (`region`, `strategy`, …) winning over it.

        Raises: ConfigurationNotFound, ConfigurationUnreadable, InvalidToml, InvalidConfiguration.
        """
        from deployctl.config.load import load_settings  # noqa: PLC0415 - --help does without it

        start = working_directory()
        path = find_file(start, self.environment, self.config_path)
        return load_settings(path, environment=self.environment, flags=flags or {}, start=start)


def cli_context(
    ctx: typer.Context,
    *,
    config_path: Path | None = None,
    json: bool = False,
    quiet: bool = False,
    no_input: bool = False,
    yes: bool = False,
) -> CliContext:
    """What holds for this command: said before its name or after it, it is the same."""
    said = ctx.find_root().obj
    before = said if isinstance(said, CliContext) else CliContext()
    return replace(
        before,
        config_path=config_path or before.config_path,
        json=json or before.json,
        quiet=quiet or before.quiet,
        no_input=no_input or before.no_input,
        yes=yes or before.yes,
    )


def working_directory() -> Path:
    """Raises: ConfigurationNotFound where the directory that one stands in is gone."""
    try:
        return Path.cwd()
    except OSError as error:
        raise ConfigurationNotFound(
            "the current directory is gone", noun="current directory", remedy="cd to an existing directory"
        ) from error
