"""Numbers in sentences."""

from __future__ import annotations


def count(number: int, noun: str) -> str:
    """`1 worker`, `1,204 workers`."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"
