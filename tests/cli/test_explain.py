"""`deployctl explain` as a process over a sandbox: words on stdout, its cost on stderr, errors with the nearest."""

from __future__ import annotations

import re

import pytest

from deployctl.errors import ExitCode
from tests.cli.conftest import make_repository


@pytest.fixture(scope="module")
def story(start_sandbox, tmp_path_factory):
    """Three groups on v1, one worker of which does not get v2."""
    sandbox = start_sandbox(groups=3, workers=9, seed=51, speed=600.0)
    repository = make_repository(tmp_path_factory.mktemp("explain") / "repo", sandbox.env)
    assert repository.deployctl("release", "v1", "--quiet").code == ExitCode.DONE
    repository.commit("another")
    worker = sandbox.control.workers()[0]
    sandbox.control.inject("hook-fails", instance=worker["instance_id"], exit_code=7, message="no queue")
    assert repository.deployctl("release", "v2", "--quiet").code == ExitCode.FAILED
    return repository, worker


def test_a_worker_is_explained(story):
    repository, worker = story
    done = repository.deployctl("explain", worker["instance_id"])
    assert done.code == ExitCode.DONE
    assert "failed: script-failed" in done.stdout
    assert "exit code 7" in done.stdout
    assert re.search(r"\d+\.\d s · \d+ AWS calls", done.stderr)


def test_a_group_is_explained_as_json(story):
    repository, worker = story
    done = repository.deployctl("explain", worker["group"], "--json", "--quiet")
    assert (done.data["kind"], done.data["group"]) == ("group", worker["group"])
    assert any(m["source"] == "CodeDeploy" for m in done.data["timeline"])
    assert done.stderr == ""


def test_the_report_writes_nothing_to_aws(story):
    repository, worker = story
    before = repository.deployctl("sandbox", "calls", "--json").data["s3:PutObject"]
    repository.deployctl("explain", worker["instance_id"])
    assert repository.deployctl("sandbox", "calls", "--json").data["s3:PutObject"] == before


def test_an_unknown_name_is_a_usage_error_with_the_nearest_name(story):
    repository, worker = story
    done = repository.deployctl("explain", worker["group"][:-1] + "x", "--json")
    assert done.code == ExitCode.USAGE
    assert done.data["remedy"] == f"deployctl explain {worker['group']}"
