"""Pages stay right while what they list changes."""

from __future__ import annotations

import pytest

from deployctl.sandbox.pagination import page
from deployctl.sandbox.unsupported import Refused

BAD_TOKEN = Refused("InvalidNextToken", "not one of this listing")


def pages(items, size):
    found, token = [], None
    while True:
        chosen, token = page(items, size=size, token=token, key=str, bad_token=BAD_TOKEN)
        found.append(chosen)
        if token is None:
            return found


def test_pages_hold_everything_once_and_in_order():
    assert pages(list("abcde"), 2) == [["a", "b"], ["c", "d"], ["e"]]


def test_a_full_last_page_has_no_token():
    assert pages(list("abcd"), 2) == [["a", "b"], ["c", "d"]]


def test_nothing_is_one_empty_page():
    assert pages([], 2) == [[]]


def test_a_removed_item_shifts_no_other():
    _, token = page(list("abcd"), size=2, token=None, key=str, bad_token=BAD_TOKEN)
    assert page(list("acd"), size=2, token=token, key=str, bad_token=BAD_TOKEN)[0] == ["c", "d"]


@pytest.mark.parametrize("token", ["", "nonsense", "!!", "bm9uc2Vuc2U="])
def test_a_token_of_another_listing_is_refused(token):
    with pytest.raises(Refused, match="not one of this listing"):
        page(list("abcd"), size=2, token=token, key=str, bad_token=BAD_TOKEN)
