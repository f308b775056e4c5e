"""YAML nodes with lines, and their values as the two CodeDeploy agents read them.

Agent v1 reads YAML with Ruby's Psych, agent v2 with Rust's serde_yaml 0.9. A plain load would drop duplicates,
quotes and lines. Sources: ruby/psych, scalar_scanner.rb; dtolnay/serde-yaml, de.rs.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from typing import Final

import yaml

from deployctl.errors import UsageError

_NULL: Final = re.compile(r"|~|null", re.IGNORECASE)
_TRUE: Final = re.compile(r"yes|true|on", re.IGNORECASE)
_FALSE: Final = re.compile(r"no|false|off", re.IGNORECASE)
_DECIMAL: Final = re.compile(r"[-+]?(?:0|[1-9](?:[0-9]|[,_](?=[0-9]))*)")
_OCTAL: Final = re.compile(r"[-+]?0[0-7_,]+")
_HEX: Final = re.compile(r"[-+]?0x[0-9a-fA-F_,]+")
_BINARY: Final = re.compile(r"[-+]?0b[01_,]+")
_BASE_60: Final = re.compile(r"[-+]?[0-9][0-9_]*(?::[0-5]?[0-9]){1,2}")
_FLOAT: Final = re.compile(r"[-+]?(?:[0-9][0-9_,]*)?\.[0-9]*(?:[eE][-+][0-9]+)?")
_SYMBOL: Final = re.compile(r":.+")
_DATE: Final = re.compile(r"([0-9]{4})-(1[012]|0?[0-9])-(3[01]|[012]?[0-9])")
_TIME: Final = re.compile(
    r"-?[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}(?:[Tt]|\s+)[0-9]{1,2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]*)?"
    r"(?:\s*(?:Z|[-+][0-9]{1,2}:?(?:[0-9]{2})?))?"
)
_RUST_NULL: Final = re.compile(r"|~|null|Null|NULL")
_RUST_UNSIGNED: Final = re.compile(r"\+?(?:0|[1-9][0-9]*|0x[0-9a-fA-F]+|0o[0-7]+|0b[01]+)")
_RUST_BOOLEAN: Final = re.compile(r"true|True|TRUE|false|False|FALSE")


class YamlUnreadable(UsageError, code="yaml-unreadable"):
    """A YAML file cannot be parsed. Remedy: correct the line that the message names."""

    def __init__(self, message: str, line: int | None) -> None:
        super().__init__(f"this is not YAML: {message}")
        self.line = line


@dataclass(frozen=True, slots=True)
class RubyClass:
    """A value of a class that agent v1 refuses to load: Date, Time or Symbol."""

    name: str


RubyValue = None | bool | int | float | str | RubyClass


def compose(text: str) -> yaml.Node | None:
    """The root of the first document. Raises: YamlUnreadable."""
    try:
        loader = yaml.SafeLoader(text)
        root = loader.get_node() if loader.check_node() else None
        loader.dispose()
    except yaml.MarkedYAMLError as problem:
        mark = problem.problem_mark or problem.context_mark
        raise YamlUnreadable(problem.problem or str(problem), mark.line + 1 if mark else None) from problem
    except (yaml.YAMLError, RecursionError) as problem:
        raise YamlUnreadable(str(problem).splitlines()[0], None) from problem
    return root


def line_of(node: yaml.Node) -> int:
    return int(node.start_mark.line) + 1


def pairs(node: yaml.Node | None) -> dict[str, tuple[yaml.Node, yaml.Node]]:
    """A map's keys and values by the key's text; the last duplicate counts, as for agent v1."""
    if not isinstance(node, yaml.MappingNode):
        return {}
    return {str(key.value): (key, value) for key, value in node.value if isinstance(key, yaml.ScalarNode)}


def child(node: yaml.Node | None, key: str) -> yaml.Node | None:
    return pairs(node)[key][1] if key in pairs(node) else None


def items(node: yaml.Node | None) -> list[yaml.Node]:
    return list(node.value) if isinstance(node, yaml.SequenceNode) else []


def text_of(node: yaml.Node | None) -> str:
    """A scalar's text, empty for anything else."""
    return str(node.value) if isinstance(node, yaml.ScalarNode) else ""


def is_plain(node: yaml.Node | None) -> bool:
    """Whether the scalar has no quotes."""
    return isinstance(node, yaml.ScalarNode) and node.style is None


def ruby_is_nil(node: yaml.Node) -> bool:
    """Whether agent v1 reads the value as missing."""
    return isinstance(node, yaml.ScalarNode) and ruby_value(node) is None


