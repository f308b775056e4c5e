"""YAML nodes with lines, as the agent's parser reads them: a plain load would drop duplicates and quotes."""

from __future__ import annotations

from collections.abc import Iterator

import yaml

from deployctl.build.lint_findings import Finding, error
from deployctl.errors import UsageError

FLOAT = "tag:yaml.org,2002:float"


class YamlUnreadable(UsageError, code="yaml-unreadable"):
    """A YAML file cannot be parsed. Remedy: correct the line that the message names."""

    def __init__(self, message: str, line: int | None) -> None:
        super().__init__(f"this is not YAML: {message}")
        self.line = line


def compose(text: str) -> yaml.Node | None:
    """The document's root. Raises: YamlUnreadable."""
    try:
        return yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.MarkedYAMLError as problem:
        mark = problem.problem_mark or problem.context_mark
        raise YamlUnreadable(problem.problem or str(problem), mark.line + 1 if mark else None) from problem
    except (yaml.YAMLError, RecursionError) as problem:
        raise YamlUnreadable(str(problem).splitlines()[0], None) from problem


def line_of(node: yaml.Node) -> int:
    return int(node.start_mark.line) + 1


def pairs(node: yaml.Node) -> dict[str, tuple[yaml.Node, yaml.Node]]:
    """A map's keys and values by the key's text; the last duplicate counts, as for the agent."""
    if not isinstance(node, yaml.MappingNode):
        return {}
    return {str(key.value): (key, value) for key, value in node.value if isinstance(key, yaml.ScalarNode)}


def child(node: yaml.Node, key: str) -> yaml.Node | None:
    return pairs(node)[key][1] if key in pairs(node) else None


def items(node: yaml.Node) -> list[yaml.Node]:
    return list(node.value) if isinstance(node, yaml.SequenceNode) else []


def text_of(node: yaml.Node | None) -> str:
    """A scalar's text, empty for anything else."""
    return str(node.value).strip() if isinstance(node, yaml.ScalarNode) else ""


def is_plain(node: yaml.Node) -> bool:
    """Whether the scalar has no quotes."""
    return isinstance(node, yaml.ScalarNode) and node.style is None


def duplicates(path: str, node: yaml.Node) -> Iterator[Finding]:
    """One finding for each duplicate key, anywhere below `node`."""
    if isinstance(node, yaml.MappingNode):
        seen: dict[str, int] = {}
        for key, value in node.value:
            name = str(key.value)
            if name in seen:
                message = f"key {name!r} was already given in line {seen[name]}, and only the last one counts"
                yield error(path, message, "keep one of them", line_of(key))
            seen[name] = line_of(key)
            yield from duplicates(path, value)
    for item in items(node):
        yield from duplicates(path, item)


def aliases(path: str, text: str) -> Iterator[Finding]:
    for event in yaml.parse(text, Loader=yaml.SafeLoader):
        if isinstance(event, yaml.AliasEvent):
            line = event.start_mark.line + 1 if event.start_mark else None
            message = f"the alias *{event.anchor} is refused by the CodeDeploy agent"
            yield error(path, message, "write the value out", line)
