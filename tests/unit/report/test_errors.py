"""An error on stderr says what happened and what to type next."""

from deployctl.errors import UsageError
from deployctl.report.errors import error_lines
from deployctl.report.style import ASCII, UNICODE


def test_an_error_has_its_message_its_details_and_its_remedy():
    error = UsageError("unknown key 'bukket'", remedy="did you mean bucket?", details=("deployctl.toml:3",))
    assert [line.plain for line in error_lines(error, glyphs=UNICODE)] == [
        "error: unknown key 'bukket'",
        "  deployctl.toml:3",
        "→ did you mean bucket?",
    ]


def test_an_error_without_a_remedy_ends_with_its_details():
    assert [line.plain for line in error_lines(UsageError("no"), glyphs=ASCII)] == ["error: no"]


def test_a_hostile_name_in_an_error_moves_no_cursor():
    lines = error_lines(UsageError("no file \x1b[2J\nx"), glyphs=UNICODE)
    assert lines[0].plain == "error: no file x"
