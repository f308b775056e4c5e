"""The project speaks plainly: words of its former private language occur nowhere a person reads, names included."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
READ = (
    "deployctl",
    "docs",
    "hooks",
    "appspec",
    "athena",
    "tests",
    "README.md",
    "CHANGELOG.md",
    "Makefile",
    "pyproject.toml",
)
SUFFIXES = {".py", ".md", ".sql", ".sh", ".js", ".css", ".yml", ".toml", ""}

#: Each is a person where there is none, an idiom that is not English, or not the field's word.
BANNED = (
    r"whoever|whomever|whom|nobody|somebody",
    r"mend(?:s|ed|ing)?",
    r"told|tells?",
    r"borne|bears? with",
    r"under way",
    r"in vain",
    r"(?:go|goes|going|gone|went) on(?: with)?",
    r"(?:should|were) (?:it|one|they|that)",
    r"lets? go",
    r"takes? along|take[sn]? back|taken back",
    r"trying on",
    r"by its own word|of its own accord",
    r"overlook(?:s|ed|ing)?",
    r"at work",
    r"plant(?:s|ed|ing)?",
    r"strays?",
    r"day (?:zero|0)",
    # Records from before 0.1.0 have the verdict 'partly': read as a quoted value only.
    r"(?<!['\"])partly|partly(?!['\"])",
    r"look(?:s|ed)? around",
    r"anew|likewise|thereby|whereupon|hereby",
    r"comes? up|came up|comes? out|came out",
    r"held here|has not held|did not hold",
    r"(?<!run )the same command again",
)
PATTERN = re.compile(rf"(?<![A-Za-z])(?:{'|'.join(BANNED)})(?![A-Za-z])", re.IGNORECASE)

#: Where a banned word is the thing itself: names that records of an earlier version carry.
FORMER_NAMES = {
    "deployctl/aws/state_store.py",
    "deployctl/model/verdict.py",
    "deployctl/lake/schema.py",
    "tests/unit/aws/test_json_records.py",
    "tests/unit/aws/test_state_store.py",
    "tests/unit/lake/test_ages.py",
    "tests/shipped/test_vocabulary.py",
}


def _files() -> Iterator[Path]:
    for name in READ:
        top = ROOT / name
        found = [top] if top.is_file() else sorted(top.rglob("*"))
        yield from (f for f in found if f.is_file() and f.suffix in SUFFIXES and "__pycache__" not in f.parts)


def faults(text: str) -> list[str]:
    """Each line with a banned word: its number, the word, the line. Underscores separate words."""
    return [
        f"{number}: {found[0]!r}: {line.strip()[:100]}"
        for number, line in enumerate(text.splitlines(), start=1)
        if (found := PATTERN.search(line.replace("_", " ")))
    ]


@pytest.mark.parametrize("name", READ)
def test_no_word_of_the_former_language_is_left(name):
    found = [
        f"{path}:{fault}"
        for file in _files()
        if (path := str(file.relative_to(ROOT))).split("/")[0] == name and path not in FORMER_NAMES
        for fault in faults(file.read_text("utf-8", "replace"))
    ]
    assert found == []


@pytest.mark.parametrize(
    "line",
    [
        "whoever runs it",
        "def _under_way(self)",
        "→ the same command again",
        "Should it fail",
        "i-1 is mended",
        "goes on with it",
    ],
)
def test_a_word_of_the_former_language_is_found(line):
    assert faults(line)


@pytest.mark.parametrize(
    "line", ["run the same command again", "the plan", "an amendment", "intellij", "a retold story"]
)
def test_a_plain_line_passes(line):
    assert faults(line) == []