def ruby_value(node: yaml.Node) -> RubyValue:
    """A scalar's value for agent v1."""
    text = text_of(node)
    if not is_plain(node):
        return text
    if _NULL.fullmatch(text):
        return None
    if _TRUE.fullmatch(text) or _FALSE.fullmatch(text):
        return _TRUE.fullmatch(text) is not None
    name = _refused_class(text)
    return RubyClass(name) if name else _number(text)


def _refused_class(text: str) -> str | None:
    if _SYMBOL.fullmatch(text):
        return "Symbol"
    if _TIME.fullmatch(text):
        return "Time"
    found = _DATE.fullmatch(text)
    if found is None:
        return None
    try:
        date(*(int(part) for part in found.groups()))
    except ValueError:  # Ruby leaves a day that no calendar has as text.
        return None
    return "Date"


def _number(text: str) -> int | float | str:
    """The number, or the text if it is none."""
    digits = text.replace(",", "").replace("_", "")
    for pattern, base in ((_DECIMAL, 10), (_OCTAL, 8), (_HEX, 16), (_BINARY, 2)):
        if pattern.fullmatch(text):
            return int(digits, base)
    if _BASE_60.fullmatch(text):
        units = (3600, 60, 1)
        return sum(int(part) * unit for part, unit in zip(digits.split(":"), units, strict=False))
    if _FLOAT.fullmatch(text) and digits.lstrip("+-") != ".":
        return float(digits)
    return text


def ruby_text(value: RubyValue) -> str:
    """A value as Ruby's `to_s` writes it."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    return value.name if isinstance(value, RubyClass) else str(value)


def refused_classes(node: yaml.Node) -> Iterator[tuple[str, int]]:
    """The class and line of each value that agent v1 refuses to load, anywhere below `node`."""
    if isinstance(node, yaml.ScalarNode):
        value = ruby_value(node)
        if isinstance(value, RubyClass):
            yield value.name, line_of(node)
    elif isinstance(node, yaml.MappingNode):
        for key, value_node in node.value:
            yield from refused_classes(key)
            yield from refused_classes(value_node)
    for item in items(node):
        yield from refused_classes(item)


def is_rust_null(node: yaml.Node | None) -> bool:
    """Whether agent v2 reads an optional value as missing."""
    return node is None or (is_plain(node) and _RUST_NULL.fullmatch(text_of(node)) is not None)


def is_rust_seconds(node: yaml.Node) -> bool:
    """Whether agent v2 reads the value as an unsigned number of 32 bits above 0."""
    text = text_of(node)
    if not is_plain(node) or not _RUST_UNSIGNED.fullmatch(text):
        return False
    return 0 < int(text, 0) < 1 << 32


def is_rust_boolean(node: yaml.Node) -> bool:
    return is_plain(node) and _RUST_BOOLEAN.fullmatch(text_of(node)) is not None


def duplicates(node: yaml.Node, above: str = "") -> Iterator[tuple[str, str, int, int]]:
    """The map's name, the key, its line and the line of the earlier one, for each duplicate key below `node`."""
    if isinstance(node, yaml.MappingNode):
        seen: dict[str, int] = {}
        for key, value in node.value:
            name = str(key.value)
            if name in seen:
                yield above, name, line_of(key), seen[name]
            seen[name] = line_of(key)
            yield from duplicates(value, name)
    for item in items(node):
        yield from duplicates(item, above)


def aliases(text: str) -> Iterator[tuple[str, int]]:
    """The name and line of each alias in the first document."""
    for event in _events(text, documents=1):
        if isinstance(event, yaml.AliasEvent):
            yield str(event.anchor), _line_of_event(event)


def second_document(text: str) -> int | None:
    """The line where a second document starts; None if there is only one."""
    starts = [e for e in _events(text, documents=2) if isinstance(e, yaml.DocumentStartEvent)]
    return _line_of_event(starts[1]) if len(starts) > 1 else None


def _line_of_event(event: yaml.Event) -> int:
    return event.start_mark.line + 1 if event.start_mark else 1


def _events(text: str, *, documents: int) -> Iterator[yaml.Event]:
    """The events of the first documents, as far as they can be parsed."""
    started = 0
    try:
        for event in yaml.parse(text, Loader=yaml.SafeLoader):
            started += isinstance(event, yaml.DocumentStartEvent)
            if started > documents:
                return
            yield event
            if started == documents > 1:
                return
    except yaml.YAMLError:
        return
