"""`deployctl reconcile --fix` at a terminal that answers, and after a kill in its middle."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
import time
from collections import Counter

import pytest

from deployctl.errors import ExitCode
from deployctl.sandbox.constants import APPLICATION, BUCKET
from tests.cli.conftest import make_repository

GROUP = "mail-send"
COMMAND = ("reconcile", "--fix", "--group", GROUP)


@pytest.fixture(scope="module")
def sandbox(start_sandbox):
    """One worker at a time takes some seconds here: time enough for a kill."""
    return start_sandbox(groups=2, workers=8, seed=61, speed=60.0)


@pytest.fixture(scope="module")
def repository(sandbox, tmp_path_factory):
    repository = make_repository(tmp_path_factory.mktemp("asked") / "repo", sandbox.env)
    for version in ("v1", "v2"):
        repository.commit(version)
        assert repository.deployctl("release", version).code == ExitCode.DONE
    return repository


@pytest.fixture
def behind(sandbox, repository) -> list[str]:
    """The workers of a group that was deployed back to v1 in the console."""
    codedeploy = sandbox.client("codedeploy")
    codedeploy.get_waiter("deployment_successful").wait(
        deploymentId=codedeploy.create_deployment(
            applicationName=APPLICATION,
            deploymentGroupName=GROUP,
            deploymentConfigName="CodeDeployDefault.AllAtOnce",
            revision={
                "revisionType": "S3",
                "s3Location": {
                    "bucket": BUCKET,
                    "key": f"artifacts/{APPLICATION}/v1/bundle.tar.gz",
                    "bundleType": "tgz",
                },
            },
        )["deploymentId"],
        WaiterConfig={"Delay": 1, "MaxAttempts": 60},
    )
    found = repository.deployctl("reconcile", "--json", "--group", GROUP)
    assert found.code == ExitCode.DRIFT
    return [w["instance_id"] for w in found.data["workers"] if w["category"] != "current"]


def answered(repository, answer: str) -> tuple[int, str]:
    """The exit code, and all that a terminal shows, once the question has been answered."""
    ours, theirs = pty.openpty()
    env = {name: value for name, value in repository.env.items() if name != "CI"}
    process = subprocess.Popen(
        [sys.executable, "-m", "deployctl", *COMMAND],
        cwd=repository.folder,
        env={**env, "TERM": "xterm", "COLUMNS": "120", "LINES": "40"},
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
    )
    os.close(theirs)
    shown = b""
    while b"Go ahead?" not in shown:
        shown += os.read(ours, 4_096)
    os.write(ours, f"{answer}\n".encode())
    while True:
        try:
            more = os.read(ours, 4_096)
        except OSError:  # the other end is closed
            break
        if not more:
            break
        shown += more
    os.close(ours)
    return process.wait(timeout=60), shown.decode()


def made(sandbox) -> list[str]:
    return sandbox.client("codedeploy").list_deployments(
        applicationName=APPLICATION, deploymentGroupName=GROUP
    )["deployments"]


def test_a_rejected_plan_changes_nothing_and_a_confirmed_one_leaves_no_drift(sandbox, repository, behind):
    before = made(sandbox)
    code, shown = answered(repository, "n")
    assert f"deploy v2 to {len(behind)} workers" in shown
    assert "nothing was changed" in shown
    assert (code, made(sandbox)) == (ExitCode.DRIFT, before)
    code, shown = answered(repository, "y")
    assert f"{len(behind)} of {len(behind)} workers fixed" in shown
    assert code == ExitCode.DONE
    assert repository.deployctl("reconcile").code == ExitCode.DONE


def test_after_a_kill_the_same_command_resumes_the_repair_and_deploys_to_no_worker_twice(
    sandbox, repository, behind
):
    seen = len(sandbox.control.events(kinds=["worker-down"]))

    def downs() -> Counter[str]:
        events = sandbox.control.events(kinds=["worker-down"])[seen:]
        return Counter(e["instance_id"] for e in events)

    process = subprocess.Popen(
        [sys.executable, "-m", "deployctl", *COMMAND, "--yes"],
        cwd=repository.folder,
        env=repository.env,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    deadline = time.monotonic() + 60
    while not downs():
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.05)
    process.kill()
    process.wait()
    assert len(downs()) < len(behind)
    done = repository.deployctl(*COMMAND, "--yes", "--json")
    assert done.code == ExitCode.DONE, done.stderr
    assert done.data["after"]["drifted"] == 0
    assert downs() == Counter(behind)


def test_an_unfinished_release_blocks_the_repair_with_drift_or_without(
    repository,
):
    repository.commit("v3")
    left = repository.deployctl("release", "v3", "--timeout", "1s")
    assert left.code == ExitCode.STILL_RUNNING, left.stderr
    refused = repository.deployctl(*COMMAND, "--yes")
    assert refused.code == ExitCode.BUSY
    assert "is unfinished, so nothing can be fixed" in refused.stderr
    assert "deployctl attach" in refused.stderr
    shown = repository.deployctl(*COMMAND, "--dry-run")
    assert shown.code in (ExitCode.DONE, ExitCode.DRIFT)
    assert "is unfinished: nothing can be fixed until it finishes" in " ".join(shown.stdout.split())
    assert repository.deployctl("attach").code == ExitCode.DONE
