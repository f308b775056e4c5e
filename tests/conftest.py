"""Fixtures that every test may ask for: a world moved by hand, and sandboxes that really run."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.config import Config

from deployctl.sandbox import environment, process
from deployctl.sandbox.control import Control
from deployctl.sandbox.state import UNTIL_EXIT_OF, RunningSandbox, Settings, StateFile
from tests.examples import load_profile
from tests.fakes.botocore_files import share_loader
from tests.fakes.manual_simulation import ManualSimulation

load_profile()
share_loader()
# A shell ignores SIGINT in what it runs in the background, and programs inherit that: tests of Ctrl-C need it.
signal.signal(signal.SIGINT, signal.default_int_handler)
# Sandboxes end with this run, also when it is killed. pytest-xdist's workers inherit its main process's id.
os.environ.setdefault(UNTIL_EXIT_OF, str(os.getpid()))

START = datetime(2026, 3, 1, 12, 0, 0, tzinfo=UTC)


@pytest.fixture
def world() -> ManualSimulation:
    """A world whose clock stands until a test moves it: `world.advance(simulated_s)`. Speed is 1."""
    return ManualSimulation(START)


# Clients are safe to share and slow to make.
_CLIENTS: dict[tuple[Any, ...], Any] = {}


@cache
def _session(region: str) -> boto3.Session:
    return boto3.Session(aws_access_key_id="sandbox", aws_secret_access_key="sandbox", region_name=region)


@dataclass(frozen=True, slots=True, kw_only=True)
class SandboxUnderTest:
    """A sandbox in a process of its own. `state_home` is its XDG_STATE_HOME."""

    running: RunningSandbox
    state_home: Path

    @property
    def endpoint(self) -> str:
        return self.running.endpoint

    @property
    def control(self) -> Control:
        return Control(self.endpoint)

    @property
    def env(self) -> dict[str, str]:
        """This process's environment, led to the sandbox: for commands that tests run."""
        return {
            **os.environ,
            **environment.variables(self.endpoint, os.environ),
            "XDG_STATE_HOME": str(self.state_home),
        }

    def client(self, service: str, *, region: str = "eu-west-1", attempts: int = 1, **config: Any) -> Any:
        """A boto3 client of the sandbox that does not retry unless `attempts` is more than 1."""
        key = (self.endpoint, service, region, attempts, repr(config))
        if key not in _CLIENTS:
            _CLIENTS[key] = self.session(region).client(
                service,
                endpoint_url=self.endpoint,
                config=Config(retries={"total_max_attempts": attempts}, **config),
            )
        return _CLIENTS[key]

    @staticmethod
    def session(region: str = "eu-west-1") -> boto3.Session:
        return _session(region)


FIGURES = "figures"


@pytest.fixture
def figures(record_property: Callable[[str, object], None]) -> Callable[[str], None]:
    """Say what a long test has found: its words stand at the end of the run, whether it passed or not."""
    return lambda text: record_property(FIGURES, text)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """As reports carry them, so that they come from other processes too."""
    reports = (r for of_one in terminalreporter.stats.values() for r in of_one)
    calls = [r for r in reports if isinstance(r, pytest.TestReport) and r.when == "call"]
    found = [text for call in calls for name, text in call.user_properties if name == FIGURES]
    if found:
        terminalreporter.section("figures")
        for text in found:
            terminalreporter.line(str(text))


StartSandbox = Callable[..., SandboxUnderTest]


@pytest.fixture(scope="session")
def start_sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StartSandbox]:
    """Start a sandbox with these `Settings`, once each; all are stopped in the end.

    Sandboxes are shared by the tests of a session: inject faults only for your own groups, clear
    them again, and use your own seed if you need a sandbox to yourself.
    """
    started: dict[Settings, SandboxUnderTest] = {}

    def start(**settings: Any) -> SandboxUnderTest:
        wanted = Settings(until_exit_of=int(os.environ[UNTIL_EXIT_OF]), **settings)
        if wanted not in started:
            home = tmp_path_factory.mktemp("sandbox-state")
            running = process.start(wanted, StateFile(home / "deployctl" / "sandbox")).sandbox
            started[wanted] = SandboxUnderTest(running=running, state_home=home)
        return started[wanted]

    yield start
    for sandbox in started.values():
        process.stop(StateFile(sandbox.state_home / "deployctl" / "sandbox"))


@pytest.fixture(scope="session")
def sandbox(start_sandbox: StartSandbox) -> SandboxUnderTest:
    """Six groups of three workers, at 600 times the speed of the world."""
    return start_sandbox(groups=6, workers=18, seed=7, speed=600.0)
