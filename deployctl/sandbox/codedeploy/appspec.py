"""appspec.yml as the CodeDeploy agent reads it, with the agent's error messages.

Source: aws/aws-codedeploy-agent, application_specification.rb, and the agent v1.8.1 observed.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any, Final

import yaml

DEFAULT_TIMEOUT_S: Final = 3600
_SEXAGESIMAL: Final = re.compile(r"[-+]?[0-9][0-9_]*(:[0-5]?[0-9]){1,2}")
_LEADING_INTEGER: Final = re.compile(r"\s*([-+]?[0-9]+)")


class AppspecError(Exception):
    """The agent refuses the appspec and reports this message at BeforeInstall."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Hook:
    """A script to run at a lifecycle event; `location` is relative to the bundle's root."""

    location: str
    timeout_s: int = DEFAULT_TIMEOUT_S
    runas: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Appspec:
    hooks: dict[str, tuple[Hook, ...]] = field(default_factory=dict)
    sources: tuple[str, ...] = ()


class _RubyLoader(yaml.SafeLoader):
    """YAML as Ruby's Psych takes it where PyYAML differs: `1:30` stays text here and is read below."""


_RubyLoader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:int"]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


def parse(content: bytes) -> Appspec:
    """Read an appspec.

    Raises: AppspecError, with the agent's message.
    """
    text = _text(content)
    try:
        if any(isinstance(event, yaml.AliasEvent) for event in yaml.parse(text, Loader=_RubyLoader)):
            raise AppspecError("Unknown alias in appspec.yml: aliases are not enabled")
        document = yaml.load(text, Loader=_RubyLoader)  # noqa: S506 - a SafeLoader underneath
    except yaml.YAMLError as error:
        raise AppspecError(f"(<unknown>): {' '.join(str(error).split())}") from error
    if not isinstance(document, dict) or not document:
        raise AppspecError(
            "The deployment failed because the application specification file was empty. Make sure your "
            "AppSpec file defines at minimum the 'version' and 'os' properties."
        )
    _check_head(document)
    return Appspec(hooks=_hooks(document.get("hooks") or {}), sources=_sources(document.get("files") or []))


def _text(content: bytes) -> str:
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError as error:
        raise AppspecError(f"invalid byte sequence in UTF-8 ({error.reason})") from error
    if text.startswith("\ufeff"):
        # The mark becomes part of the first key, so the agent does not find that key.
        raise AppspecError(_unsupported_os(""))
    return text


def _unsupported_os(name: object) -> str:
    return (
        "The deployment failed because the application specification file specifies an unsupported operating "
        f'system ({name}). Specify either "linux" or "windows" in the os section of the AppSpec file, and then '
        "try again."
    )


def _check_head(document: dict[Any, Any]) -> None:
    version = document.get("version")
    if not isinstance(version, float) or version != 0.0:
        shown = "" if version is None else version
        raise AppspecError(
            f"The deployment failed because an invalid version value ({shown}) was entered in the application "
            'specification file. Make sure your AppSpec file specifies "0.0" as the version, and then try again.'
        )
    if document.get("os") != "linux":
        raise AppspecError(_unsupported_os(document.get("os") or ""))


def _hooks(hooks: Any) -> dict[str, tuple[Hook, ...]]:
    if not isinstance(hooks, dict):
        raise AppspecError(f"undefined method `each_pair' for {hooks!r}")
    return {str(event): tuple(_hook(script) for script in _list(scripts)) for event, scripts in hooks.items()}


def _list(scripts: Any) -> list[Any]:
    if not isinstance(scripts, list):
        raise AppspecError(f"undefined method `has_key?' for {scripts!r}")
    return scripts


def _hook(script: Any) -> Hook:
    if not isinstance(script, dict):
        raise AppspecError(f"undefined method `has_key?' for {script!r}")
    location = script.get("location")
    if location is None or not str(location).strip():
        raise AppspecError(
            "The deployment failed because the application specification file specifies a script with no "
            "location value. Specify the location in the hooks section of the AppSpec file, and then try again."
        )
    runas = script.get("runas")
    return Hook(
        location=str(location).strip(),
        timeout_s=_timeout_s(script.get("timeout")),
        runas=None if runas is None else str(runas),
    )


def _timeout_s(value: Any) -> int:
    """Seconds, as Ruby's `to_i` reads them: `5m` is 5, `1:30` is 5400."""
    if value is None:
        return DEFAULT_TIMEOUT_S
    if isinstance(value, str) and _SEXAGESIMAL.fullmatch(value):
        seconds = sum(int(part) * unit for part, unit in zip(value.split(":"), (3600, 60, 1), strict=False))
    else:
        leading = _LEADING_INTEGER.match(str(value))
        seconds = int(leading[1]) if leading else 0
    if seconds <= 0:
        raise AppspecError(
            "The deployment failed because an invalid timeout value was provided for a script in the "
            "application specification file. Make corrections in the hooks section of the AppSpec file, and "
            "then try again."
        )
    return seconds


def _sources(files: Any) -> tuple[str, ...]:
    if not isinstance(files, list) or not all(isinstance(entry, dict) for entry in files):
        raise AppspecError(f"undefined method `[]' for {files!r}")
    return tuple(str(entry.get("source") or "") for entry in files)
