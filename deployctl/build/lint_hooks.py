"""Faults in the hooks of appspec.yml: events, and each script's keys."""

from collections.abc import Iterator

import yaml

from deployctl.build import lint_refusals as refusals
from deployctl.build.appspec import MAX_EVENT_S, NAME, seconds_of, timeout_s, value_text
from deployctl.build.lint_findings import Finding, error, warning
from deployctl.build.lint_values import described, nearest, not_a_list, unknown_keys
from deployctl.build.yaml_nodes import (
    child,
    is_rust_boolean,
    is_rust_null,
    is_rust_seconds,
    items,
    line_of,
    pairs,
    ruby_is_nil,
    ruby_value,
    text_of,
)

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
_SCRIPT_KEYS = ("location", "timeout", "runas", "sudo")


def hook_findings(node: yaml.Node | None) -> Iterator[Finding]:
    if node is None:
        return
    if not isinstance(node, yaml.MappingNode):
        fix = "write such as `ValidateService:` below it"
        if ruby_is_nil(node):
            yield warning(NAME, "hooks is empty", fix, line_of(node), fails_on_v2=bool(text_of(node)))
            return
        message = "hooks is not a map of lifecycle events"
        refusal = refusals.undefined_method("each_pair", described(node))
        yield error(NAME, message, fix, line_of(node), refusal=refusal)
        return
    for event, (key, listed) in pairs(node).items():
        yield from _event_name(event, key)
        yield from _event_scripts(event, key, listed)
        for item in items(listed):
            yield from _script(event, item)
        yield from _event_time(event, key, listed)


def _event_name(event: str, key: yaml.Node) -> Iterator[Finding]:
    if event in _AGENTS_OWN:
        fix = f"use one of {', '.join(EVENTS[:5])}"
        yield warning(NAME, f"{event} is the agent's own; its scripts never run", fix, line_of(key))
    elif event not in EVENTS:
        message = f"unknown lifecycle event {event!r}: its scripts never run"
        yield warning(NAME, message, nearest(event, EVENTS), line_of(key))


def _event_scripts(event: str, key: yaml.Node, listed: yaml.Node) -> Iterator[Finding]:
    fix = "write a list of `- location: …`"
    yield from not_a_list(listed, event, fix, "has_key?", of="scripts", line=line_of(key))
    if isinstance(listed, yaml.SequenceNode) and not listed.value:
        yield warning(NAME, f"{event} has no scripts", fix, line_of(key))


def _script(event: str, item: yaml.Node) -> Iterator[Finding]:
    if not isinstance(item, yaml.MappingNode):
        message = f"a script of {event} is not a map"
        refusal = refusals.undefined_method("has_key?", described(item))
        yield error(NAME, message, "write `- location: …`", line_of(item), refusal=refusal)
        return
    location = child(item, "location")
    if location is None or not value_text(location).strip():
        message = f"a script of {event} has no location"
        yield error(NAME, message, "write `- location: …`", line_of(item), refusal=refusals.no_location())
    yield from _timeout(event, item)
    sudo = child(item, "sudo")
    if sudo is not None and not is_rust_null(sudo) and not is_rust_boolean(sudo):
        does = "does nothing" if ruby_value(sudo) in (None, False) else "uses sudo"
        message = f"sudo {text_of(sudo)!r} is not true or false; agent v1 {does}"
        yield warning(NAME, message, "write `sudo: true`, or leave it out", line_of(sudo), fails_on_v2=True)
    yield from unknown_keys(item, _SCRIPT_KEYS)


def _timeout(event: str, item: yaml.Node) -> Iterator[Finding]:
    node, fix = child(item, "timeout"), "write such as `timeout: 300`"
    if node is None or is_rust_null(node):
        yield warning(
            NAME, f"a script of {event} has no timeout: it may hang for an hour", fix, line_of(item)
        )
        return
    seconds = seconds_of(node)
    problem = f"timeout {text_of(node)!r} is not a whole number of seconds"
    if seconds <= 0:
        yield error(NAME, problem, fix, line_of(node), refusal=refusals.invalid_timeout())
    elif not is_rust_seconds(node):
        message = f"{problem}: agent v1 reads it as {seconds}"
        yield warning(NAME, message, fix, line_of(node), fails_on_v2=True)


def _event_time(event: str, key: yaml.Node, listed: yaml.Node) -> Iterator[Finding]:
    limits = [timeout_s(child(item, "timeout")) for item in items(listed)]
    total_s = sum(limit for limit in limits if limit is not None)
    if total_s > MAX_EVENT_S:
        message = (
            f"the timeouts of {event} add up to {total_s} s; CodeDeploy ends the event at {MAX_EVENT_S} s"
        )
        yield warning(NAME, message, "lower them", line_of(key))
