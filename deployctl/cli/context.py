"""What every command needs to know: the common options, the environment, and how to reach AWS."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from deployctl.config.find import ConfigurationNotFound, find_file

if TYPE_CHECKING:
    from deployctl.config.settings import Settings
    from deployctl.flows.init import Discovery
    from deployctl.ports import Ports


def discover() -> Discovery:
    """The account, for `init` to suggest values from."""
    from deployctl.wiring import discover as run

    return run()


@dataclass(frozen=True, slots=True, kw_only=True)
class CliContext:
    """The options that every command has, before its name or after it.

    `has_terminal`: someone could answer a question. `discovery` is None where `init` must not ask AWS.
    """

    config_path: Path | None = None
    json: bool = False
    quiet: bool = False
    no_input: bool = False
    yes: bool = False
    environment: Mapping[str, str] = field(default_factory=lambda: os.environ)
    has_terminal: bool = field(default_factory=lambda: sys.stdin.isatty())  # noqa: PLW0108 - None until main has opened it
    discovery: Callable[[], Discovery] | None = discover

    @property
    def may_ask(self) -> bool:
        return self.has_terminal and not (self.no_input or self.json or self.environment.get("CI"))

    @property
    def actor(self) -> str:
        """The person who started the CI job, else the user of this host."""
        from deployctl.flows.identity import actor

        return actor(self.environment)

    def settings(self, flags: Mapping[str, str | None] | None = None) -> Settings:
        """The configuration in effect; `flags` by key (`region`, `strategy`, …) win over the file.

        Raises: ConfigurationNotFound, ConfigurationUnreadable, InvalidToml, InvalidConfiguration.
        """
        from deployctl.config.load import load_settings

        start = working_directory()
        path = find_file(start, self.environment, self.config_path)
        return load_settings(path, environment=self.environment, flags=flags or {}, start=start)

    def open(self, flags: Mapping[str, str | None] | None = None) -> tuple[Settings, Ports]:
        """The configuration in effect, and the ports onto its account. Raises: what `settings` raises."""
        settings = self.settings(flags)
        return settings, self.connect(settings)

    def connect(self, settings: Settings, *, watches: bool = False) -> Ports:
        """The ports onto the account of the settings. A verb's --help needs none, and boto3 takes long to import."""
        from deployctl.wiring import connect

        return connect(settings, watches=watches, warn=_warn)


def _warn(text: str) -> None:
    sys.stderr.write(f"warning: {text}\n")


def working_directory() -> Path:
    """Raises: ConfigurationNotFound where the current directory no longer exists."""
    try:
        return Path.cwd()
    except OSError as error:
        raise ConfigurationNotFound(
            "the current directory no longer exists",
            noun="current directory",
            remedy="cd to an existing directory",
        ) from error
