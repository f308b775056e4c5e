from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from deployctl.config.document import InvalidToml, parse
from deployctl.errors import ExitCode


def read(text):
    return parse(text, path=Path("/repo/deployctl.toml"), label="deployctl.toml")


def outcome_of(text):
    """The document, or why there is none."""
    try:
        return read(text)
    except InvalidToml as error:
        return error


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("region = \n", "deployctl.toml:1:10"),
        ('a = 1\nregion = "eu', "deployctl.toml:2:13"),
        ("a = 1\na = 2\n", "deployctl.toml:2:6"),
        ("a = 1\n[[", "deployctl.toml:2:3"),
        ("a = 1\n\n = 2", "deployctl.toml:3:2"),
    ],
)
def test_bad_toml_is_named_with_file_line_and_column(text, place):
    with pytest.raises(InvalidToml) as caught:
        read(text)
    assert caught.value.message.startswith(f"{place}: not valid TOML: ")
    assert caught.value.exit_code is ExitCode.USAGE
    assert "deployctl config check" in caught.value.remedy


def test_an_integer_too_long_to_read_is_bad_toml():
    with pytest.raises(InvalidToml, match="not valid TOML"):
        read("a = " + "9" * 5000)


@pytest.mark.parametrize("depth", [100, 400, 1000, 5000])
def test_brackets_within_brackets_are_read_or_refused_and_never_crash(depth):
    outcome = outcome_of("a = " + "[" * depth + "]" * depth)
    if isinstance(outcome, InvalidToml):
        assert depth > 100
        assert "brackets" in outcome.message
    else:
        assert ("a", 0) in outcome.positions


@given(st.text(alphabet="ab.=[]{}\"'#\\, \n\r\t1-:é\0", max_size=60) | st.text(max_size=60))
@example("a = [")
@example('"\\ud800" = 1')
def test_any_text_is_read_or_refused_with_its_place(text):
    outcome = outcome_of(text)
    if isinstance(outcome, InvalidToml):
        assert outcome.message.startswith("deployctl.toml:")
    else:
        assert set(outcome.data) == {path[0] for path in outcome.positions}
