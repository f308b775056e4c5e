"""A running release that another terminal watches, stops or rolls back."""

from __future__ import annotations

import pytest

from deployctl.errors import ExitCode
from tests.cli.conftest import make_repository
from tests.cli.test_leaving import start, wait_until_idle, within


@pytest.fixture
def slow_fleet(start_sandbox):
    """One worker takes about 15 s here: longer than the 10 s within which the lock holder reads a request."""
    return start_sandbox(groups=2, workers=8, seed=43, speed=20.0)


@pytest.fixture
def repository(tmp_path, slow_fleet):
    repository = make_repository(tmp_path / "repo", slow_fleet.env)
    repository.commit(tmp_path.name)
    return repository


@pytest.fixture
def running(repository, slow_fleet, tmp_path):
    version = f"v-{tmp_path.name}"
    held = repository.deployctl("release", f"{version}-before", "--strategy", "all")
    assert held.code == ExitCode.DONE, held.stderr
    seen = len(slow_fleet.control.events(kinds=["worker-down"]))
    repository.commit("the next")
    process = start(repository, version)
    within(60, lambda: len(slow_fleet.control.events(kinds=["worker-down"])) > seen)
    yield version, process
    process.kill()
    process.communicate()
    wait_until_idle(slow_fleet)


def test_a_stop_from_another_terminal_ends_both_processes(repository, running):
    _, process = running
    done = repository.deployctl("stop", "--json")
    process.communicate(timeout=60)
    assert (done.code, process.returncode) == (ExitCode.FAILED, ExitCode.FAILED), done.stderr
    assert done.data["verdict"] == "stopped"


def test_a_rollback_from_another_terminal_stops_the_release_and_rolls_back(repository, running):
    version, process = running
    done = repository.deployctl("rollback", "--json")
    process.communicate(timeout=60)
    assert process.returncode == ExitCode.FAILED
    assert (done.code, done.data["verdict"], done.data["kind"]) == (ExitCode.DONE, "verified", "rollback")
    assert {g["version"] for g in done.data["groups"]} == {f"{version}-before"}


def test_attach_shows_the_same_outcome_as_the_running_process(repository, running):
    _, process = running
    done = repository.deployctl("attach", "--json")
    process.communicate(timeout=60)
    assert (done.code, process.returncode) == (ExitCode.DONE, ExitCode.DONE)
    assert done.data["verdict"] == "verified"
    assert not [call for call in done.data["calls"] if "Create" in call]
