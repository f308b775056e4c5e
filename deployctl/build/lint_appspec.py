"""Every fault in the text of appspec.yml, for the CodeDeploy agents v1 and v2.

Findings come in the order in which agent v1 meets them, so the first refusal is the message that it reports.
Sources: aws/aws-codedeploy-agent, application_specification.rb (v1) and src/application_specification (v2).
"""

import codecs
from collections.abc import Iterator

import yaml

from deployctl.build import lint_refusals as refusals
from deployctl.build.appspec import NAME, Appspec, read, value_text
from deployctl.build.lint_findings import ONLY_V1, Finding, error, warning
from deployctl.build.lint_hooks import hook_findings
from deployctl.build.lint_permissions import permission_findings
from deployctl.build.lint_values import not_a_list, path_or_name, unknown_keys
from deployctl.build.yaml_nodes import (
    RubyClass,
    YamlUnreadable,
    aliases,
    child,
    compose,
    duplicates,
    items,
    line_of,
    pairs,
    refused_classes,
    ruby_is_nil,
    ruby_text,
    ruby_value,
    second_document,
    text_of,
)

_KEYS = ("version", "os", "files", "file_exists_behavior", "permissions", "hooks")
_FILE_KEYS = ("source", "destination")
_BEHAVIORS = ("DISALLOW", "OVERWRITE", "RETAIN")


def parse(content: bytes) -> tuple[Appspec, list[Finding]]:
    """The parsed appspec and its findings, except those about permissions and about the bundle's files."""
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError as problem:
        message = f"byte {problem.start} is not UTF-8"
        return Appspec(), [error(NAME, message, "save it as UTF-8", refusal=refusals.not_utf8())]
    if content.startswith(codecs.BOM_UTF8):
        message = (
            "it starts with a byte-order mark, which the agent reports as an unsupported operating system"
        )
        # The mark becomes part of the first key, so the agent does not find that key.
        refusal = refusals.unsupported_os("")
        return Appspec(), [error(NAME, message, "save it as UTF-8 without BOM", 1, refusal=refusal)]
    try:
        root = compose(text)
    except YamlUnreadable as problem:
        refusal = refusals.not_yaml(problem.message, problem.line)
        return Appspec(), [error(NAME, problem.message, "correct the YAML", problem.line, refusal=refusal)]
    if not isinstance(root, yaml.MappingNode) or not root.value:
        refusal = refusals.empty_appspec()
        return Appspec(), [
            error(NAME, "it is not a map of keys", "start it with `version: 0.0`", 1, refusal=refusal)
        ]
    return read(root), [*_findings(text, root)]


def _findings(text: str, root: yaml.MappingNode) -> Iterator[Finding]:
    top = pairs(root)
    yield from _yaml(text, root)
    yield from _version(top)
    yield from _os(top)
    yield from hook_findings(child(root, "hooks"))
    yield from _files(child(root, "files"))
    yield from permission_findings(child(root, "permissions"))
    yield from _behavior(top)
    yield from unknown_keys(root, _KEYS)
    if "ValidateService" not in pairs(child(root, "hooks")):
        message = "no ValidateService hook: workers launched later cannot tag themselves"
        yield warning(NAME, message, "deployctl init   # writes one")


def _yaml(text: str, root: yaml.MappingNode) -> Iterator[Finding]:
    for name, line in aliases(text):
        message = f"the alias *{name} is refused"
        refusal = refusals.unknown_alias(name)
        yield error(NAME, message, "write the value out", line, refusal=refusal, fails_on=ONLY_V1)
    if any(aliases(text)):
        return  # Through aliases the values may have no end.
    for name, line in refused_classes(root):
        message = f"without quotes the value is a {name.lower()}, which is refused"
        refusal = refusals.unspecified_class(name)
        yield error(NAME, message, "put it in quotes", line, refusal=refusal, fails_on=ONLY_V1)
    for above, name, line, earlier in duplicates(root):
        message = f"key {name!r} was already given in line {earlier}, and only the last one counts"
        # Agent v2 reads `hooks` into a map, and everything else into fields that may be given once.
        yield warning(NAME, message, "keep one of them", line, fails_on_v2=above != "hooks")
    second = second_document(text)
    if second is not None:
        message = "a second YAML document starts here, and it is ignored"
        yield warning(NAME, message, "remove it, with its `---`", second, fails_on_v2=True)


def _version(top: dict[str, tuple[yaml.Node, yaml.Node]]) -> Iterator[Finding]:
    fix = "write `version: 0.0`, without quotes"
    if "version" not in top:
        yield error(NAME, "no version", fix, refusal=refusals.invalid_version(""))
        return
    node = top["version"][1]
    value = ruby_value(node) if isinstance(node, yaml.ScalarNode) else ""
    if isinstance(value, bool | str | RubyClass) or value != 0:
        message = f"version {text_of(node)!r} is not the number 0.0"
        yield error(NAME, message, fix, line_of(node), refusal=refusals.invalid_version(ruby_text(value)))
    elif text_of(node) != "0.0":
        message = f"version {text_of(node)} is taken for 0.0"
        yield warning(NAME, message, "write `version: 0.0`", line_of(node))


def _os(top: dict[str, tuple[yaml.Node, yaml.Node]]) -> Iterator[Finding]:
    fix = "write `os: linux`"
    if "os" not in top:
        yield error(NAME, "no os", fix, refusal=refusals.unsupported_os(""))
        return
    node = top["os"][1]
    if text_of(node) != "linux":
        refusal = refusals.unsupported_os(value_text(node))
        yield error(NAME, f"os {text_of(node)!r} is not linux", fix, line_of(node), refusal=refusal)


def _behavior(top: dict[str, tuple[yaml.Node, yaml.Node]]) -> Iterator[Finding]:
    key = "file_exists_behavior"
    node = top[key][1] if key in top else None
    conflict = "a file that is already there fails Install, after the old files were removed"
    if node is None or ruby_is_nil(node):
        yield warning(NAME, f"no {key}: {conflict}", f"write `{key}: OVERWRITE`")
    elif text_of(node) not in _BEHAVIORS:
        fix = f"one of {', '.join(_BEHAVIORS)}"
        refusal = refusals.invalid_behavior(value_text(node))
        yield error(NAME, f"{key} {text_of(node)!r} is unknown", fix, line_of(node), refusal=refusal)
    elif text_of(node) == "DISALLOW":
        yield warning(NAME, f"{key} DISALLOW: {conflict}", f"write `{key}: OVERWRITE`", line_of(node))


def _files(node: yaml.Node | None) -> Iterator[Finding]:
    if node is None:
        return
    yield from not_a_list(node, "files", "write a list of `- source: …` with `destination: …`", "[]")
    for item in items(node):
        source, destination = child(item, "source"), child(item, "destination")
        line = line_of(item)
        if source is None or ruby_is_nil(source):
            message = "an entry of files has no source"
            yield error(NAME, message, "write `source: …`", line, refusal=refusals.no_source())
        elif not text_of(source):
            message = "an entry of files has an empty source, which is the whole bundle"
            yield warning(NAME, message, "write `source: /`", line, fails_on_v2=True)
        message, fix = "an entry of files has no destination", "write `destination: /a/path`"
        if destination is None or ruby_is_nil(destination):
            yield error(NAME, message, fix, line, refusal=refusals.no_destination(value_text(source)))
        elif not text_of(destination):
            yield error(NAME, message, fix, line, refusal=refusals.unusable_destination("/"))
        for key, value in (("source", source), ("destination", destination)):
            yield from path_or_name(key, value)
        yield from unknown_keys(item, _FILE_KEYS)
