"""Pages of a listing, with tokens that stay valid while the listing changes."""

import base64
import binascii
from collections.abc import Callable, Sequence
from typing import TypeVar

from deployctl.sandbox.unsupported import Refused

Item = TypeVar("Item")


def page(
    items: Sequence[Item],
    *,
    size: int,
    token: str | None,
    key: Callable[[Item], str],
    bad_token: Refused,
    scope: str = "after",
) -> tuple[list[Item], str | None]:
    """One page of `items`, which are in order of `key`, and the token of the next page if there is one.

    A token remembers the last key shown, so items added or removed between pages shift nothing.
    Raises: `bad_token`, for a token that this listing or this `scope` did not issue.
    """
    after = None if token is None else _decode(token, scope, bad_token)
    rest = [item for item in items if after is None or key(item) > after]
    chosen = rest[:size]
    return chosen, _encode(scope, key(chosen[-1])) if len(rest) > len(chosen) and chosen else None


def _encode(scope: str, key: str) -> str:
    return base64.urlsafe_b64encode(f"{scope}\0{key}".encode()).decode()


def _decode(token: str, scope: str, bad_token: Refused) -> str:
    try:
        text = base64.b64decode(token, altchars=b"-_", validate=True).decode()
    except (binascii.Error, ValueError) as error:
        raise bad_token from error
    found, separator, key = text.partition("\0")
    if found != scope or not separator:
        raise bad_token
    return key
