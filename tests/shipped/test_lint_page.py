"""docs/lint.md is drawn from the cases that hold the lint against the agents."""

from tests.shipped.draw_lint import FILE, page
from tests.unit.build.agent_cases import CASES


def test_the_page_is_what_the_generator_draws():
    assert FILE.read_text(encoding="utf-8") == page(), "draw it again: python -m tests.shipped.draw_lint"


def test_the_page_has_a_row_for_every_case():
    rows = [line for line in page().splitlines() if line.startswith("| ")]
    assert len(rows) == 1 + len(CASES)
    assert {row.count(" | ") for row in rows} == {4}
