"""Runs deployctl in forks of a process that has its modules loaded: a start takes 30 ms, not 700 ms.

Each command is a process of its own, as from a shell: own arguments, environment, folder, streams and exit code.
"""

from __future__ import annotations

import importlib
import json
import os
import pkgutil
import runpy
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[2]
ROOMS = ("aws", "build", "cli", "config", "execute", "flows", "lake", "plan", "remote", "report")
SERVICES = ("athena", "autoscaling", "cloudwatch", "codedeploy", "ec2", "s3", "sts")
_REQUEST_BYTES = 200_000


class CommandForker:
    """The process that forks, and a socket to it. It ends with this process."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._socket, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _REQUEST_BYTES)
        with theirs:
            number = theirs.fileno()
            command = [sys.executable, "-m", "tests.fakes.forked_commands", str(number)]
            self._process = subprocess.Popen(
                command, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, pass_fds=[number]
            )

    def close(self) -> None:
        self._socket.close()
        self._process.wait()

    def run(
        self, arguments: Sequence[str], *, cwd: Path, env: Mapping[str, str], timeout: float
    ) -> subprocess.CompletedProcess[str]:
        """As `subprocess.run` runs `python -m deployctl`. Raises: subprocess.TimeoutExpired."""
        request = json.dumps({"arguments": list(arguments), "cwd": str(cwd), "env": dict(env)}).encode()
        with ExitStack() as stack:
            stdin = stack.enter_context(Path(os.devnull).open("rb"))
            stdout = stack.enter_context(tempfile.TemporaryFile())
            stderr = stack.enter_context(tempfile.TemporaryFile())
            ours, theirs = socket.socketpair()
            stack.enter_context(ours)
            with theirs, self._lock:
                passed = [each.fileno() for each in (stdin, stdout, stderr, theirs)]
                socket.send_fds(self._socket, [request], passed)
            code = _exit_code(ours, arguments, timeout)
            texts = [_read(each) for each in (stdout, stderr)]
        return subprocess.CompletedProcess(list(arguments), code, *texts)


def _exit_code(reply: socket.socket, arguments: Sequence[str], timeout: float) -> int:
    with reply.makefile("r") as lines:
        pid = int(lines.readline())
        reply.settimeout(timeout)
        try:
            return int(lines.readline())
        except TimeoutError as error:
            os.kill(pid, signal.SIGKILL)
            raise subprocess.TimeoutExpired(list(arguments), timeout) from error


def _read(file) -> str:
    file.seek(0)
    return file.read().decode()


@cache
def command_forker() -> CommandForker:
    """One for each test process."""
    return CommandForker()


def _serve(requests: socket.socket) -> None:
    """Fork for each request; returns only in a command's process, ready to run it, or when no more can come."""
    _load_modules()
    waiting: set[int] = set()
    while True:
        request, descriptors, _, _ = socket.recv_fds(requests, _REQUEST_BYTES, 4)
        waiting -= {pid for pid in waiting if os.waitpid(pid, 0 if not request else os.WNOHANG)[0]}
        if not request:
            os._exit(0)
        pid = os.fork()
        if not pid:
            break
        waiting.add(pid)
        for each in descriptors:
            os.close(each)
    requests.close()
    *streams, reply = descriptors
    pid = os.fork()
    if pid:
        _report_exit(pid, reply)
    os.close(reply)
    _become(streams, **json.loads(request))


def _load_modules() -> None:
    """All of deployctl but the sandbox, and botocore's descriptions of the services."""
    for room in ROOMS:
        package = importlib.import_module(f"deployctl.{room}")
        for module in pkgutil.walk_packages(package.__path__, f"deployctl.{room}."):
            importlib.import_module(module.name)
    session = importlib.import_module("tests.fakes.botocore_files").share_loader()
    for service in SERVICES:
        session.get_service_model(service)


def _report_exit(pid: int, reply: int) -> None:
    os.write(reply, f"{pid}\n".encode())
    _, status = os.waitpid(pid, 0)
    os.write(reply, f"{os.waitstatus_to_exitcode(status)}\n".encode())
    os._exit(0)


def _become(streams: list[int], *, arguments: list[str], cwd: str, env: dict[str, str]) -> None:
    """Take over what a shell gives a new process."""
    for number, each in enumerate(streams):
        os.dup2(each, number)
        os.close(each)
    os.environ.clear()
    os.environ.update(env)
    time.tzset()
    os.chdir(cwd)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    sys.argv[1:] = arguments


if __name__ == "__main__":
    _serve(socket.socket(fileno=int(sys.argv[1])))
    runpy.run_module("deployctl", run_name="__main__", alter_sys=True)
