"""`deployctl lock`, and what becomes of a lease whose holder is another process: killed, stopped or asked to stop."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest

from deployctl.aws.call_counter import CallCounter
from deployctl.aws.clock import SystemClock
from deployctl.aws.lease import LeaseTimes, S3Lease
from deployctl.aws.s3 import S3Bucket
from deployctl.aws.session import Aws
from deployctl.aws.state_store import S3StateStore
from deployctl.errors import ExitCode
from deployctl.flows.lock import acquire
from deployctl.flows.runner import ReleaseRunner
from deployctl.flows.stop import request_stop_elsewhere
from deployctl.model.port_errors import LeaseHeld
from deployctl.model.release import StopKind
from deployctl.ports import Holder
from deployctl.sandbox.constants import BUCKET, REGION
from tests.cli.conftest import CONFIGURATION, Repository, make_repository
from tests.fakes.aws_server import speak_to

#: Holds the lease until it is lost, or until it is asked to stop; says which.
HOLDER = """
import json, os, sys, time
from datetime import UTC, datetime
from deployctl.aws.call_counter import CallCounter
from deployctl.aws.clock import SystemClock
from deployctl.aws.lease import LeaseTimes, S3Lease
from deployctl.aws.s3 import S3Bucket
from deployctl.aws.session import Aws
from deployctl.model.port_errors import LeaseLost
from deployctl.ports import Holder

region, bucket, application, times = sys.argv[1:]
aws = Aws(region=region, profile=None, calls=CallCounter(), clock=SystemClock())
lease = S3Lease(S3Bucket(aws, bucket), application, LeaseTimes(**json.loads(times)))
lease.acquire(
    Holder(
        actor="alice", host="laptop", pid=os.getpid(), release="r-1", version="v1", acquired_at=datetime.now(UTC)
    )
)
print("held", flush=True)
try:
    while (asked := lease.stop_request()) is None:
        lease.check()
        time.sleep(0.05)
except LeaseLost as lost:
    print(lost.message)
    sys.exit(5)
