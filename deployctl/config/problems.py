"""The problems of a configuration, each with its place; one error lists them all."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from difflib import get_close_matches

from deployctl.config.toml_positions import KeyPath
from deployctl.errors import UsageError

_SHOWN_CHARS = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """`where` is `deployctl.toml:3:1`, a variable or a flag; `key` is its subject; `hint` says what to do."""

    where: str
    key: str
    message: str
    hint: str

    def __str__(self) -> str:
        return f"{self.where}: {self.message}; {self.hint}"


class InvalidConfiguration(UsageError, code="configuration-invalid"):
    """One or more configuration values are invalid.

    Remedy: correct the values, then: deployctl config check.
    """

    def __init__(self, problems: Sequence[Problem]) -> None:
        first = problems[0]
        if len(problems) == 1:
            super().__init__(f"{first.where}: {first.message}", noun=first.key, remedy=first.hint)
        else:
            super().__init__(
                f"the configuration has {len(problems)} errors",
                noun=first.key,
                remedy="correct each error, then: deployctl config check",
                details=tuple(str(problem) for problem in problems),
            )
        self.problems = tuple(problems)


def nearest(word: str, words: Iterable[str], *, likeness: float = 0.6) -> str | None:
    """The most similar of `words`, if any; `likeness` is difflib's ratio, 0 to 1."""
    return next(iter(get_close_matches(word, sorted(words), n=1, cutoff=likeness)), None)


def key_text(path: KeyPath) -> str:
    """The key as text: `build.command`, `groups[1].match`."""
    text = ""
    for part in path:
        if isinstance(part, int):
            text += f"[{part}]"
        else:
            bare = part if re.fullmatch(r"[A-Za-z0-9_-]+", part) else repr(part)
            text += f".{bare}" if text else bare
    return text


def value_text(value: object) -> str:
    """A TOML value with the name of its type, cut to one short line."""
    names = {bool: "boolean", int: "integer", float: "float", str: "string", list: "array", dict: "table"}
    shown = str(value).lower() if isinstance(value, bool) else repr(value)
    if len(shown) > _SHOWN_CHARS:
        shown = shown[:_SHOWN_CHARS] + "…"
    return f"the {names.get(type(value), 'date or time')} {shown}"
