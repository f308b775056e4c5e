"""A composite alarm's rule: the states of other alarms that make it fire. No I/O.

Source: CloudWatch API model, PutCompositeAlarm.
"""

import ast
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

_TOKEN: Final = re.compile(
    r"\s*(?:"
    r'(?P<state>ALARM|OK|INSUFFICIENT_DATA)\s*\(\s*(?:"(?P<quoted>[^"]+)"|(?P<bare>[^")(]+?))\s*\)'
    r"|(?P<word>AND|OR|NOT|TRUE|FALSE)(?![\w(])"
    r"|(?P<paren>[()])"
    r")\s*",
    re.IGNORECASE,
)
_PYTHON: Final = {"AND": "and", "OR": "or", "NOT": "not", "TRUE": "True", "FALSE": "False"}
_ALLOWED: Final = (
    ast.BoolOp, ast.And, ast.Or, ast.UnaryOp, ast.Not, ast.Constant, ast.Name, ast.Load,
)  # fmt: skip


class BadRule(ValueError):
    """The text is not a valid rule; the message names the mistake."""


@dataclass(frozen=True, slots=True)
class Rule:
    """`tests` are (state, alarm's name), and `tree` has the name `_0` for the first of them."""

    tree: ast.expr
    tests: tuple[tuple[str, str], ...]

    @property
    def children(self) -> frozenset[str]:
        return frozenset(name for _, name in self.tests)

    def fires(self, states: Mapping[str, str]) -> bool:
        """Whether the rule fires, given each alarm's state by name."""
        return self._value(self.tree, states)

    def _value(self, node: ast.expr, states: Mapping[str, str]) -> bool:
        if isinstance(node, ast.BoolOp):
            values = (self._value(each, states) for each in node.values)
            return all(values) if isinstance(node.op, ast.And) else any(values)
        if isinstance(node, ast.UnaryOp):
            return not self._value(node.operand, states)
        if isinstance(node, ast.Name):
            state, name = self.tests[int(node.id[1:])]
            return states.get(name) == state
        return bool(isinstance(node, ast.Constant) and node.value)


def parse_rule(text: str) -> Rule:
    """NOT binds before AND, AND before OR, as Python's operators do. Raises: BadRule."""
    words: list[str] = []
    tests: list[tuple[str, str]] = []
    at = 0
    while at < len(text):
        match = _TOKEN.match(text, at)
        if match is None:
            raise BadRule(f"{text[at : at + 40]!r} cannot be read")
        if match["state"]:
            words.append(f"_{len(tests)}")
            name = match["quoted"] or match["bare"]
            tests.append((match["state"].upper(), name.rpartition(":alarm:")[2]))
        else:
            words.append(_PYTHON.get((match["word"] or "").upper(), match["paren"]))
        at = match.end()
    try:
        tree = ast.parse(" ".join(words), mode="eval").body
    except SyntaxError as error:
        raise BadRule("an operator or a parenthesis is missing or not expected") from error
    if not all(isinstance(node, _ALLOWED) for node in ast.walk(tree)):
        raise BadRule("an operator is missing before a parenthesis")
    return Rule(tree, tuple(tests))
