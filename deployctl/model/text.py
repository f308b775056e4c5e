"""Numbers and names in sentences."""

from collections.abc import Sequence


def count(number: int, noun: str) -> str:
    """`1 worker`, `1,204 workers`."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def first_names(names: Sequence[str], *, most: int = 5) -> str:
    """`i-1, i-2 and 3 more`."""
    shown, more = ", ".join(names[:most]), len(names) - most
    return f"{shown} and {more:,} more" if more > 0 else shown


def printable(text: str) -> str:
    """The text on one line, with ? for what no output or no encoding can hold, such as a byte that is not UTF-8."""
    encodable = text.encode("utf-8", "replace").decode("utf-8")
    return "".join(character if character.isprintable() else "?" for character in encodable)
