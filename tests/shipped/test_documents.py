"""What the documents say of interfaces is what the code does."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from deployctl.model.verdict import EXIT_CODES, Verdict

ROOT = Path(__file__).parents[2]


def table(path: Path) -> dict[str, int]:
    """Each verdict of the table of verdicts, and its exit code."""
    found = {}
    _, _, below = path.read_text().partition("| verdict | exit code |")
    rows, _, _ = below.partition("\n\n")
    for names, code in re.findall(r"^\| (`[^|]+`) \| (\d+) \|", rows, flags=re.MULTILINE):
        found.update(dict.fromkeys(re.findall(r"`([a-z-]+)`", names), int(code)))
    return found


@pytest.mark.parametrize("path", [ROOT / "README.md", ROOT / "docs" / "releases.md"], ids=lambda p: p.name)
def test_the_table_of_verdicts_is_the_one_that_decides_exit_codes(path):
    assert table(path) == {verdict.value: int(code) for verdict, code in EXIT_CODES.items()}


def test_the_page_on_releases_names_the_verdicts_from_best_to_worst():
    assert list(table(ROOT / "docs" / "releases.md")) == [verdict.value for verdict in Verdict]


@pytest.mark.parametrize("path", [*sorted(ROOT.glob("docs/*.md")), ROOT / "README.md"], ids=lambda p: p.name)
def test_links_between_documents_lead_somewhere(path):
    links = re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", path.read_text())
    assert not [link for link in links if not (path.parent / link).exists()]