print(f"{asked.kind.value} by {asked.actor}")
lease.release()
"""
ME = Holder(actor="bob", host="harness", pid=1, release="r-2", version="v2", acquired_at=datetime.now(UTC))
QUICK = {"ttl_s": 4, "renew_every_s": 0.5, "margin_s": 1}


@dataclass
class Shop:
    """An application of this test's own, and everybody's way to its lease."""

    repository: Repository
    application: str
    running: list[subprocess.Popen[str]]

    def __post_init__(self) -> None:
        self.aws = Aws(region=REGION, profile=None, calls=CallCounter(), clock=SystemClock())
        self.mine = S3Lease(S3Bucket(self.aws, BUCKET), self.application, LeaseTimes(**QUICK))
        states = S3StateStore(S3Bucket(self.aws, BUCKET))
        self.ports: Any = SimpleNamespace(clock=self.aws.clock, lease=self.mine, states=states)
        self.said: list[str] = []

    def deployctl(self, *arguments: str):
        return self.repository.deployctl(*arguments)

    def alice(self, **times: float) -> subprocess.Popen[str]:
        """A process that holds the lease."""
        process = subprocess.Popen(
            [sys.executable, "-c", HOLDER, REGION, BUCKET, self.application, json.dumps(times)],
            env=self.repository.env,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.running.append(process)
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        return process

    def acquire(self, wait_s: float) -> float:
        """Wait for the lease; how long it took."""
        began = time.monotonic()
        acquire(self.ports, lambda _: ME, wait_s, self.said.append)
        return time.monotonic() - began


def last_words(process: subprocess.Popen[str]) -> tuple[int, str]:
    out, _ = process.communicate(timeout=30)
    return process.returncode, out


@pytest.fixture
def shop(tmp_path, fleet, monkeypatch):
    speak_to(fleet.endpoint, monkeypatch)
    application = f"shop-{tmp_path.name}"
    repository = make_repository(tmp_path / "repo", fleet.env)
    repository.write("deployctl.toml", CONFIGURATION.replace('"shop"', f'"{application}"'))
    shop = Shop(repository=repository, application=application, running=[])
    yield shop
    shop.mine.release()
    for process in shop.running:
        process.kill()
        process.communicate()


class TestStatus:
    def test_a_lock_without_a_holder_is_free(self, shop):
        done = shop.deployctl("lock", "status")
        assert done.code == ExitCode.DONE
        assert done.stdout == f"✓ {shop.application} is not locked: a release can start\n"
        assert done.stderr == ""

    def test_the_holder_is_shown_with_exit_code_0(self, shop):
        alice = shop.alice()
        done = shop.deployctl("lock", "status")
        assert done.code == ExitCode.DONE
        assert f"alice on laptop (pid {alice.pid})" in done.stdout
        data = shop.deployctl("lock", "status", "--json").data
        assert data["schema"] == "deployctl.lock/1"
        assert data["locked"] is True
        assert data["holder"]["pid"] == alice.pid
        assert data["holder"]["release_id"] == "r-1"
        assert 0 < data["expires_in_s"] <= 31

    def test_a_refused_release_offers_lock_status(self, shop):
        shop.alice()
        with pytest.raises(LeaseHeld) as held:
            shop.acquire(0)
        assert any("deployctl lock status" in detail for detail in held.value.details)


class TestRelease:
    def test_without_force_the_holder_keeps_the_lock_and_the_command_is_shown(self, shop):
        shop.alice()
        done = shop.deployctl("lock", "release", "--json")
        assert done.code == ExitCode.BUSY
        assert done.data["code"] == "lock-not-released"
        assert done.data["remedy"] == "deployctl lock release r-1 --force"
        assert shop.deployctl("lock", "status", "--json").data["locked"] is True

    def test_releasing_a_free_lock_does_nothing(self, shop):
        done = shop.deployctl("lock", "release")
        assert done.code == ExitCode.DONE
        assert "is not locked" in done.stdout

    def test_a_hanging_holder_loses_the_lock_and_names_the_new_holder(self, shop):
        alice = shop.alice(renew_every_s=0.5)
        done = shop.deployctl("lock", "release", "r-1", "--force", "--json")
        assert done.code == ExitCode.DONE
        assert done.data["released_from"]["pid"] == alice.pid
        code, said = last_words(alice)
        assert code == ExitCode.BUSY
        assert "took it with `deployctl lock release --force`" in said

    def test_a_release_with_another_id_keeps_the_lock(self, shop):
        shop.alice()
        done = shop.deployctl("lock", "release", "r-0", "--force", "--json")
        assert done.code == ExitCode.BUSY
        assert done.data["remedy"] == "deployctl lock release r-1 --force"
        assert shop.deployctl("lock", "status", "--json").data["locked"] is True


class TestTwoProcesses:
    def test_the_lock_of_a_process_killed_on_this_host_is_free_at_once(self, shop):
        alice = shop.alice()
        alice.kill()
        alice.wait()
        assert shop.deployctl("lock", "status", "--json").data["locked"] is False
        assert shop.acquire(0) < 5

    def test_a_waiting_process_gets_the_lock_soon_after_the_holder_was_killed(self, shop):
        alice = shop.alice()
        with pytest.raises(LeaseHeld):
            shop.acquire(3)
        alice.kill()
        alice.wait()
        shop.acquire(20)
        shop.mine.check()
        assert "v1 by alice on laptop" in shop.said[0]

    def test_a_suspended_holder_loses_an_expired_lock_and_notices_on_waking(self, shop):
        alice = shop.alice(**QUICK)
        alice.send_signal(signal.SIGSTOP)
        # A renewal may just have been in flight. Until the lock expires, a suspended process does not count as dead.
        with pytest.raises(LeaseHeld):
            shop.acquire(0)
        shop.acquire(30)
        alice.send_signal(signal.SIGCONT)
        code, said = last_words(alice)
        assert code == ExitCode.BUSY
        assert "lost" in said
        shop.mine.check()

    def test_a_suspended_holder_does_not_retake_a_lock_that_was_taken(self, shop):
        alice = shop.alice(renew_every_s=0.5)
        alice.send_signal(signal.SIGSTOP)
        assert shop.deployctl("lock", "release", "--force").code == ExitCode.DONE
        assert shop.acquire(0) < 5
        alice.send_signal(signal.SIGCONT)
        code, said = last_words(alice)
        assert code == ExitCode.BUSY
        assert "bob on harness holds it now, for v2" in said

    def test_a_holder_that_is_asked_to_stop_releases_the_lock(self, shop):
        alice = shop.alice(renew_every_s=0.5)
        settings: Any = SimpleNamespace(application=shop.application)
        runner = ReleaseRunner(settings, shop.ports, lambda event: shop.said.append(event.what), "bob")
        request_stop_elsewhere(runner, StopKind.SUPERSEDE)
        assert last_words(alice) == (0, "supersede by bob\n")
        assert shop.acquire(0) < 5
