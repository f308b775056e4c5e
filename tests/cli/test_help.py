"""Help, version and the hints after a typo."""

from __future__ import annotations

import subprocess
import sys

import pytest
from typer.testing import CliRunner

from deployctl import __version__
from deployctl.cli.command_tree import SECTIONS, app
from deployctl.cli.lazy_group import VerbGroup

HEAVY = ("boto3", "fabric", "pyathena", "duckdb", "moto", "pydantic", "pyarrow", "rich")


def entries(sections=SECTIONS, path=()):
    """Every command as its words and its entry in the tree."""
    for commands in sections.values():
        for name, entry in commands.items():
            yield (*path, name), entry
            if isinstance(entry, VerbGroup):
                yield from entries(entry.sections, (*path, name))


def shown(*arguments):
    done = CliRunner().invoke(app, arguments, prog_name="deployctl", env={"COLUMNS": "80"})
    assert done.exit_code == 0, done.output
    return done.stdout


def deployctl(*arguments):
    return subprocess.run(
        [sys.executable, "-m", "deployctl", *arguments], capture_output=True, text=True, check=False
    )


def modules_after(*arguments):
    program = f"""
import sys
sys.argv[1:] = {arguments!r}
from deployctl.cli.app import main
try:
    main()
except SystemExit:
    print("\\n", *sys.modules)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    return set(done.stdout.splitlines()[-1].split())


@pytest.mark.parametrize(
    ("path", "entry"), [*entries()], ids=lambda each: "-".join(each) if type(each) is tuple else ""
)
def test_each_command_has_a_short_summary_and_a_help_within_80_columns(path, entry):
    assert len(entry.summary) <= 45
    text = shown(*path, "--help")
    assert text.startswith(f"Usage: deployctl {' '.join(path)} ")
    assert [line for line in text.splitlines() if len(line) > 80] == []


def test_the_help_lists_each_command_whole_under_its_section():
    text = shown("--help")
    titles = [line for line in text.splitlines() if line.endswith(":") and not line.startswith(" ")]
    assert titles == ["Release:", "Prove:", "Fleet:", "Set up:", "Local:", "Options:"]
    for (name, *rest), entry in entries():
        if not rest:
            assert f"  {name:<9}  {entry.summary}\n" in text


@pytest.mark.parametrize(
    ("command", "sections"),
    [
        ("release", ["What to release:", "Which groups:", "How to deploy:", "Plan:", "Time limits:"]),
        ("reconcile", ["Which workers:", "Output:", "Fix:"]),
    ],
)
def test_a_long_help_has_sections_and_two_examples(command, sections):
    lines = shown(command, "--help").splitlines()
    places = [lines.index(title) for title in (*sections, "Common options:", "Examples:")]
    assert places == sorted(places)
    assert len([line for line in lines if line.startswith(f"  deployctl {command} ")]) == 2


def test_the_examples_are_accepted_command_lines():
    for path, entry in entries():
        for example in getattr(entry, "examples", ()):
            assert example.startswith(f"deployctl {' '.join(path)} ")
            words = [word.strip("'") for word in example.split()[1:]]
            shown(*words, "--help")


@pytest.mark.parametrize("arguments", [("-h",), ("help",), ("--help",), ()])
def test_help_is_shown_however_asked_for(arguments):
    assert deployctl(*arguments).stdout == deployctl("--help").stdout != ""


def test_help_of_a_command_is_the_commands_own_help():
    assert deployctl("help", "athena", "query").stdout == deployctl("athena", "query", "--help").stdout != ""
    assert deployctl("help", "relase").stderr.endswith("→ deployctl help release\n")


@pytest.mark.parametrize(
    "arguments", [("--version",), ("version",), ("--quiet", "--version"), ("--quiet", "version")]
)
def test_the_version_is_printed_however_asked_for(arguments):
    assert deployctl(*arguments).stdout == f"deployctl {__version__}\n"


def test_the_help_imports_no_verb_and_nothing_heavy():
    modules = modules_after("--help")
    assert modules.isdisjoint(HEAVY)
    assert modules.isdisjoint(
        f"deployctl.cli.{module}"
        for module in ("release", "release_control", "reconcile", "sandbox", "fleet_views")
    )


@pytest.mark.parametrize("command", ["release", "rollback", "status", "reconcile", "push"])
def test_the_help_of_a_command_imports_no_flow(command):
    modules = modules_after(command, "--help")
    assert modules.isdisjoint({*HEAVY} - {"rich"})
    assert not [module for module in modules if module.startswith(("deployctl.flows", "deployctl.wiring"))]


def test_the_version_does_not_import_typer():
    assert modules_after("--version").isdisjoint(("typer", *HEAVY))


@pytest.mark.parametrize(
    ("typed", "hint"),
    [
        ("relase v5 --dry-run", "deployctl release v5 --dry-run"),
        ("release v5 --dryrun --group mail", "deployctl release v5 --dry-run --group mail"),
        ("release v5 --strategi=half", "deployctl release v5 --strategy=half"),
        ("athena qery summary", "deployctl athena query summary"),
        ("--quite status", "deployctl --quiet status"),
        ("reconcile --fix --category stael", "deployctl reconcile --fix --category stale"),
        ("nonsense", "deployctl --help"),
        ("status --nonsense", "deployctl status --help"),
        ("athena", "deployctl athena --help"),
    ],
)
def test_a_typo_gets_the_corrected_command_line(typed, hint, tmp_path, monkeypatch):
    (tmp_path / "deployctl.toml").write_text(
        'application = "shop"\nregion = "eu-west-1"\nbucket = "shop-deployctl"\nworkgroup = "w"\n'
    )
    monkeypatch.chdir(tmp_path)
    done = deployctl(*typed.split())
    assert done.returncode == 2
    assert done.stderr.splitlines()[-1] == f"→ {hint}"
