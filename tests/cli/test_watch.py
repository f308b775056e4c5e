"""`deployctl reconcile --watch` on a terminal: keys are heeded while it looks, and the terminal is given back."""

from __future__ import annotations

import os
import pty
import re
import select
import signal
import subprocess
import sys
import termios
import time

import pytest

from deployctl.errors import ExitCode
from tests.cli.conftest import make_repository

PATIENCE_S = 60.0


class OnATerminal:
    """A deployctl with a terminal of its own, and what it has written there."""

    def __init__(self, repository, *arguments):
        self.typed, self.terminal = pty.openpty()
        termios.tcsetwinsize(self.terminal, (24, 100))
        self.before = termios.tcgetattr(self.terminal)
        env = {k: v for k, v in repository.env.items() if k != "CI"} | {"TERM": "xterm", "NO_COLOR": "1"}
        self.process = subprocess.Popen(
            [sys.executable, "-m", "deployctl", *arguments],
            cwd=repository.folder,
            env=env,
            stdin=self.terminal,
            stdout=self.terminal,
            stderr=self.terminal,
            start_new_session=True,
        )
        self.written = ""

    def until(self, words):
        deadline = time.monotonic() + PATIENCE_S
        while words not in self.written:
            assert time.monotonic() < deadline, f"{words!r} never came in {self.written[-2_000:]!r}"
            self.read(0.1)

    def read(self, wait_s):
        ready, _, _ = select.select([self.typed], [], [], wait_s)
        if ready:
            self.written += os.read(self.typed, 65_536).decode("utf-8", "replace")

    def press(self, keys):
        os.write(self.typed, keys.encode())

    def left(self):
        deadline = time.monotonic() + PATIENCE_S
        while self.process.poll() is None:
            assert time.monotonic() < deadline, "it never left"
            self.read(0.05)
        return self.process.returncode

    @property
    def is_as_it_was(self):
        """Its modes, its cursor and its wrapping."""
        last = dict(re.findall(r"\x1b\[\?(25|7)([hl])", self.written))
        return termios.tcgetattr(self.terminal) == self.before and last == {"25": "h", "7": "h"}

    def close(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        os.close(self.typed)
        os.close(self.terminal)


@pytest.fixture(scope="module")
def repository(start_sandbox, tmp_path_factory):
    sandbox = start_sandbox(groups=3, workers=9, seed=52, speed=600.0)
    repository = make_repository(tmp_path_factory.mktemp("watch") / "repo", sandbox.env)
    assert repository.deployctl("release", "v1", "--quiet").code == ExitCode.DONE
    return repository


@pytest.fixture
def watched(repository):
    started = []

    def start(*arguments):
        started.append(OnATerminal(repository, "reconcile", "--watch", *arguments))
        return started[-1]

    yield start
    for one in started:
        one.close()


def test_keys_filter_the_table_and_q_ends_it(watched):
    table = watched("--every", "1s")
    table.until("all is well: 9 workers")
    table.until("q quit")
    table.press("c")
    table.until("shown: category current")
    table.until("unchanged for 2 refreshes")
    table.press("q")
    assert table.left() == ExitCode.DONE
    assert table.is_as_it_was


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_the_table_and_restores_the_terminal(watched, number):
    table = watched()
    table.until("q quit")
    table.process.send_signal(number)
    assert table.left() == ExitCode.DONE
    assert table.is_as_it_was


def test_an_error_restores_the_terminal(watched, repository):
    table = watched("--every", "1s")
    table.until("q quit")
    repository.deployctl("sandbox", "inject", "access-denied", "--operation", "ec2:*")
    try:
        assert table.left() == ExitCode.ACCESS
    finally:
        repository.deployctl("sandbox", "clear")
    assert "not authorized" in table.written or "may not" in table.written or "error:" in table.written
    assert table.is_as_it_was


def test_q_ends_the_table_while_aws_does_not_answer(watched, repository):
    table = watched("--every", "1s")
    table.until("q quit")
    repository.deployctl("sandbox", "inject", "slow", "--operation", "codedeploy:*", "--delay", "50s")
    try:
        time.sleep(3)
        began = time.monotonic()
        table.press("q")
        assert table.left() == ExitCode.DONE
        assert time.monotonic() - began < 20
    finally:
        repository.deployctl("sandbox", "clear")
    assert table.is_as_it_was
