"""Reads appspec.yml as the CodeDeploy agent does, and lints it before a deployment fails on it."""

from __future__ import annotations

import codecs
import difflib
import re
from collections.abc import Iterator
from dataclasses import dataclass

import yaml

from deployctl.build.lint_findings import Finding, error, warning
from deployctl.build.yaml_nodes import (
    FLOAT,
    YamlUnreadable,
    aliases,
    child,
    compose,
    duplicates,
    is_plain,
    items,
    line_of,
    pairs,
    text_of,
)

NAME = "appspec.yml"
DEFAULT_TIMEOUT_S = 3600
MAX_EVENT_S = 3600
EVENTS = (
    "ApplicationStop",
    "BeforeInstall",
    "AfterInstall",
    "ApplicationStart",
    "ValidateService",
    "BeforeBlockTraffic",
    "AfterBlockTraffic",
    "BeforeAllowTraffic",
    "AfterAllowTraffic",
)
_AGENTS_OWN = ("DownloadBundle", "Install", "BlockTraffic", "AllowTraffic", "Start", "End")
_KEYS = ("version", "os", "files", "file_exists_behavior", "permissions", "hooks")
_BEHAVIORS = ("DISALLOW", "OVERWRITE", "RETAIN")
_SECONDS = re.compile(r"[1-9][0-9]{0,8}")
_MODE = re.compile(r"[0-7]{3,4}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Script:
    """One script of a hook. `timeout_s` is None if not given."""

    event: str
    location: str
    timeout_s: int | None
    line: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Mapping:
    """One entry of `files`."""

    source: str
    destination: str
    line: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Appspec:
    scripts: tuple[Script, ...] = ()
    mappings: tuple[Mapping, ...] = ()


def longest_hook_s(appspec: Appspec) -> int:
    """The time limit of the slowest lifecycle event: the sum over its scripts, at most 3600 s; 0 without hooks.

    A script without a limit has CodeDeploy's default, 3600 s.
    """
    by_event: dict[str, int] = {}
    for script in appspec.scripts:
        limit_s = DEFAULT_TIMEOUT_S if script.timeout_s is None else script.timeout_s
        by_event[script.event] = min(by_event.get(script.event, 0) + limit_s, MAX_EVENT_S)
    return max(by_event.values(), default=0)


def parse(content: bytes) -> tuple[Appspec, list[Finding]]:
    """The parsed appspec and its findings, ordered by line."""
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError as problem:
        message = f"byte {problem.start} is not UTF-8"
        return Appspec(), [error(NAME, message, "save it as UTF-8")]
    if content.startswith(codecs.BOM_UTF8):
        message = (
            "it starts with a byte-order mark, which the agent reports as an unsupported operating system"
        )
        return Appspec(), [error(NAME, message, "save it as UTF-8 without BOM", 1)]
    try:
        root = compose(text)
    except YamlUnreadable as problem:
        return Appspec(), [error(NAME, problem.message, "correct the YAML", problem.line)]
    if not isinstance(root, yaml.MappingNode):
        return Appspec(), [error(NAME, "it is not a map of keys", "start it with `version: 0.0`", 1)]
    findings = [*_findings(text, root)]
    return _appspec(root), sorted(findings, key=lambda finding: finding.line or 0)


def _appspec(root: yaml.MappingNode) -> Appspec:
    top = pairs(root)
    mappings = tuple(
        Mapping(
            source=text_of(child(item, "source")),
            destination=text_of(child(item, "destination")),
            line=line_of(item),
        )
        for item in items(_value(top, "files"))
    )
    return Appspec(scripts=tuple(_scripts(_value(top, "hooks"))), mappings=mappings)


def _scripts(hooks: yaml.Node) -> Iterator[Script]:
    for event, (_, listed) in pairs(hooks).items():
        for item in items(listed):
            location, timeout_s = text_of(child(item, "location")), _timeout_s(child(item, "timeout"))
            if location:
                yield Script(event=event, location=location, timeout_s=timeout_s, line=line_of(item))


def _timeout_s(node: yaml.Node | None) -> int | None:
    readable = node is not None and is_plain(node) and _SECONDS.fullmatch(text_of(node))
    return int(text_of(node)) if readable else None


def _value(top: dict[str, tuple[yaml.Node, yaml.Node]], key: str) -> yaml.Node:
    """The key's value, or an empty scalar if missing."""
    return top[key][1] if key in top else yaml.ScalarNode("", "")


def _findings(text: str, root: yaml.MappingNode) -> Iterator[Finding]:
    top = pairs(root)
    yield from duplicates(NAME, root)
    yield from aliases(NAME, text)
    yield from _unknown_keys(top)
    yield from _version(top)
    yield from _os(top)
    yield from _behavior(top)
    if "files" in top:
        yield from _files(top["files"][1])
    if "permissions" in top:
        yield from _permissions(top["permissions"][1])
    if "hooks" in top:
        yield from _hooks(top["hooks"][1])
    if "ValidateService" not in pairs(_value(top, "hooks")):
        message = "no ValidateService hook: workers launched later cannot tag themselves"
        yield warning(NAME, message, "deployctl init   # writes one")


def _unknown_keys(top: dict[str, tuple[yaml.Node, yaml.Node]]) -> Iterator[Finding]:
    for name, (key, _) in top.items():
        if name not in _KEYS:
            yield error(NAME, f"unknown key {name!r} is ignored", _nearest(name, _KEYS), line_of(key))


def _nearest(name: str, known: tuple[str, ...]) -> str:
    near = difflib.get_close_matches(name, known, n=1)
    return f"did you mean {near[0]!r}?" if near else f"allowed: {', '.join(known)}"


def _version(top: dict[str, tuple[yaml.Node, yaml.Node]]) -> Iterator[Finding]:
    fix = "write `version: 0.0`, without quotes"
    if "version" not in top:
        yield error(NAME, "no version", fix)
        return
    node = top["version"][1]
    if not is_plain(node) or node.tag != FLOAT or text_of(node) != "0.0":
        yield error(NAME, f"version {text_of(node)!r} is not the number 0.0", fix, line_of(node))


def _os(top: dict[str, tuple[yaml.Node, yaml.Node]]) -> Iterator[Finding]:
    fix = "write `os: linux`"
    if "os" not in top:
        yield error(NAME, "no os", fix)
        return
    node = top["os"][1]
    if text_of(node) != "linux":
        yield error(NAME, f"os {text_of(node)!r} is not linux", fix, line_of(node))


def _behavior(top: dict[str, tuple[yaml.Node, yaml.Node]]) -> Iterator[Finding]:
    key = "file_exists_behavior"
    if key not in top:
        message = f"no {key}: a file that is already there fails Install, after the old files were removed"
        yield warning(NAME, message, f"write `{key}: OVERWRITE`")
        return
    node = top[key][1]
    if text_of(node) not in _BEHAVIORS:
        fix = f"one of {', '.join(_BEHAVIORS)}"
        yield error(NAME, f"{key} {text_of(node)!r} is unknown", fix, line_of(node))


def _files(node: yaml.Node) -> Iterator[Finding]:
    fix = "write a list of `- source: …` with `destination: …`"
    if not isinstance(node, yaml.SequenceNode):
        yield error(NAME, "files is not a list", fix, line_of(node))
        return
    for item in items(node):
        for key in ("source", "destination"):
            if not text_of(pairs(item).get(key, (None, None))[1]):
                yield error(NAME, f"an entry of files has no {key}", fix, line_of(item))


def _permissions(node: yaml.Node) -> Iterator[Finding]:
    if not isinstance(node, yaml.SequenceNode):
        yield error(NAME, "permissions is not a list", "write a list of `- object: …`", line_of(node))
        return
    for item in items(node):
        if not text_of(child(item, "object")):
            message = "an entry of permissions has no object"
            yield error(NAME, message, "write `object: /a/path`", line_of(item))
        mode = child(item, "mode")
        if mode is not None:
            yield from _mode(mode)


def _mode(node: yaml.Node) -> Iterator[Finding]:
    mode = text_of(node)
    if is_plain(node):
        becomes = f", which YAML reads as {int(mode, 8)}" if re.fullmatch("0[0-7]+", mode) else ""
        yield error(NAME, f"mode {mode} has no quotes{becomes}", f'write `mode: "{mode}"`', line_of(node))
    elif not _MODE.fullmatch(mode):
        yield error(NAME, f"mode {mode!r} is not octal", 'write such as `mode: "0644"`', line_of(node))


def _hooks(node: yaml.Node) -> Iterator[Finding]:
    if not isinstance(node, yaml.MappingNode):
        message = "hooks is not a map of lifecycle events"
        yield error(NAME, message, "write such as `ValidateService:` below it", line_of(node))
        return
    for event, (key, listed) in pairs(node).items():
        yield from _event_name(event, key)
        if not isinstance(listed, yaml.SequenceNode):
            fix = "write a list of `- location: …`"
            yield error(NAME, f"{event} is not a list of scripts", fix, line_of(key))
            continue
        for item in items(listed):
            yield from _script(event, item)
        yield from _event_time(event, key, listed)


def _event_name(event: str, key: yaml.Node) -> Iterator[Finding]:
    if event in _AGENTS_OWN:
        fix = f"use one of {', '.join(EVENTS[:5])}"
        yield error(NAME, f"{event} is the agent's own; its scripts never run", fix, line_of(key))
    elif event not in EVENTS:
        message = f"unknown lifecycle event {event!r}: its scripts never run"
        yield error(NAME, message, _nearest(event, EVENTS), line_of(key))


def _script(event: str, item: yaml.Node) -> Iterator[Finding]:
    if not text_of(child(item, "location")):
        yield error(NAME, f"a script of {event} has no location", "write `- location: …`", line_of(item))
    node = child(item, "timeout")
    if node is None:
        message = f"a script of {event} has no timeout: it may hang for an hour"
        yield warning(NAME, message, "write such as `timeout: 300`", line_of(item))
        return
    seconds = _timeout_s(node)
    if seconds is None:
        message = f"timeout {text_of(node)!r} is not a whole number of seconds{_misread(node)}"
        yield error(NAME, message, "write such as `timeout: 300`", line_of(node))


def _misread(node: yaml.Node) -> str:
    """How the agent would read the value."""
    text = text_of(node)
    if not is_plain(node):
        return ""
    if re.fullmatch(r"[0-9]+(:[0-5]?[0-9])+", text):
        total = 0
        for part in text.split(":"):
            total = total * 60 + int(part)
        return f": the agent reads it as {total * (60 if text.count(':') == 1 else 1)}"
    leading = re.match(r"[0-9]+", text)
    return f": the agent reads it as {int(leading[0])}" if leading else ""


def _event_time(event: str, key: yaml.Node, listed: yaml.Node) -> Iterator[Finding]:
    limits = [_timeout_s(child(item, "timeout")) for item in items(listed)]
    total_s = sum(limit for limit in limits if limit is not None)
    if total_s > MAX_EVENT_S:
        message = (
            f"the timeouts of {event} add up to {total_s} s; CodeDeploy ends the event at {MAX_EVENT_S} s"
        )
        yield error(NAME, message, "lower them", line_of(key))
