"""What appspec.yml says, as CodeDeploy agent v1 reads it."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

import yaml

from deployctl.build.yaml_nodes import (
    RubyClass,
    child,
    items,
    line_of,
    pairs,
    ruby_is_nil,
    ruby_text,
    ruby_value,
)

NAME = "appspec.yml"
DEFAULT_TIMEOUT_S = 3600
MAX_EVENT_S = 3600
OBJECT_TYPES = ("file", "directory")
ANY_PATTERN = "**"
_LEADING_INTEGER = re.compile(r"\s*([-+]?[0-9](?:_?[0-9])*)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Script:
    """One script of a hook. `timeout_s` is what the agent reads: `5m` is 5; None if not given."""

    event: str
    location: str
    timeout_s: int | None
    line: int
    runas: str | None = None

    @property
    def limit_s(self) -> int:
        """The time limit, CodeDeploy's own if none is given."""
        return DEFAULT_TIMEOUT_S if self.timeout_s is None else self.timeout_s


@dataclass(frozen=True, slots=True, kw_only=True)
class Mapping:
    """One entry of `files`."""

    source: str
    destination: str
    line: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Permission:
    """One entry of `permissions`: which of the installed files and folders it sets something on."""

    object: str
    pattern: str
    excepts: tuple[str, ...]
    types: tuple[str, ...]
    default_acl: bool
    line: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Appspec:
    scripts: tuple[Script, ...] = ()
    mappings: tuple[Mapping, ...] = ()
    permissions: tuple[Permission, ...] = ()


def longest_hook_s(appspec: Appspec) -> int:
    """The time limit of the slowest lifecycle event: the sum over its scripts, at most 3600 s; 0 without hooks.

    A script without a limit has CodeDeploy's default, 3600 s.
    """
    by_event: dict[str, int] = {}
    for script in appspec.scripts:
        by_event[script.event] = min(by_event.get(script.event, 0) + script.limit_s, MAX_EVENT_S)
    return max(by_event.values(), default=0)


def read(root: yaml.MappingNode) -> Appspec:
    """Everything that can be read; entries that the agent refuses may be missing or incomplete."""
    return Appspec(
        scripts=tuple(_scripts(child(root, "hooks"))),
        mappings=tuple(_mapping(item) for item in items(child(root, "files"))),
        permissions=tuple(_permission(item) for item in items(child(root, "permissions"))),
    )


def value_text(node: yaml.Node | None) -> str:
    """A scalar as the agent's text; empty for anything else."""
    return ruby_text(ruby_value(node)) if isinstance(node, yaml.ScalarNode) else ""


def seconds_of(node: yaml.Node) -> int:
    """A timeout as Ruby's `to_i` reads it; 0 or less is refused."""
    value = ruby_value(node) if isinstance(node, yaml.ScalarNode) else None
    if value is None or isinstance(value, bool | RubyClass):
        return 0
    if isinstance(value, str):
        leading = _LEADING_INTEGER.match(value)
        return int(leading[1]) if leading else 0
    return int(value)


def timeout_s(node: yaml.Node | None) -> int | None:
    """None if not given or refused."""
    if node is None or ruby_is_nil(node):
        return None
    seconds = seconds_of(node)
    return seconds if seconds > 0 else None


def _scripts(hooks: yaml.Node | None) -> Iterator[Script]:
    for event, (_, listed) in pairs(hooks).items():
        for item in items(listed):
            location = value_text(child(item, "location")).strip()
            if location:
                runas = child(item, "runas")
                yield Script(
                    event=event,
                    location=location,
                    timeout_s=timeout_s(child(item, "timeout")),
                    line=line_of(item),
                    runas=None if runas is None or ruby_is_nil(runas) else value_text(runas).strip(),
                )


def _mapping(item: yaml.Node) -> Mapping:
    source, destination = value_text(child(item, "source")), value_text(child(item, "destination"))
    return Mapping(source=source, destination=destination, line=line_of(item))


def _permission(item: yaml.Node) -> Permission:
    pattern, types = child(item, "pattern"), child(item, "type")
    acls = [value_text(entry) for entry in items(child(item, "acls"))]
    return Permission(
        object=value_text(child(item, "object")).strip(),
        pattern=ANY_PATTERN if pattern is None or ruby_is_nil(pattern) else value_text(pattern),
        excepts=tuple(value_text(entry) for entry in items(child(item, "except"))),
        types=OBJECT_TYPES
        if types is None or ruby_is_nil(types)
        else tuple(value_text(entry) for entry in items(types)),
        default_acl=any(entry.startswith(("d:", "default:")) for entry in acls),
        line=line_of(item),
    )
