"""Checks of single values that several sections of appspec.yml share."""

import difflib
from collections.abc import Iterator, Sequence

import yaml

from deployctl.build import lint_refusals as refusals
from deployctl.build.appspec import NAME
from deployctl.build.lint_findings import ONLY_V1, Finding, error, warning
from deployctl.build.yaml_nodes import line_of, pairs, ruby_is_nil, ruby_value, text_of


def unknown_keys(node: yaml.Node, known: Sequence[str]) -> Iterator[Finding]:
    for name, (key, _) in pairs(node).items():
        if name not in known:
            message = f"unknown key {name!r} is ignored"
            yield warning(NAME, message, nearest(name, known), line_of(key))


def nearest(name: str, known: Sequence[str]) -> str:
    near = difflib.get_close_matches(name, known, n=1)
    return f"did you mean {near[0]!r}?" if near else f"allowed: {', '.join(known)}"


def not_a_list(
    node: yaml.Node, what: str, fix: str, method: str, *, of: str = "", line: int | None = None
) -> Iterator[Finding]:
    """The finding for a value that should be a list. Agent v1 takes an empty map for an empty list."""
    line = line or line_of(node)
    if isinstance(node, yaml.SequenceNode):
        return
    if isinstance(node, yaml.MappingNode) and not node.value:
        yield warning(NAME, f"{what} is an empty map, not a list", fix, line, fails_on_v2=True)
    elif ruby_is_nil(node):
        # Agent v2 takes no value at all for an empty list, but not a written null.
        yield warning(NAME, f"{what} is empty", fix, line, fails_on_v2=bool(text_of(node)))
    else:
        refusal = refusals.undefined_method(method, described(node))
        message = f"{what} is not a list{f' of {of}' if of else ''}"
        yield error(NAME, message, fix, line, refusal=refusal)


def described(node: yaml.Node) -> str:
    if isinstance(node, yaml.ScalarNode):
        return f'"{text_of(node)}":String'
    first = next(iter(pairs(node).items()), None)
    return f'["{first[0]}", "{text_of(first[1][1])}"]:Array' if first else "nil:NilClass"


def path_or_name(key: str, node: yaml.Node | None) -> Iterator[Finding]:
    """Agent v1 takes the value for a path or a user, and that must be text: write a folder "2024"."""
    if node is None or ruby_is_nil(node):
        return
    if not isinstance(node, yaml.ScalarNode):
        refusal = refusals.not_text("Array" if isinstance(node, yaml.SequenceNode) else "Hash")
        yield error(NAME, f"{key} is not text", f"write `{key}: …`", line_of(node), refusal=refusal)
        return
    value = ruby_value(node)
    if isinstance(value, bool | int | float):
        kind = "true" if isinstance(value, bool) else "Float" if isinstance(value, float) else "Integer"
        message = f"{key} {text_of(node)} is a number or a truth value, not text"
        refusal = refusals.not_text(kind)
        yield error(NAME, message, "put it in quotes", line_of(node), refusal=refusal, fails_on=ONLY_V1)
