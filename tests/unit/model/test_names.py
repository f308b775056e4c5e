"""A version's name must be safe as an S3 key, an EC2 tag and a git tag."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deployctl.errors import ExitCode
from deployctl.model.names import MAX_VERSION_CHARS, InvalidVersion, parse_version

GOOD = st.from_regex(r"\A[A-Za-z0-9]([._+-]?[A-Za-z0-9]){0,31}\Z")


@given(GOOD)
def test_a_version_of_letters_digits_and_single_marks_is_taken_as_it_is(text):
    assert parse_version(text) == text


@given(st.text(max_size=80))
def test_whatever_is_taken_is_safe_in_a_key_a_tag_and_a_path(text):
    try:
        version = parse_version(text)
    except InvalidVersion:
        return
    assert re.fullmatch(r"[A-Za-z0-9._+-]{1,64}", version, re.ASCII)
    assert ".." not in version
    assert version[0].isalnum()


@given(st.text(max_size=80))
def test_what_is_refused_is_named_with_what_to_do(text):
    refused = None
    try:
        parse_version(text)
    except InvalidVersion as error:
        refused = error
    if refused is not None:
        assert refused.noun == text
        assert refused.remedy
        assert repr(text) in refused.message


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "is empty"),
        ("v1/2", "contains '/'"),
        ("v 1", "contains ' '"),
        ("v1..2", "contains '..'"),
        ("-v1", "starts with '-'"),
        (".v1", "starts with '.'"),
        ("v1\n", "contains '\\n'"),
        ("v\u0661", "contains '\u0661'"),
        ("v" * 65, f"has 65 characters, {MAX_VERSION_CHARS} at most"),
    ],
)
def test_a_bad_version_says_what_is_wrong_with_it(text, why):
    with pytest.raises(InvalidVersion) as refused:
        parse_version(text)
    assert why in refused.value.message


def test_a_bad_version_is_a_mistake_of_usage():
    assert InvalidVersion.exit_code is ExitCode.USAGE
