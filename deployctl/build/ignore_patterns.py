"""Patterns of files that stay out of the bundle, in gitignore syntax."""

import codecs
from collections.abc import Sequence

from pathspec import GitIgnoreSpec

from deployctl.build.tree import Entry, Kind
from deployctl.errors import UsageError

IGNORE_FILE = b".deployctlignore"


class PatternInvalid(UsageError, code="pattern-invalid"):
    """A pattern in .deployctlignore or deployctl.toml cannot be read."""

    def __init__(self, pattern: str, where: str, message: str) -> None:
        super().__init__(
            f"{where}: {pattern!r} is not a pattern in gitignore syntax ({message})",
            noun=pattern,
            remedy=f"correct or remove it in {where}",
        )


class IgnoreFileInvalid(UsageError, code="ignore-file-invalid"):
    """.deployctlignore is a symlink or no text, so it would exclude nothing."""

    def __init__(self, why: str) -> None:
        super().__init__(
            f".deployctlignore {why}, so it would exclude nothing",
            noun=".deployctlignore",
            remedy="save it as a file in UTF-8",
        )


def ignore_lines(entry: Entry, start: bytes) -> list[str]:
    """The lines of .deployctlignore in UTF-8, or in UTF-16 with a byte-order mark. Raises: IgnoreFileInvalid."""
    if entry.kind is Kind.SYMLINK:
        raise IgnoreFileInvalid("is a symlink")
    if start.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        text = start.decode("utf-16", "replace")
    elif b"\0" in start:
        raise IgnoreFileInvalid("has NUL bytes")
    else:
        text = start.removeprefix(codecs.BOM_UTF8).decode("utf-8", "surrogateescape")
    return text.replace("\r\n", "\n").split("\n")


class Patterns:
    """Matches paths as a .gitignore at the bundle's root would. `where` is named in errors."""

    def __init__(self, patterns: Sequence[str], where: str) -> None:
        for pattern in patterns:
            try:
                GitIgnoreSpec.from_lines([pattern])
            except ValueError as error:
                raise PatternInvalid(pattern, where, str(error)) from error
        self._spec = GitIgnoreSpec.from_lines(patterns)
        self._empty = not patterns

    def match(self, path: bytes) -> bool:
        # Pattern lines hold no newline, and the expressions behind them stop at one.
        text = path.decode("utf-8", "surrogateescape").replace("\n", "\ufffe")
        return not self._empty and bool(self._spec.match_file(text))


def keep(entries: Sequence[Entry], ignored: Patterns, excluded: Patterns) -> list[Entry]:
    """The entries that go into the bundle; `.deployctlignore` itself stays out."""
    return [
        entry
        for entry in entries
        if entry.path != IGNORE_FILE and not ignored.match(entry.path) and not excluded.match(entry.path)
    ]
