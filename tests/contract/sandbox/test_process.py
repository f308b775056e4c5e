"""The sandbox's process: started once, found again, stopped for good."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path

import boto3
import pytest

from deployctl.sandbox import process
from deployctl.sandbox.control import Control
from deployctl.sandbox.errors import (
    NoSuchProcess,
    PortTaken,
    SandboxAlreadyRunning,
    SandboxDidNotStart,
    SandboxNotRunning,
)
from deployctl.sandbox.state import UNTIL_EXIT_OF, Settings, StateFile, is_alive

ROOT = Path(__file__).parents[3]
SMALL = Settings(groups=1, workers=1, until_exit_of=int(os.environ[UNTIL_EXIT_OF]))


@pytest.fixture
def state(tmp_path):
    state = StateFile(tmp_path / "deployctl" / "sandbox")
    yield state
    process.stop(state)


def test_a_started_sandbox_answers_is_found_and_stops(state):
    started = process.start(SMALL, state)
    assert not started.already_running
    assert Control(started.sandbox.endpoint).health()["pid"] == started.sandbox.pid
    assert process.find(state) == started.sandbox

    again = process.start(SMALL, state)
    assert again.already_running
    assert again.sandbox == started.sandbox
    with pytest.raises(SandboxAlreadyRunning, match="--workers 1") as caught:
        process.start(replace(SMALL, workers=2), state)
    assert "deployctl sandbox stop" in caught.value.remedy

    assert process.stop(state) == started.sandbox
    assert not is_alive(started.sandbox)
    assert not state.path.exists()
    assert process.stop(state) is None
    with pytest.raises(SandboxNotRunning):
        process.find(state)


def test_a_sandbox_outlives_the_directory_that_it_was_started_in(state, tmp_path, monkeypatch):
    (tmp_path / "gone").mkdir()
    monkeypatch.chdir(tmp_path / "gone")
    sandbox = process.start(SMALL, state).sandbox
    (tmp_path / "gone").rmdir()
    athena = boto3.client(
        "athena",
        endpoint_url=sandbox.endpoint,
        region_name="eu-west-1",
        aws_access_key_id="sandbox",
        aws_secret_access_key="sandbox",
    )
    query = athena.start_query_execution(QueryString="SELECT 1", WorkGroup="deployctl")["QueryExecutionId"]
    for _ in range(200):
        status = athena.get_query_execution(QueryExecutionId=query)["QueryExecution"]["Status"]
        if status["State"] not in ("QUEUED", "RUNNING"):
            break
        time.sleep(0.05)
    assert status["State"] == "SUCCEEDED"


def test_a_killed_sandbox_is_forgotten_and_another_is_started(state):
    killed = process.start(SMALL, state).sandbox
    os.kill(killed.pid, signal.SIGKILL)
    while is_alive(killed):
        pass
    with pytest.raises(SandboxNotRunning):
        process.find(state)
    assert process.start(SMALL, state).sandbox.pid != killed.pid


def test_two_starts_at_once_make_one_sandbox(state):
    started = []
    threads = [threading.Thread(target=lambda: started.append(process.start(SMALL, state))) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(each.already_running for each in started) == [False, True]
    assert started[0].sandbox == started[1].sandbox


def test_a_taken_port_is_reported(state):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(PortTaken, match=str(port)):
            process.start(replace(SMALL, port=port), state)
    assert not state.path.exists()


def test_a_sandbox_that_fails_to_start_shows_the_end_of_its_log(state):
    with pytest.raises(SandboxDidNotStart) as caught:
        process.start(replace(SMALL, groups=0), state)
    assert "ZeroDivisionError" in caught.value.details[-1]
    assert str(state.log) in caught.value.remedy


def test_a_sandbox_cannot_wait_for_a_process_that_is_not_running(state):
    ended = subprocess.Popen(["true"])
    ended.wait()
    with pytest.raises(NoSuchProcess, match=str(ended.pid)):
        process.start(replace(SMALL, until_exit_of=ended.pid), state)


def test_a_running_sandbox_that_ends_with_another_process_is_not_reused(state):
    process.start(SMALL, state)
    with pytest.raises(SandboxAlreadyRunning, match=f"--until-exit-of {SMALL.until_exit_of}"):
        process.start(replace(SMALL, until_exit_of=None), state)


#: Starts one sandbox by the fixture and one by the command, writes both down, and waits to be killed.
KILLED_RUN = """
import os, subprocess, sys, time
from pathlib import Path

def test_until_killed(start_sandbox, tmp_path):
    start_sandbox(groups=1, workers=1)
    command = [sys.executable, "-c", "from deployctl.cli.app import main; main()", "sandbox", "start"]
    env = {**os.environ, "XDG_STATE_HOME": str(tmp_path)}
    subprocess.run([*command, "--groups", "1", "--workers", "1"], env=env, check=True)
    Path(__file__).with_name("started").touch()
    time.sleep(600)
"""


def test_no_sandbox_of_a_killed_test_run_is_left(tmp_path, until):
    (tmp_path / "test_killed.py").write_text(KILLED_RUN)
    plugins = ["-p", "tests.conftest", "-p", "no:cacheprovider", "--basetemp", str(tmp_path / "base")]
    run = subprocess.Popen(
        [
            sys.executable,
            "-m",
            "pytest",
            *plugins,
            "--rootdir",
            str(tmp_path),
            "-c",
            os.devnull,
            str(tmp_path),
        ],
        cwd=ROOT,
        env={name: value for name, value in os.environ.items() if name != UNTIL_EXIT_OF},
        stdout=subprocess.DEVNULL,
    )
    try:
        until(lambda: (tmp_path / "started").exists() or run.poll() is not None, timeout_s=60)
        states = [StateFile(path.parent) for path in tmp_path.rglob("sandbox.json")]
        sandboxes = [state.running() for state in states]
        assert len(sandboxes) == 2
        assert all(sandbox is not None and is_alive(sandbox) for sandbox in sandboxes)
    finally:
        run.kill()
        run.wait()
    until(lambda: not any(is_alive(sandbox) for sandbox in sandboxes), timeout_s=10)
    assert not any(state.path.exists() for state in states)


def test_a_started_sandbox_holds_no_pipe_of_the_process_that_started_it(tmp_path):
    environment = {**os.environ, "XDG_STATE_HOME": str(tmp_path)}
    command = [sys.executable, "-c", "from deployctl.cli.app import main; main()", "sandbox"]
    start = [*command, "start", "--groups", "1", "--workers", "1"]
    try:
        # `run` returns when both pipes are closed, not when the process ends.
        done = subprocess.run(start, env=environment, capture_output=True, text=True, timeout=60, check=True)
        assert done.stdout == ""
        assert 'eval "$(deployctl sandbox env)"' in done.stderr
        assert "deployctl sandbox stop" in done.stderr
    finally:
        subprocess.run([*command, "stop"], env=environment, capture_output=True, timeout=60, check=True)
