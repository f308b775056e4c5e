"""Rows as an older deployctl wrote them, and as a newer one will."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import make_dataclass
from types import SimpleNamespace
from typing import Any, get_type_hints

from deployctl.lake.parquet import encode

#: A column that this deployctl does not know.
LATER = "from_a_later_version"


def older(row: Any, *, without: Collection[str]) -> bytes:
    """An object with this row, written before these columns were there."""
    hints = {name: kind for name, kind in get_type_hints(type(row)).items() if name not in without}
    return encode([row], make_dataclass("Older", hints.items()))


def newer(row: Any) -> bytes:
    """An object with this row and one more column."""
    hints = {**get_type_hints(type(row)), LATER: str | None}
    more = {**{name: getattr(row, name) for name in get_type_hints(type(row))}, LATER: "unheard of"}
    return encode([SimpleNamespace(**more)], make_dataclass("Newer", hints.items()))


def renamed(row: Any, former: Mapping[str, str]) -> bytes:
    """An object with this row, written when these columns had other names."""
    hints = {former.get(name, name): kind for name, kind in get_type_hints(type(row)).items()}
    values = {former.get(name, name): getattr(row, name) for name in get_type_hints(type(row))}
    return encode([SimpleNamespace(**values)], make_dataclass("Renamed", hints.items()))
