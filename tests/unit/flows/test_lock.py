"""Waiting for the lease, asking its holder to stop, and taking it away."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from types import SimpleNamespace
from typing import Any

import pytest

from deployctl.flows.lock import LONGEST_POLL_S, LockNotReleased, acquire, force_release
from deployctl.flows.runner import ReleaseRunner
from deployctl.flows.stop import WAIT_S, StopTimedOut, request_stop_elsewhere
from deployctl.model.event import Event
from deployctl.model.names import ApplicationName, ReleaseId
from deployctl.model.port_errors import LeaseHeld, LeaseLost
from deployctl.model.release import ApplicationState, StopKind
from deployctl.ports import Holder
from tests.fakes.clock import START, FakeClock
from tests.fakes.cloud import APPLICATION
from tests.fakes.releasing import ReleaseHarness
from tests.fakes.storage import FakeLease, LeaseTable

SHOP = ApplicationName("shop")
ALICE = Holder(actor="alice", host="laptop", pid=1, release="r-1", version="v1", acquired_at=START)
CI = Holder(actor="ci", host="runner", pid=2, release="r-2", version="v2", acquired_at=START)
BOB = Holder(actor="bob", host="harness", pid=3, release="r-3", version="v3", acquired_at=START)


class Diary(FakeClock):
    """A clock at whose times things happen: `at` so many seconds from its start."""

    def __init__(self) -> None:
        super().__init__()
        self._due: list[tuple[float, int, Callable[[], Any]]] = []
        self._began_s = self.monotonic_s()
        self._order: Iterator[int] = itertools.count()

    def at(self, seconds: float, happens: Callable[[], Any]) -> None:
        self._due.append((self._began_s + seconds, next(self._order), happens))

    def sleep(self, seconds: float) -> None:
        super().sleep(seconds)
        self._due.sort()
        while self._due and self._due[0][0] <= self.monotonic_s():
            self._due.pop(0)[2]()

    @property
    def passed_s(self) -> float:
        return self.monotonic_s() - self._began_s


@dataclass
class Office:
    """People with a deployctl each, all of one application."""

    clock: Diary = field(default_factory=Diary)
    events: list[Event] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.table = LeaseTable(self.clock)
        self.mine = self.lease()
        states = SimpleNamespace(read=lambda application: (ApplicationState(application=application), None))
        self.ports: Any = SimpleNamespace(clock=self.clock, lease=self.mine, states=states)
        settings: Any = SimpleNamespace(application=SHOP)
        self.runner = ReleaseRunner(settings, self.ports, self.events.append, "bob")

    def lease(self) -> FakeLease:
        return FakeLease(self.table, SHOP)

    def held_by(self, holder: Holder) -> FakeLease:
        lease = self.lease()
        lease.acquire(holder)
        return lease

    @property
    def said(self) -> list[str]:
        return [event.what for event in self.events]

    def acquire(self, wait_s: float | None) -> None:
        acquire(self.ports, lambda now: replace(BOB, acquired_at=now), wait_s, self.runner.report)

    def ask(self) -> bool:
        """Whether a process was asked to stop."""
        before = len(self.events)
        request_stop_elsewhere(self.runner, StopKind.ROLLBACK)
        return len(self.events) > before

    def force_release(self, *, force: bool, release: ReleaseId | None = None) -> Holder | None:
        taken = force_release(SHOP, self.ports, actor="bob", release=release, force=force)
        return taken and taken.holder


@pytest.fixture
def office() -> Office:
    return Office()


class TestWaiting:
    def test_a_free_lease_is_taken_at_once_and_nothing_is_said(self, office):
        office.acquire(600)
        office.mine.check()
        assert office.events == []
        assert office.clock.slept_s == []

    @pytest.mark.parametrize("wait_s", [None, 0])
    def test_without_a_wait_the_holder_is_named_at_once(self, office, wait_s):
        office.held_by(ALICE)
        with pytest.raises(LeaseHeld) as held:
            office.acquire(wait_s)
        assert "v1 by alice on laptop (pid 1)" in held.value.message
        assert held.value.remedy.startswith("deployctl attach ")
        waits, supersedes, *_ = held.value.details
        assert "--wait-for-lock 10m" in waits
        assert "--supersede" in supersedes
        assert "waited" not in " ".join(held.value.details)
        assert office.clock.slept_s == []

    def test_it_is_taken_soon_after_it_is_given_back(self, office):
        alice = office.held_by(ALICE)
        office.clock.at(45, alice.release)
        office.acquire(600)
        office.mine.check()
        assert 45 <= office.clock.passed_s <= 45 + LONGEST_POLL_S

    def test_it_is_taken_once_its_holder_has_been_dead_for_long_enough(self, office):
        office.held_by(ALICE).die()
        office.acquire(600)
        assert 30 <= office.clock.passed_s <= 30 + LONGEST_POLL_S

    def test_polls_come_further_and_further_apart(self, office):
        alice = office.held_by(ALICE)
        office.clock.at(60, alice.release)
        office.acquire(600)
        slept = office.clock.slept_s
        assert slept[0] == 2
        assert slept == sorted(slept)
        assert max(slept) == LONGEST_POLL_S

    def test_each_holder_waited_for_is_reported_once(self, office):
        alice = office.held_by(ALICE)
        ci = office.lease()
        office.clock.at(20, lambda: (alice.release(), ci.acquire(CI)))
        office.clock.at(100, ci.release)
        office.acquire(600)
        assert len(office.said) == 2
        assert "v1 by alice" in office.said[0]
        assert "10m00s" in office.said[0]
        assert "v2 by ci" in office.said[1]

    def test_after_the_wait_the_holder_of_then_is_named_and_how_long_was_waited(self, office):
        office.held_by(ALICE)
        with pytest.raises(LeaseHeld) as held:
            office.acquire(25)
        assert office.clock.passed_s == 25
        assert "waited 25s for the lock" in held.value.details

    def test_a_lease_that_is_given_back_at_the_last_moment_is_taken(self, office):
        alice = office.held_by(ALICE)
        office.clock.at(25, alice.release)
        office.acquire(25)
        office.mine.check()

    def test_it_is_held_since_it_was_taken_and_not_since_it_was_asked_for(self, office):
        alice = office.held_by(ALICE)
        office.clock.at(45, alice.release)
        office.acquire(600)
        assert (office.mine.view().holder.acquired_at - START).total_seconds() >= 45


class TestAskingToStop:
    def test_no_stop_is_requested_while_the_lock_is_free(self, office):
        assert office.ask() is False
        assert office.events == []

    def test_the_holder_gets_the_request_and_is_waited_for(self, office):
        alice = office.held_by(ALICE)
        got = []
        office.clock.at(10, lambda: got.append(alice.stop_request()))
        office.clock.at(30, alice.release)
        assert office.ask() is True
        assert [(r.release, r.kind, r.actor) for r in got] == [("r-1", StopKind.ROLLBACK, "bob")]
        assert 30 <= office.clock.passed_s <= 33
        assert len(office.said) == 1
        assert "alice on laptop" in office.said[0]

    def test_a_holder_that_dies_loses_the_lock(self, office):
        alice = office.held_by(ALICE)
        office.clock.at(4, alice.die)
        assert office.ask() is True
        assert office.clock.passed_s < 40

    def test_a_request_ends_once_another_holder_has_the_lock(self, office):
        alice = office.held_by(ALICE)
        ci = office.lease()
        office.clock.at(10, lambda: (alice.release(), ci.acquire(CI)))
        assert office.ask() is True
        assert ci.stop_request() is None

    def test_a_process_that_resumes_the_release_was_not_asked_to_stop(self, office):
        alice, again = office.held_by(ALICE), office.lease()
        later = replace(ALICE, pid=99)
        office.clock.at(10, lambda: (alice.release(), again.acquire(later)))
        assert office.ask() is True
        assert again.stop_request() is None

    def test_a_holder_that_does_not_stop_in_time_is_named_with_both_remedies(self, office):
        alice = office.held_by(ALICE)
        with pytest.raises(StopTimedOut) as unheeded:
            office.ask()
        assert office.clock.passed_s == WAIT_S
        assert unheeded.value.exit_code == 5
        assert "alice on laptop" in unheeded.value.message
        said = " ".join([unheeded.value.remedy, *unheeded.value.details])
        assert "deployctl status" in said
        assert "deployctl lock release r-1 --force" in said
        assert alice.stop_request() is not None


class TestTakingAway:
    def test_without_force_nothing_is_taken_and_the_command_that_would_is_named(self, office):
        alice = office.held_by(ALICE)
        with pytest.raises(LockNotReleased) as refused:
            office.force_release(force=False)
        assert refused.value.exit_code == 5
        assert refused.value.remedy == "deployctl lock release r-1 --force"
        assert "v1 by alice on laptop (pid 1)" in refused.value.message
        alice.check()

    @pytest.mark.parametrize("force", [True, False])
    def test_a_free_lock_has_no_holder_to_release_it_from(self, office, force):
        assert office.force_release(force=force) is None

    @pytest.mark.parametrize("release", [None, ReleaseId("r-1")])
    def test_with_force_its_holder_loses_it(self, office, release):
        alice = office.held_by(ALICE)
        assert office.force_release(force=True, release=release) == ALICE
        with pytest.raises(LeaseLost):
            alice.check()
        office.acquire(None)

    def test_a_release_that_has_come_since_then_keeps_it(self, office):
        ci = office.held_by(CI)
        with pytest.raises(LockNotReleased) as refused:
            office.force_release(force=True, release=ReleaseId("r-1"))
        assert "v2 by ci" in refused.value.message
        assert "r-1 does not hold it" in refused.value.message
        ci.check()


def test_a_release_that_waited_has_an_id_of_when_it_began():
    harness = ReleaseHarness({"video": 1})
    alice = FakeLease(harness.leases, APPLICATION)
    alice.acquire(ALICE)
    harness.cloud.at(300, alice.release)
    outcome = harness.release(wait_for_lock_s=600)
    assert outcome.release_id.startswith(f"r-{outcome.started_at:%Y%m%dT%H%M}")
