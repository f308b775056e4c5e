"""Faults in the permissions of appspec.yml. Which files they reach is checked in lint_install.py.

Sources: aws/aws-codedeploy-agent, linux_permission_info.rb, mode_info.rb, ace_info.rb and the same files of agent v2.
"""

import re
from collections.abc import Iterator

import yaml

from deployctl.build import lint_refusals as refusals
from deployctl.build.appspec import NAME, OBJECT_TYPES, value_text
from deployctl.build.lint_findings import BOTH, ONLY_V1, ONLY_V2, Agent, Finding, Refusal, error, warning
from deployctl.build.lint_values import described, not_a_list, path_or_name, unknown_keys
from deployctl.build.yaml_nodes import child, items, line_of, ruby_is_nil, text_of

_KEYS = ("object", "pattern", "except", "type", "owner", "group", "mode", "acls", "context")
_ACE_TYPES = {"u": "user", "g": "group", "m": "mask", "o": "other"}
_ACE_RIGHTS = re.compile(r"[0-7]|[rwx-]*")
_RANGE = re.compile(r"s[0-9]+(?:-s[0-9]+)?(?::c[0-9]+(?:\.c[0-9]+)?(?:,c[0-9]+(?:\.c[0-9]+)?)*)?")


def permission_findings(node: yaml.Node | None) -> Iterator[Finding]:
    if node is None:
        return
    yield from not_a_list(node, "permissions", "write a list of `- object: …`", "has_key?")
    for item in items(node):
        yield from _permission(item)


def _permission(item: yaml.Node) -> Iterator[Finding]:
    fix = "write `object: /a/path`"
    if not isinstance(item, yaml.MappingNode):
        refusal = refusals.undefined_method("has_key?", described(item))
        yield error(NAME, "an entry of permissions is not a map", fix, line_of(item), refusal=refusal)
        return
    if not value_text(child(item, "object")).strip():
        message = "an entry of permissions has no object"
        yield error(NAME, message, fix, line_of(item), refusal=refusals.no_object())
    yield from _list_of_text("except", child(item, "except"))
    yield from _types(child(item, "type"))
    for key in ("owner", "group"):
        yield from path_or_name(key, child(item, key))
    yield from _mode(child(item, "mode"))
    yield from _acls(child(item, "acls"))
    yield from _context(child(item, "context"))
    yield from unknown_keys(item, _KEYS)


def _list_of_text(key: str, node: yaml.Node | None) -> Iterator[Finding]:
    """Agent v1 walks through the value with `each`, which text does not have."""
    if node is not None and not ruby_is_nil(node):
        yield from not_a_list(node, key, f"write a list, such as `{key}: [{text_of(node)}]`", "each")


def _types(node: yaml.Node | None) -> Iterator[Finding]:
    yield from _list_of_text("type", node)
    for entry in items(node):
        if value_text(entry) not in OBJECT_TYPES:
            message = f"type {text_of(entry)!r} is unknown"
            refusal = refusals.invalid_type(value_text(entry))
            yield error(NAME, message, f"one of {', '.join(OBJECT_TYPES)}", line_of(entry), refusal=refusal)


def _mode(node: yaml.Node | None) -> Iterator[Finding]:
    """Agent v1 writes the value that YAML has as text again, so 0644 is "420"; agent v2 takes the text."""
    if node is None or ruby_is_nil(node):
        return
    text, read = text_of(node), value_text(node)
    fix = f'write `mode: "{text}"`' if _mode_refusal(text) is None else 'write such as `mode: "0644"`'
    refusal, refused_by_v2 = _mode_refusal(read), _mode_refusal(text) is not None
    becomes = f", which YAML reads as {read}" if read != text else ""
    if refusal is not None:
        message = f"mode {text} is not octal{becomes}"
        fails_on = BOTH if refused_by_v2 else ONLY_V1
        yield error(NAME, message, fix, line_of(node), refusal=refusal, fails_on=fails_on)
    elif refused_by_v2:
        yield warning(NAME, f"mode {text} is not octal", fix, line_of(node), fails_on_v2=True)
    elif becomes:
        message = f"mode {text} has no quotes{becomes}: agent v1 sets {read.zfill(4)}"
        yield warning(NAME, message, fix, line_of(node))


def _mode_refusal(mode: str) -> Refusal | None:
    padded = mode.zfill(3)
    if len(padded) > 4:
        return refusals.invalid_mode_length(padded)
    wrong = re.search(r"[^0-7]", padded)
    return refusals.invalid_mode_character(padded, wrong[0]) if wrong else None


def _acls(node: yaml.Node | None) -> Iterator[Finding]:
    yield from _list_of_text("acls", node)
    for entry in items(node):
        text = value_text(entry)
        refused = frozenset(agent for agent in Agent if not _is_ace(text, agent))
        message, fix = f"acl {text!r} is not such as user:NAME:rwx", "write `default:`, type, name and rights"
        if Agent.V1 in refused:
            refusal = refusals.invalid_acl(text)
            yield error(NAME, message, fix, line_of(entry), refusal=refusal, fails_on=refused)
        elif refused == ONLY_V2:
            yield warning(NAME, message, fix, line_of(entry), fails_on_v2=True)


def _is_ace(text: str, agent: Agent) -> bool:
    """Whether the agent takes this entry of an access control list: `[default:][type:][name]:rights`."""
    parts = text.split(":")
    is_default = parts[0] in ("d", "default")
    if is_default:
        parts = parts[1:]
    if len(parts) == 2 and agent is Agent.V1:
        # Without a type, the name `mask` or `other` is the type, and anything else a user.
        parts = [parts[0], "", parts[1]] if _kind(parts[0]) in ("mask", "other") else ["user", *parts]
    if len(parts) != 3 or not _ACE_RIGHTS.fullmatch(parts[2]):
        return False
    kind, name = _kind(parts[0]), parts[1]
    if kind in ("mask", "other"):
        return not name and (kind == "mask" or is_default or agent is Agent.V2)
    return kind in ("user", "group") and bool(name or is_default)


def _kind(text: str) -> str:
    return _ACE_TYPES.get(text, text)


def _context(node: yaml.Node | None) -> Iterator[Finding]:
    if node is None or ruby_is_nil(node):
        return
    fix = "write `context:` with `type: …` below it"
    if not value_text(child(node, "type")):
        refusal = refusals.invalid_context(described(node))
        yield error(NAME, "context has no type", fix, line_of(node), refusal=refusal)
    limits = child(node, "range")
    if limits is not None and not ruby_is_nil(limits) and not _RANGE.fullmatch(value_text(limits)):
        message = f"range {text_of(limits)!r} is not such as s0-s1:c0.c5"
        refusal = refusals.invalid_range(value_text(limits))
        yield error(NAME, message, "correct the range", line_of(limits), refusal=refusal)
