"""A composite alarm's rule: which states of which other alarms make it fire. Pure.

Source: CloudWatch API model, PutCompositeAlarm.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

#: Takes the state of each alarm by its name; a name that is missing has none.
Verdict = Callable[[Mapping[str, str]], bool]

_TOKEN: Final = re.compile(
    r"\s*(?:"
    r'(?P<state>ALARM|OK|INSUFFICIENT_DATA)\s*\(\s*(?:"(?P<quoted>[^"]+)"|(?P<bare>[^")(]+?))\s*\)'
    r"|(?P<word>AND|OR|NOT|TRUE|FALSE)(?![\w(])"
    r"|(?P<paren>[()])"
    r")\s*",
    re.IGNORECASE,
)


class BadRule(ValueError):
    """Not a rule; the message says what is wrong with it."""


@dataclass(frozen=True, slots=True)
class Rule:
    """`children` are the names of the alarms that it looks at."""

    fires: Verdict
    children: frozenset[str]


def parse_rule(text: str) -> Rule:
    """NOT binds before AND, AND before OR. Raises: BadRule."""
    parser = _Parser(_tokens(text))
    fires = parser.either()
    if parser.rest:
        raise BadRule(f"{parser.rest[0]} was not expected there")
    return Rule(fires, frozenset(parser.children))


def _tokens(text: str) -> list[str | tuple[str, str]]:
    """Words and parentheses; a function is the state that it asks for and an alarm's name."""
    found: list[str | tuple[str, str]] = []
    at = 0
    while at < len(text):
        match = _TOKEN.match(text, at)
        if match is None:
            raise BadRule(f"{text[at : at + 40]!r} cannot be read")
        if match["state"]:
            name = match["quoted"] or match["bare"]
            found.append((match["state"].upper(), name.rpartition(":alarm:")[2]))
        else:
            found.append((match["word"] or match["paren"]).upper())
        at = match.end()
    return found


class _Parser:
    """Recursive descent; `rest` is what has not been read yet."""

    def __init__(self, tokens: list[str | tuple[str, str]]) -> None:
        self.rest = tokens
        self.children: set[str] = set()

    def either(self) -> Verdict:
        terms = [self._both()]
        while self._takes("OR"):
            terms.append(self._both())
        return lambda states: any(term(states) for term in terms)

    def _both(self) -> Verdict:
        terms = [self._one()]
        while self._takes("AND"):
            terms.append(self._one())
        return lambda states: all(term(states) for term in terms)

    def _one(self) -> Verdict:
        if self._takes("NOT"):
            inner = self._one()
            return lambda states: not inner(states)
        if self._takes("("):
            inner = self.either()
            if not self._takes(")"):
                raise BadRule("a parenthesis is not closed")
            return inner
        if not self.rest:
            raise BadRule("it ends too early")
        token = self.rest.pop(0)
        if isinstance(token, tuple):
            state, name = token
            self.children.add(name)
            return lambda states: states.get(name) == state
        if token not in ("TRUE", "FALSE"):
            raise BadRule(f"{token} was not expected there")
        return lambda _states: token == "TRUE"  # noqa: S105 - a word of the rule

    def _takes(self, word: str) -> bool:
        if self.rest and self.rest[0] == word:
            self.rest.pop(0)
            return True
        return False
