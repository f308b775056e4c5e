import json
import subprocess
import tomllib

import pytest
from typer.testing import CliRunner

from deployctl.cli.command_tree import app
from deployctl.cli.context import CliContext
from deployctl.cli.init import InvalidUnit
from deployctl.flows.init import ValueMissing

SAID = ("--application", "shop", "--region", "eu-west-1", "--bucket", "shop-deployctl")


class Account:
    def region(self):
        return "eu-west-1"

    def applications(self, region):
        return ["shop"]

    def buckets(self, region):
        return ["deployctl-sandbox"]

    def workgroups(self, region):
        return ["primary", "deployctl"]


@pytest.fixture
def repository(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    git(tmp_path, "init", "--quiet")
    git(tmp_path, "config", "user.name", "Tester")
    git(tmp_path, "config", "user.email", "tester@example.com")
    return tmp_path


def git(folder, *arguments):
    return subprocess.run(["git", *arguments], cwd=folder, capture_output=True, text=True, check=True).stdout


def run(*arguments, answers="", **options):
    said = {"environment": {}, "discovery": Account, "has_terminal": bool(answers)}
    return CliRunner().invoke(app, ["init", *arguments], obj=CliContext(**(said | options)), input=answers)


def test_without_input_values_are_found_and_files_are_written_and_committed(repository):
    result = run("--no-input", "--yes")
    assert result.exit_code == 0
    assert result.stdout.splitlines()[:2] == ["written    deployctl.toml", "written    appspec.yml"]
    assert "next: deployctl release v1" in result.stderr
    assert tomllib.loads((repository / "deployctl.toml").read_text())["bucket"] == "deployctl-sandbox"
    assert git(repository, "status", "--porcelain") == ""
    assert "hooks/" in git(repository, "ls-tree", "-r", "--name-only", "HEAD")


def test_without_yes_nothing_is_committed_and_the_commands_are_shown(repository):
    result = run("--no-input")
    assert "next: git add deployctl.toml appspec.yml deploy/hooks/" in result.stderr
    assert git(repository, "status", "--porcelain") != ""


def test_if_git_refuses_the_commit_the_files_stay_and_the_reason_is_shown(repository):
    (repository / ".git" / "hooks").mkdir(exist_ok=True)
    refusing = repository / ".git" / "hooks" / "pre-commit"
    refusing.write_text("#!/bin/sh\necho 'not today' >&2\nexit 1\n")
    refusing.chmod(0o755)
    result = run("--no-input", "--yes")
    assert result.exit_code == 0
    assert "not committed: not today" in result.stderr
    assert "next: git add" in result.stderr
    assert (repository / "deployctl.toml").exists()


def test_a_missing_value_without_input_names_the_flag(repository):
    result = run("--no-input", discovery=None)
    assert isinstance(result.exception, ValueMissing)
    assert "--application APPLICATION" in result.exception.remedy
    assert [p.name for p in repository.iterdir()] == [".git"]


@pytest.mark.parametrize("options", [{"no_input": True}, {"environment": {"CI": "true"}}, {"json": True}])
def test_a_pipeline_gets_no_question(repository, options):
    result = run(discovery=None, answers="eu-west-1\n", **options)
    assert isinstance(result.exception, ValueMissing)


def test_a_person_is_asked_again_after_a_wrong_answer(repository):
    answers = ["eu-west-1a", "eu-west-1", "shop", "shop-deployctl", "", "two words", "celery.service", "n"]
    result = run(answers="\n".join(answers) + "\n", discovery=None)
    assert result.exit_code == 0, result.stderr
    assert "'eu-west-1a' is an availability zone; its region is 'eu-west-1'" in result.stderr
    written = tomllib.loads((repository / "deployctl.toml").read_text())
    assert written == {
        "application": "shop",
        "region": "eu-west-1",
        "bucket": "shop-deployctl",
        "workgroup": "deployctl",
    }
    assert "'two words' is no name of a systemd unit" in result.stderr
    assert "\nUNIT=celery.service\n" in (repository / "deploy/hooks/worker.env").read_text()
    assert "AWS region" not in result.stdout
    assert git(repository, "status", "--porcelain") != ""


@pytest.mark.parametrize(
    ("unit", "line"), [("celery@a\\x2db.service", "UNIT='celery@a\\x2db.service'"), ("", "UNIT=")]
)
def test_the_unit_that_the_hooks_restart_is_given_or_none(repository, unit, line):
    assert run("--unit", unit, "--yes", no_input=True).exit_code == 0
    assert line in (repository / "deploy/hooks/worker.env").read_text().splitlines()


def test_a_unit_of_another_form_is_refused(repository):
    result = run("--unit", "$(reboot)", "--yes", no_input=True)
    assert isinstance(result.exception, InvalidUnit)
    assert not (repository / "deploy").exists()


def test_a_person_says_whether_an_existing_file_is_replaced(repository):
    for name in ("deployctl.toml", "appspec.yml"):
        (repository / name).write_text("mine")
    result = run(*SAID, "--workgroup", "w", answers="y\n\nn\ny\n")
    assert result.exit_code == 0, result.stderr
    assert tomllib.loads((repository / "deployctl.toml").read_text())["workgroup"] == "w"
    assert (repository / "appspec.yml").read_text() == "mine"
    assert "replaced   deployctl.toml" in result.stdout
    assert "kept       appspec.yml  (--force replaces it)" in result.stdout


def test_yes_keeps_what_exists_and_force_replaces_it(repository):
    (repository / "deployctl.toml").write_text("mine")
    run("--yes", answers="y\n")
    assert (repository / "deployctl.toml").read_text() == "mine"
    run("--force", "--no-input")
    assert tomllib.loads((repository / "deployctl.toml").read_text())["application"] == "shop"


def test_json_lists_values_files_and_whether_they_are_committed(repository):
    result = json.loads(run(*SAID, "--json", "--yes").stdout)
    assert (result["schema"], result["root"], result["committed"]) == (
        "deployctl.init/1",
        str(repository),
        True,
    )
    assert result["values"]["bucket"] == {"value": "shop-deployctl", "from": "--bucket"}
    assert {"path": "appspec.yml", "fate": "written"} in result["files"]


def test_quiet_prints_only_the_files_written(repository):
    result = run(*SAID, "--quiet")
    assert result.stderr == ""
    assert "written    appspec.yml" in result.stdout
