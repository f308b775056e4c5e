"""Lists deployctl's frames from `deployctl release` to boto3's create_deployment: `python -m tests.shipped.hops`.

It runs one release of a small sandbox in this process. A thread pool starts the deployments: the frames of the
thread that submits the work stand before those of the worker.
"""

import os
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import chdir, contextmanager
from pathlib import Path
from types import FrameType
from typing import Any
from unittest import mock

from botocore.client import BaseClient

import deployctl
from deployctl.cli.command_tree import app
from deployctl.sandbox import environment, process
from deployctl.sandbox.state import Settings, StateFile
from tests.cli.conftest import make_repository

PACKAGE = Path(deployctl.__file__).parent
#: The command function of typer: what comes before it belongs to typer and to the other files of cli.
COMMAND = "cli/release.py release"
#: Python before 3.12 gives comprehensions frames of their own.
COMPREHENSIONS = frozenset({"<listcomp>", "<dictcomp>", "<setcomp>", "<genexpr>"})


def list_hops(folder: Path, env: Mapping[str, str]) -> list[str]:
    """The frames of a release of v1 from this repository, outermost first, as "execute/start.py _create"."""
    with mock.patch.dict(os.environ, env, clear=True), chdir(folder), _record_stack() as hops:
        app(["release", "v1", "--quiet"], standalone_mode=False, prog_name="deployctl")
    return hops[hops.index(COMMAND) :]


@contextmanager
def _record_stack() -> Iterator[list[str]]:
    hops: list[str] = []
    submitters: dict[int, list[str]] = {}
    submit, make_api_call = ThreadPoolExecutor.submit, BaseClient._make_api_call

    def submit_and_remember(
        pool: ThreadPoolExecutor, call: Callable[..., Any], *args: Any, **kwargs: Any
    ) -> Any:
        submitter = _own_frames(sys._getframe(1))

        def run(*args: Any, **kwargs: Any) -> Any:
            submitters[threading.get_ident()] = submitter
            return call(*args, **kwargs)

        return submit(pool, run, *args, **kwargs)

    def call_and_record(client: BaseClient, operation: str, request: Any) -> Any:
        if operation == "CreateDeployment" and not hops:
            hops.extend([*submitters.get(threading.get_ident(), []), *_own_frames(sys._getframe(1))])
        return make_api_call(client, operation, request)

    with (
        mock.patch.object(ThreadPoolExecutor, "submit", submit_and_remember),
        mock.patch.object(BaseClient, "_make_api_call", call_and_record),
    ):
        yield hops


def _own_frames(frame: FrameType | None) -> list[str]:
    """This frame and its callers, outermost first, as far as they are deployctl's."""
    found = []
    while frame is not None:
        path = Path(frame.f_code.co_filename)
        if path.is_relative_to(PACKAGE) and frame.f_code.co_name not in COMPREHENSIONS:
            found.append(f"{path.relative_to(PACKAGE)} {frame.f_code.co_name}")
        frame = frame.f_back
    return found[::-1]


def main() -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        state = StateFile(folder / "state" / "deployctl" / "sandbox")
        running = process.start(Settings(groups=2, workers=4, speed=600.0), state).sandbox
        try:
            env = {**os.environ, **environment.variables(running.endpoint, os.environ)}
            hops = list_hops(make_repository(folder / "repository", env).folder, env)
        finally:
            process.stop(state)
    print("\n".join(f"{number:3}  {hop}" for number, hop in enumerate(hops, start=1)))


if __name__ == "__main__":
    main()
