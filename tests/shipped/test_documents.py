"""The documents describe the interfaces that the code has."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import typer

from deployctl.cli.command_tree import app
from deployctl.model.verdict import EXIT_CODES, Verdict

ROOT = Path(__file__).parents[2]
DOCUMENTS = [*sorted(ROOT.glob("docs/*.md")), ROOT / "README.md", ROOT / "CHANGELOG.md"]


def table(path: Path) -> dict[str, int]:
    """Each verdict and its exit code, as the page's table has them."""
    found = {}
    _, _, below = path.read_text().partition("| verdict | exit code |")
    rows, _, _ = below.partition("\n\n")
    for names, code in re.findall(r"^\| (`[^|]+`) \| (\d+) \|", rows, flags=re.MULTILINE):
        found.update(dict.fromkeys(re.findall(r"`([a-z-]+)`", names), int(code)))
    return found


@pytest.mark.parametrize("path", [ROOT / "README.md", ROOT / "docs" / "releases.md"], ids=lambda p: p.name)
def test_the_table_of_verdicts_has_the_exit_codes_of_the_code(path):
    assert table(path) == {verdict.value: int(code) for verdict, code in EXIT_CODES.items()}


def test_the_page_on_releases_names_the_verdicts_from_best_to_worst():
    assert list(table(ROOT / "docs" / "releases.md")) == [verdict.value for verdict in Verdict]


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda p: p.name)
def test_links_between_documents_have_a_target(path):
    links = re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", path.read_text())
    assert not [link for link in links if not (path.parent / link).exists()]


FENCED = re.compile(r"^```.*?\n(.*?)^```", flags=re.MULTILINE | re.DOTALL)


def command_lines(text):
    """What follows `deployctl` in the text's code, up to a comment or another command."""
    code = [*FENCED.findall(text), *re.findall(r"`([^`\n]+)`", FENCED.sub("", text))]
    return re.findall(r"(?:^|[$>(] ?|run: |→ )deployctl ([^#|>;)\\\n]+)", "\n".join(code), flags=re.MULTILINE)


def command_of(words):
    """The command that the words name, and its options."""
    command, context = typer.main.get_command(app), None
    options = set()
    while True:
        context = typer.Context(command, parent=context, info_name="deployctl")
        options.update(option for each in command.get_params(context) for option in each.opts)
        if not words or not hasattr(command, "list_commands") or words[0].startswith("-"):
            return command, options
        command = command.get_command(context, words[0].rstrip(",:."))
        if command is None:
            return None, options
        words = words[1:]


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda p: p.name)
def test_each_command_and_option_in_a_document_exists(path):
    wrong = []
    for line in command_lines(path.read_text()):
        words = line.split()
        command, options = command_of(words)
        given = {word.partition("=")[0].rstrip(",.") for word in words if word.startswith("--")}
        if command is None or not given <= options:
            wrong.append(line)
    assert wrong == []
