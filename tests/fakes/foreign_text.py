"""Values in which every text from outside is another, such as one that a hostile machine would send."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields, is_dataclass, replace
from datetime import datetime, timedelta
from enum import Enum
from typing import Any


def with_foreign_text(value: Any, draw: Callable[[str], str]) -> Any:
    """The same value, with every text in it that comes from outside replaced by one that is drawn."""
    match value:
        case Enum() | bool() | int() | float() | datetime() | timedelta() | None:
            return value
        case str():
            return draw(value)
        case list():
            return [with_foreign_text(each, draw) for each in value]
        case tuple():
            return tuple(with_foreign_text(each, draw) for each in value)
        case frozenset():
            return frozenset(with_foreign_text(each, draw) for each in value)
        case dict():
            return {with_foreign_text(k, draw): with_foreign_text(v, draw) for k, v in value.items()}
        case _ if is_dataclass(value):
            return replace(
                value, **{f.name: with_foreign_text(getattr(value, f.name), draw) for f in fields(value)}
            )
        case other:
            return other
