"""A state file distinguishes a running sandbox from a dead one and from another process with its id."""

from __future__ import annotations

import os
import subprocess
from dataclasses import replace

import pytest

from deployctl.sandbox.state import RunningSandbox, Settings, StateFile, process_started_at

OURS = RunningSandbox(
    pid=os.getpid(),
    process_started_at=process_started_at(os.getpid()),
    port=4566,
    started_at="2026-03-01T12:00:00.000Z",
    settings=Settings(),
)


@pytest.fixture
def state(tmp_path):
    return StateFile(tmp_path / "sandbox")


def test_a_running_sandbox_is_found(state):
    state.write(OURS)
    assert state.running() == OURS


def test_without_a_state_file_no_sandbox_is_running(state):
    assert state.running() is None


@pytest.mark.parametrize(
    "text", ["", "{", "[]", "{}", '{"pid": "x"}', '{"pid": 1, "settings": {"colour": 1}}']
)
def test_an_invalid_state_file_means_no_sandbox_is_running(state, text):
    state.directory.mkdir()
    state.path.write_text(text)
    assert state.running() is None


def test_the_state_file_of_a_dead_sandbox_is_removed(state):
    ended = subprocess.Popen(["true"])
    ended.wait()
    state.write(replace(OURS, pid=ended.pid))
    assert state.running() is None
    assert not state.path.exists()


def test_another_process_with_the_same_id_is_not_ours(state):
    state.write(replace(OURS, process_started_at="1"))
    assert state.running() is None


def test_a_zombie_process_does_not_count_as_running():
    ended = subprocess.Popen(["true"], stdout=subprocess.PIPE)
    ended.stdout.read()
    while process_started_at(ended.pid):
        pass
    assert ended.wait() == 0
    ended.stdout.close()


def test_another_processs_file_is_left_alone(state):
    state.write(OURS)
    state.remove(OURS.pid + 1)
    assert state.read() == OURS
