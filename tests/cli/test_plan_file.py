"""A dry run's plan in a file, carried out exactly so by the next command, or refused with what has changed."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest

from deployctl.errors import ExitCode
from tests.cli.conftest import Done, Repository

GROWING = "mail-send"


@pytest.fixture
def fleet(start_sandbox):
    return start_sandbox(groups=4, workers=12, seed=47, speed=600.0)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "plan.json"


def planned(repository: Repository, version: str, file: Path, *options: str) -> Done:
    done = repository.deployctl("release", version, "--dry-run", "--out", str(file), "--json", *options)
    assert done.code == 0, done.stderr
    assert f"deployctl release --plan {file}" in done.stderr
    return done


def created(fleet) -> int:
    return len([e for e in fleet.control.events(kinds=["deployment-created"]) if e.get("creator") == "user"])


def test_a_plan_of_a_commit_runs_from_that_commit_despite_later_commits(repository, fleet, file):
    plan = planned(repository, "v-commit", file).data
    commit = repository.git("rev-parse", "HEAD")
    repository.write("tasks.py", "print('another task')\n")
    repository.commit("later")
    done = repository.deployctl("release", "--plan", str(file), "--json")
    assert done.code == ExitCode.DONE, done.stderr
    assert (done.data["version"], done.data["verdict"]) == ("v-commit", "verified")
    listed = repository.deployctl("artifacts", "list", "--json").data["artifacts"]
    (made,) = [a for a in listed if a["version"] == "v-commit"]
    assert (made["commit"], made["digest"]) == (commit, plan["artifact"]["digest"])


def test_the_dry_runs_options_apply_to_the_run_of_its_plan(repository, file):
    planned(repository, "v-flags", file, "--group", GROWING, "--strategy", "one")
    done = repository.deployctl("release", "--plan", str(file), "--json")
    assert done.code == ExitCode.DONE, done.stderr
    assert [(g["group"], g["strategy"]) for g in done.data["groups"]] == [(GROWING, "one")]


def test_a_changed_fleet_is_named_and_left_unchanged(repository, fleet, file):
    planned(repository, "v-changed", file)
    before = created(fleet)
    known = {w["instance_id"] for w in fleet.control.workers()}
    fleet.control.scale_out(GROWING, 1)
    new = grown(fleet, known)
    done = repository.deployctl("release", "--plan", str(file), "--json")
    assert done.code == ExitCode.USAGE
    assert done.data["code"] == "plan-changed"
    assert f"{GROWING} gained {new}" in done.data["details"]
    assert created(fleet) == before
    listed = repository.deployctl("artifacts", "list", "--json").data["artifacts"]
    assert "v-changed" not in [a["version"] for a in listed]


def grown(fleet, known: set[str]) -> str:
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        fresh = [w for w in fleet.control.workers() if w["instance_id"] not in known]
        if fresh and fresh[0]["state"] == "InService":
            time.sleep(1)  # its launch-time deployment
            return str(fresh[0]["instance_id"])
        time.sleep(0.1)
    raise AssertionError("no worker came")


def test_a_plan_that_was_edited_is_refused(repository, file):
    planned(repository, "v-edited", file)
    fields = json.loads(file.read_text())
    fields["plan"]["waves"][0] = fields["plan"]["waves"][0][:1]
    file.write_text(json.dumps(fields))
    done = repository.deployctl("release", "--plan", str(file), "--json")
    assert (done.code, done.data["code"]) == (ExitCode.USAGE, "plan-file-edited")


def test_a_plan_of_another_application_is_refused(repository, file):
    planned(repository, "v-foreign", file)
    done = repository.deployctl(
        "release", "--plan", str(file), "--json", env={"DEPLOYCTL_APPLICATION": "blog"}
    )
    assert (done.code, done.data["code"]) == (ExitCode.USAGE, "plan-file-foreign")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["v1", "--plan", "plan.json"], "VERSION and --plan"),
        (["--plan", "plan.json", "--group", "a*"], "--group and --plan"),
        (["--plan", "plan.json", "--strategy", "one"], "--strategy and --plan"),
        (["--plan", "plan.json", "--out", "other.json"], "--out and --plan"),
        (["v1", "--out", "plan.json"], "--out saves the plan of a dry run"),
        ([], "missing argument 'VERSION'"),
        (["--plan", "missing.json"], "no such file"),
    ],
)
def test_options_that_contradict_each_other_are_refused(repository, arguments, words):
    done = repository.deployctl("release", *arguments)
    assert done.code == ExitCode.USAGE
    assert words in done.stderr
