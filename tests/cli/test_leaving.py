"""Interrupting a release in every way, and resuming it with the same command."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time

import pytest

from deployctl.errors import ExitCode
from tests.cli.conftest import make_repository

SCOPE = ("--group", "mail-*", "--strategy", "one")


@pytest.fixture
def slow_fleet(start_sandbox):
    """One worker at a time takes some seconds here: time enough to leave."""
    return start_sandbox(groups=2, workers=8, seed=41, speed=60.0)


@pytest.fixture
def repository(tmp_path, slow_fleet):
    repository = make_repository(tmp_path / "repo", slow_fleet.env)
    repository.commit(tmp_path.name)
    return repository


@pytest.fixture
def running(repository, slow_fleet, tmp_path):
    """A release of a version of this test's own that has begun."""
    version = f"v-{tmp_path.name}"
    seen = len(slow_fleet.control.events(kinds=["worker-down"]))
    process = start(repository, version)

    def has_begun():
        assert process.poll() is None, process.communicate()
        return len(slow_fleet.control.events(kinds=["worker-down"])) > seen

    within(60, has_begun)
    yield version, process
    if process.poll() is None:
        process.kill()
        process.communicate()
    repository.deployctl("stop", "--wait-for-lock", "1m")
    wait_until_idle(slow_fleet)


def start(repository, version, *, prefix=()):
    return subprocess.Popen(
        [*prefix, sys.executable, "-m", "deployctl", "release", version, *SCOPE],
        cwd=repository.folder,
        env=repository.env,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def within(limit_s, holds):
    deadline = time.monotonic() + limit_s
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def wait_until_idle(fleet):
    """The next test's release must not find a group's slot taken."""
    active = {"includeOnlyStatuses": ["Created", "Queued", "InProgress"]}
    within(60, lambda: not fleet.client("codedeploy").list_deployments(**active)["deployments"])


def finish(repository, version):
    """Run the same command again: it adopts the deployments, creates none, and the release is verified."""
    done = repository.deployctl("release", version, *SCOPE, "--json")
    assert done.code == ExitCode.DONE, done.stderr
    assert done.data["verdict"] == "verified"
    assert "codedeploy:CreateDeployment" not in done.data["calls"]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_an_interrupt_shows_what_keeps_running_and_how_to_resume(repository, running, number):
    version, process = running
    process.send_signal(number)
    _, stderr = process.communicate(timeout=30)
    assert process.returncode == ExitCode.INTERRUPTED
    assert "its deployments keep running in CodeDeploy" in stderr
    assert "→ deployctl attach" in stderr
    assert "Traceback" not in stderr
    assert repository.deployctl("lock", "status", "--json").data["locked"] is False
    finish(repository, version)


def test_nohup_protects_a_release_from_a_closed_terminal(repository, slow_fleet):
    version = f"v-{repository.folder.parent.name}"
    process = start(repository, version, prefix=("nohup",))
    time.sleep(3)
    process.send_signal(signal.SIGHUP)
    process.communicate(timeout=120)
    assert process.returncode == ExitCode.DONE
    wait_until_idle(slow_fleet)


def test_after_a_kill_the_same_command_resumes(repository, running):
    version, process = running
    process.kill()
    process.communicate(timeout=30)
    finish(repository, version)


def test_after_a_kill_another_process_attaches_and_resumes(repository, running):
    _, process = running
    process.kill()
    process.communicate(timeout=30)
    done = repository.deployctl("attach", "--json")
    assert done.code == ExitCode.DONE, done.stderr
    assert done.data["verdict"] == "verified"
    assert "codedeploy:CreateDeployment" not in done.data["calls"]


def test_a_second_release_is_refused_with_the_holders_name(repository, running):
    version, process = running
    done = repository.deployctl("release", "v-second", "--json")
    assert done.code == ExitCode.BUSY
    assert version in done.data["message"]
    assert str(process.pid) in done.data["message"]


def test_at_the_timeout_deployctl_ends_and_the_release_continues(repository):
    done = repository.deployctl("release", "v-timeout", *SCOPE, "--timeout", "2s", "--json")
    assert done.code == ExitCode.STILL_RUNNING, done.stderr
    assert done.data["verdict"] == "running"
    assert "→ deployctl attach" in done.stderr
    finish(repository, "v-timeout")


def test_an_interrupt_does_not_wait_for_throttled_calls(repository, slow_fleet):
    def asked():
        return slow_fleet.control.calls().get("codedeploy:CreateDeployment", 0)

    fault, before = slow_fleet.control.inject("throttle", operation="codedeploy:CreateDeployment"), asked()
    process = start(repository, "v-throttled")
    try:
        within(60, lambda: asked() >= before + 2)
        process.send_signal(signal.SIGINT)
        left = time.monotonic()
        process.communicate(timeout=60)
        assert time.monotonic() - left < 45  # throttled calls are repeated for minutes
        assert process.returncode == ExitCode.INTERRUPTED
    finally:
        slow_fleet.control.clear([fault["fault_id"]])
        process.kill()
    created = slow_fleet.control.events(kinds=["deployment-created"])
    assert not [e for e in created if e["version"] == "v-throttled"]
    assert repository.deployctl("release", "v-throttled", *SCOPE).code == ExitCode.DONE


@pytest.mark.parametrize("words", [(), ("--json",)], ids=["lines", "json"])
def test_a_closed_output_pipe_does_not_change_the_release_or_its_exit_code(repository, slow_fleet, words):
    version = f"v-{repository.folder.parent.name}"
    process = subprocess.Popen(
        [sys.executable, "-m", "deployctl", "release", version, *SCOPE, *words],
        cwd=repository.folder,
        env=repository.env,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    process.stdout.readline()
    process.stdout.close()
    assert process.wait(timeout=120) == ExitCode.DONE
    wait_until_idle(slow_fleet)
    assert repository.deployctl("history", "--json").data["releases"][0]["verdict"] == "verified"


def test_an_error_into_a_closed_pipe_keeps_its_exit_code(repository):
    process = subprocess.Popen(
        [sys.executable, "-m", "deployctl", "release", "v1", "--group", "typo"],
        cwd=repository.folder,
        env=repository.env,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    process.stdout.close()
    assert process.wait(timeout=60) == ExitCode.USAGE


def test_streams_closed_before_the_start_are_no_error(repository):
    line = f"exec {sys.executable} -m deployctl lock status <&- >&- 2>&-"
    done = subprocess.run(
        ["sh", "-c", line], cwd=repository.folder, env=repository.env, check=False, timeout=60
    )
    assert done.returncode == ExitCode.DONE


def test_an_interrupt_before_the_start_is_one_message_and_one_document(repository, slow_fleet):
    def asked():
        return slow_fleet.control.calls().get("ec2:DescribeInstances", 0)

    fault, before = slow_fleet.control.inject("throttle", operation="ec2:DescribeInstances"), asked()
    process = subprocess.Popen(
        [sys.executable, "-m", "deployctl", "reconcile", "--fix", "--dry-run", "--json"],
        cwd=repository.folder,
        env=repository.env,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        within(60, lambda: asked() > before)
        process.send_signal(signal.SIGINT)
        stdout, stderr = process.communicate(timeout=60)
    finally:
        slow_fleet.control.clear([fault["fault_id"]])
        process.kill()
    assert process.returncode == ExitCode.INTERRUPTED
    assert json.loads(stdout)["code"] == "interrupted"
    assert "error: interrupted" in stderr
