"""One configuration file as read, and the position of each of its keys."""

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from deployctl.config.provenance import DEFAULT, Source, SourceKind
from deployctl.config.toml_positions import KeyPath, Position, positions
from deployctl.errors import UsageError

_PLACE: Final = re.compile(r" \(at (?:line (\d+), column (\d+)|end of document)\)$")


class InvalidToml(UsageError, code="toml-invalid"):
    """deployctl.toml is not valid TOML."""


@dataclass(frozen=True, slots=True)
class Document:
    """`label` is the file's name in messages; `data` is tomllib's result."""

    path: Path
    label: str
    data: dict[str, Any]
    positions: Mapping[KeyPath, Position]

    def position_of(self, path: KeyPath) -> Position | None:
        """The position of the key, or of the table that lacks it; None for the document itself."""
        while path and path not in self.positions:
            path = path[:-1]
        return self.positions.get(path)

    def place_of(self, path: KeyPath) -> str:
        """The position as compilers write it: `deployctl.toml:3:1`."""
        at = self.position_of(path)
        return self.label if at is None else f"{self.label}:{at.line}:{at.column}"

    def source_of(self, path: KeyPath) -> Source:
        at = self.positions.get(path)
        return DEFAULT if at is None else Source(SourceKind.FILE, f"{self.label}:{at.line}")


def parse(text: str, *, path: Path, label: str) -> Document:
    """Parse TOML with the position of each key. Raises: InvalidToml with line and column."""
    try:
        return Document(path, label, tomllib.loads(text), positions(text))
    except RecursionError as error:
        raise _invalid_toml(label, "Too many brackets within brackets", text) from error
    except ValueError as error:
        # TOMLDecodeError is one; an integer of more digits than Python reads is another.
        raise _invalid_toml(label, str(error), text) from error


def _invalid_toml(label: str, message: str, text: str) -> InvalidToml:
    match = _PLACE.search(message)
    place = label
    if match is not None:
        line = match[1] or text.count("\n") + 1
        column = match[2] or len(text) - text.rfind("\n")
        place = f"{label}:{line}:{column}"
        message = message[: match.start()]
    return InvalidToml(
        f"{place}: not valid TOML: {message}",
        noun=label,
        remedy="correct the file at that line, then: deployctl config check",
    )
