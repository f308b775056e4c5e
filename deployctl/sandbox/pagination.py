"""Pages of a listing, with tokens that stay right while the listing changes."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Sequence
from typing import TypeVar

Item = TypeVar("Item")


class BadToken(ValueError):
    """A token that no page of ours gave out."""


def page(
    items: Sequence[Item], *, size: int, token: str | None, key: Callable[[Item], str]
) -> tuple[list[Item], str | None]:
    """One page of `items`, which are in order of `key`, and the token of the next if there is one.

    Raises: BadToken.
    """
    after = None if token is None else _decode(token)
    rest = [item for item in items if after is None or key(item) > after]
    chosen = rest[:size]
    return chosen, _encode(key(chosen[-1])) if len(rest) > len(chosen) and chosen else None


def _encode(key: str) -> str:
    return base64.urlsafe_b64encode(f"after/{key}".encode()).decode()


def _decode(token: str) -> str:
    try:
        text = base64.b64decode(token, altchars=b"-_", validate=True).decode()
    except (binascii.Error, ValueError) as error:
        raise BadToken(token) from error
    head, slash, key = text.partition("/")
    if head != "after" or not slash:
        raise BadToken(token)
    return key
