"""Starts, finds and stops the sandbox's process."""

import fcntl
import importlib.util
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

from deployctl.sandbox.control import Control
from deployctl.sandbox.errors import (
    NoSuchProcess,
    PortTaken,
    SandboxAlreadyRunning,
    SandboxDidNotStart,
    SandboxDidNotStop,
    SandboxExtraMissing,
    SandboxNotRunning,
    StateNotWritable,
)
from deployctl.sandbox.state import RunningSandbox, Settings, StateFile, is_alive, process_started_at

START_TIMEOUT_S = 120.0
STOP_TIMEOUT_S = 10.0
POLL_S = 0.05
LOG_TAIL_LINES = 15
#: Import names of the sandbox's libraries.
NEEDED = ("moto", "flask", "werkzeug")


@dataclass(frozen=True, slots=True, kw_only=True)
class Started:
    sandbox: RunningSandbox
    already_running: bool


def start(settings: Settings, state: StateFile) -> Started:
    """Start a detached sandbox and return once it answers.

    Raises: SandboxAlreadyRunning (with other settings), PortTaken, NoSuchProcess, SandboxExtraMissing,
    SandboxDidNotStart.
    """
    with _one_at_a_time(state):
        running = state.running()
        if running is not None:
            return Started(sandbox=_same(running, settings), already_running=True)
        _refuse_unstartable(settings)
        return Started(sandbox=_launch(settings, state), already_running=False)


@contextmanager
def _one_at_a_time(state: StateFile) -> Iterator[None]:
    """Keep two concurrent `start`s from starting two sandboxes."""
    try:
        state.directory.mkdir(parents=True, exist_ok=True)
        lock = (state.directory / "start.lock").open("w")
    except OSError as error:
        raise StateNotWritable(state.directory, error.strerror or str(error)) from error
    with lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _same(running: RunningSandbox, settings: Settings) -> RunningSandbox:
    has = replace(running.settings, port=running.port if settings.port else 0).flags()
    wants = settings.flags()
    differs = [
        f"{flag} {has[flag]}" if flag in has else f"no {flag}"
        for flag in {**has, **wants}
        if has.get(flag) != wants.get(flag)
    ]
    if differs:
        raise SandboxAlreadyRunning(running.endpoint, " ".join(differs))
    return running


def _refuse_unstartable(settings: Settings) -> None:
    for module in NEEDED:
        if importlib.util.find_spec(module) is None:
            raise SandboxExtraMissing(module)
    try:
        socket.create_server(("127.0.0.1", settings.port)).close()
    except OSError as error:
        raise PortTaken(settings.port) from error
    if settings.until_exit_of is not None and not process_started_at(settings.until_exit_of):
        raise NoSuchProcess(settings.until_exit_of)


def _launch(settings: Settings, state: StateFile) -> RunningSandbox:
    arguments = [f"{flag}={value}" for flag, value in settings.flags().items()]
    command = [sys.executable, "-m", "deployctl.sandbox.server", *arguments, f"--state-dir={state.directory}"]
    with state.log.open("wb") as log:
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True, close_fds=True
        )
    try:
        return _wait_until_ready(process, state)
    except BaseException:
        process.kill()
        process.wait()
        raise


def _wait_until_ready(process: subprocess.Popen[bytes], state: StateFile) -> RunningSandbox:
    deadline = time.monotonic() + START_TIMEOUT_S
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise _did_not_start(f"its process exited with code {process.returncode}", state)
        running = state.read()
        if running is not None and running.pid == process.pid:
            Control(running.endpoint).health()
            # The sandbox outlives this process, so Popen must not wait for it.
            process.returncode = 0
            return running
        time.sleep(POLL_S)  # noqa: TID251 - waits for a process, not for anything simulated
    raise _did_not_start(f"it did not answer within {START_TIMEOUT_S:.0f} s", state)


def _did_not_start(reason: str, state: StateFile) -> SandboxDidNotStart:
    lines = state.log.read_text(errors="replace").splitlines()
    return SandboxDidNotStart(reason, state.log, "\n".join(lines[-LOG_TAIL_LINES:]))


def find(state: StateFile) -> RunningSandbox:
    """The running sandbox. Raises: SandboxNotRunning."""
    running = state.running()
    if running is None:
        raise SandboxNotRunning
    return running


def stop(state: StateFile) -> RunningSandbox | None:
    """Ask the sandbox to stop, then kill it; returns the stopped sandbox or None. Raises: SandboxDidNotStop."""
    running = state.running()
    if running is None:
        return None
    try:
        Control(running.endpoint).stop()
    except SandboxNotRunning:
        _signal(running, signal.SIGTERM)
    if not _ends(running):
        _signal(running, signal.SIGKILL)
        if not _ends(running):
            raise SandboxDidNotStop(running.pid)
    state.remove(running.pid)
    return running


def _signal(running: RunningSandbox, number: signal.Signals) -> None:
    # Check just before the signal: another process may have the id by now.
    if is_alive(running):
        os.kill(running.pid, number)


def _ends(running: RunningSandbox) -> bool:
    deadline = time.monotonic() + STOP_TIMEOUT_S
    while time.monotonic() < deadline:
        if not is_alive(running):
            return True
        time.sleep(POLL_S)  # noqa: TID251 - waits for a process, not for anything simulated
    return False
