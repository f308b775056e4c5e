"""The sandbox's process: started once, found again, stopped for good."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading

import pytest

from deployctl.sandbox import process
from deployctl.sandbox.control import Control
from deployctl.sandbox.errors import PortTaken, SandboxAlreadyRunning, SandboxDidNotStart, SandboxNotRunning
from deployctl.sandbox.state import Settings, StateFile, is_alive

SMALL = Settings(groups=1, workers=1)


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
        process.start(Settings(groups=1, workers=2), state)
    assert "deployctl sandbox stop" in caught.value.remedy

    assert process.stop(state) == started.sandbox
    assert not is_alive(started.sandbox)
    assert not state.path.exists()
    assert process.stop(state) is None
    with pytest.raises(SandboxNotRunning):
        process.find(state)


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


def test_a_taken_port_is_said_to_be_taken(state):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(PortTaken, match=str(port)):
            process.start(Settings(groups=1, workers=1, port=port), state)
    assert not state.path.exists()


def test_a_sandbox_that_fails_shows_the_end_of_its_log(state):
    with pytest.raises(SandboxDidNotStart) as caught:
        process.start(Settings(groups=0, workers=1), state)
    assert "ZeroDivisionError" in caught.value.details[-1]
    assert str(state.log) in caught.value.remedy


def test_a_started_sandbox_holds_no_pipe_of_whoever_started_it(tmp_path):
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
