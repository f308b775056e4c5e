"""The Lease port: the same cases over the fake and over S3, and what only S3 can meet."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from deployctl.aws.call_counter import CallCounter
from deployctl.aws.lease import LeaseTimes, S3Lease
from deployctl.aws.lease_record import LEASES
from deployctl.aws.process_identity import ProcessIdentity
from deployctl.aws.s3 import S3Bucket
from deployctl.aws.session import Aws
from deployctl.model.names import ApplicationName, ReleaseId
from deployctl.model.port_errors import LeaseHeld, LeaseLost, LeaseUncertain
from deployctl.model.release import ReleaseKind, StopKind, StopRequest
from deployctl.ports import Holder, Lease
from tests.fakes.clock import FakeClock
from tests.fakes.storage import FakeLease, LeaseTable

AT = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
ME = Holder(
    actor="me",
    host="here",
    pid=1,
    release="r-1",
    version="v1",
    acquired_at=AT,
    kind=ReleaseKind.ROLLBACK,
)
YOU = Holder(actor="you", host="there", pid=2, release="r-2", version="v2", acquired_at=AT)
STOP = StopRequest(release=ReleaseId("r-1"), kind=StopKind.STOP, actor="you", at=AT)
ROLLBACK = replace(STOP, kind=StopKind.ROLLBACK, actor="another actor")


@pytest.fixture(params=["fake", "s3"])
def leases(request: pytest.FixtureRequest, application: ApplicationName) -> Iterator[Callable[[], Lease]]:
    """Makes one process's lease; all are of one application."""
    made: list[Lease] = []
    if request.param == "fake":
        table = LeaseTable(FakeClock())
        make: Callable[[], Lease] = lambda: FakeLease(table, application)  # noqa: E731 - one of two
    else:
        bucket: S3Bucket = request.getfixturevalue("bucket")
        make = lambda: S3Lease(bucket, application, LeaseTimes(renew_every_s=0.1))  # noqa: E731 - one of two

    def lease() -> Lease:
        made.append(make())
        return made[-1]

    yield lease
    for one in made:
        one.release()


def test_a_lease_that_was_taken_can_be_relied_on(leases: Callable[[], Lease]):
    lease = leases()
    lease.acquire(ME)
    lease.check()


def test_a_second_process_is_refused_and_learns_the_holder(leases: Callable[[], Lease]):
    leases().acquire(ME)
    other = leases()
    with pytest.raises(LeaseHeld) as raised:
        other.acquire(YOU)
    assert raised.value.exit_code == 5
    for said in ("v1", "me", "here", "pid 1", "2026-01-02 03:04:05"):
        assert said in raised.value.message
    with pytest.raises(LeaseLost):
        other.check()


def test_a_lease_given_back_is_free(leases: Callable[[], Lease]):
    first, second = leases(), leases()
    first.acquire(ME)
    first.release()
    second.acquire(YOU)
    second.check()
    with pytest.raises(LeaseLost):
        first.check()


def test_giving_back_what_is_not_held_does_nothing(leases: Callable[[], Lease]):
    first, second = leases(), leases()
    first.acquire(ME)
    second.release()
    first.check()
    first.release()
    first.release()


def test_the_holder_may_acquire_the_lease_again(leases: Callable[[], Lease]):
    lease = leases()
    lease.acquire(ME)
    lease.release()
    lease.acquire(replace(ME, version="v2"))
    lease.check()


def test_every_process_reads_the_holder(leases: Callable[[], Lease]):
    holder, other = leases(), leases()
    assert other.view() is None
    holder.acquire(ME)
    for seen in (holder.view(), other.view()):
        assert seen is not None
        assert seen.holder == ME
        assert 20 < seen.expires_in_s <= 31
        assert 0 <= seen.renewed_ago_s < 10
    holder.release()
    assert other.view() is None


def test_a_lease_that_was_seized_is_free_at_once_and_its_holder_loses_it(leases: Callable[[], Lease]):
    holder, other = leases(), leases()
    holder.acquire(ME)
    taken = other.force_release(by="you")
    assert taken is not None
    assert taken.holder == ME
    assert other.view() is None
    other.acquire(YOU)
    assert "lost" in loss(holder)
    holder.release()
    other.check()


def test_forcing_the_release_of_a_free_lease_does_nothing(leases: Callable[[], Lease]):
    holder, other = leases(), leases()
    assert other.force_release(by="you") is None
    holder.acquire(ME)
    holder.release()
    assert other.force_release(by="you") is None
    assert other.force_release(by="you", release=ReleaseId("r-1")) is None


def test_a_lease_is_seized_from_the_release_that_was_meant_and_from_no_other(leases: Callable[[], Lease]):
    holder, other = leases(), leases()
    holder.acquire(ME)
    with pytest.raises(LeaseHeld):
        other.force_release(by="you", release=ReleaseId("r-2"))
    holder.check()
    taken = other.force_release(by="you", release=ReleaseId("r-1"))
    assert taken is not None
    assert taken.holder == ME


def test_the_holder_learns_that_it_is_asked_to_stop_and_keeps_the_lease(leases: Callable[[], Lease]):
    holder, other = leases(), leases()
    holder.acquire(ME)
    assert holder.stop_request() is None
    other.request_stop(STOP)
    within_s(20, lambda: holder.stop_request() == STOP)
    assert other.stop_request() is None
    holder.check()


def test_the_first_who_asks_counts(leases: Callable[[], Lease]):
    holder, other = leases(), leases()
    holder.acquire(ME)
    other.request_stop(STOP)
    other.request_stop(ROLLBACK)
    within_s(20, lambda: holder.stop_request() is not None)
    assert holder.stop_request() == STOP


def test_a_stop_request_for_another_release_is_not_written(leases: Callable[[], Lease]):
    holder, other = leases(), leases()
    holder.acquire(ME)
    other.request_stop(replace(STOP, release=ReleaseId("r-2")))
    other.request_stop(STOP)
    within_s(20, lambda: holder.stop_request() is not None)
    assert holder.stop_request() == STOP


@pytest.mark.parametrize("who", ["the same process", "another process"])
def test_a_request_never_stops_a_later_holder_of_the_same_release(leases: Callable[[], Lease], who: str):
    first, other = leases(), leases()
    first.acquire(ME)
    other.request_stop(STOP)
    first.release()
    later = first if who == "the same process" else leases()
    later.acquire(ME)
    assert later.stop_request() is None
    # Answered by the next request, and not by the one before: that one was read and passed over.
    other.request_stop(ROLLBACK)
    within_s(20, lambda: later.stop_request() is not None)
    assert later.stop_request() == ROLLBACK


def test_a_stop_request_without_a_holder_stops_no_later_release(leases: Callable[[], Lease]):
    holder, other = leases(), leases()
    other.request_stop(STOP)
    holder.acquire(ME)
    holder.release()
    other.request_stop(STOP)
    holder.acquire(ME)
    other.request_stop(ROLLBACK)
    within_s(20, lambda: holder.stop_request() is not None)
    assert holder.stop_request() == ROLLBACK


def within_s(limit_s: float, holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + limit_s
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def loss(holder: Lease) -> str:
    """What `check` says, within 20 s."""
    said: list[str] = []

    def is_lost() -> bool:
        try:
            holder.check()
        except LeaseLost as lost:
            said.append(lost.message)
        return bool(said)

    within_s(20, is_lost)
    return said[0]


def renewal(bucket: S3Bucket, key: str) -> int:
    """The number of the last renewal."""
    return LEASES.decode(bucket.get(key).body, uri=key).renewal


class TestOnS3:
    """What only S3 can meet."""

    @pytest.fixture
    def key(self, application: ApplicationName) -> str:
        return f"lease/{application}.json"

    @pytest.fixture
    def lease(self, bucket: S3Bucket, application: ApplicationName) -> Iterator[Callable[..., S3Lease]]:
        made: list[S3Lease] = []

        def make(on: S3Bucket = bucket, **times: float) -> S3Lease:
            made.append(S3Lease(on, application, LeaseTimes(**times)))
            return made[-1]

        yield make
        for one in made:
            one.release()

    def test_a_lease_without_renewals_expires_by_the_servers_clock(self, lease):
        began = time.monotonic()
        lease(ttl_s=1, renew_every_s=3600, margin_s=0).acquire(ME)
        other = lease()
        while True:
            try:
                other.acquire(YOU)
                break
            except LeaseHeld:
                assert time.monotonic() < began + 30
                time.sleep(0.3)
        assert time.monotonic() - began > 1

    def test_a_renewal_resets_the_age_by_the_servers_clock(self, bucket, key, lease):
        holder = lease(renew_every_s=1.3)
        holder.acquire(ME)
        within_s(20, lambda: bucket.get(key).age_s >= 1)
        within_s(20, lambda: bucket.get(key).age_s < 1)
        with pytest.raises(LeaseHeld):
            lease().acquire(YOU)

    def test_a_renewal_lets_the_holder_rely_on_it_for_longer(self, aws, bucket, key, lease):
        clock = FakeClock()
        own = Aws(region=aws.region, profile=None, calls=CallCounter(), clock=clock)
        holder = lease(S3Bucket(own, bucket.name), renew_every_s=0.1)
        holder.acquire(ME)
        for _ in range(3):
            clock.advance(24.9)
            renewed = renewal(bucket, key)
            # The first may have been in progress when the clock moved.
            within_s(20, lambda: renewal(bucket, key) >= renewed + 2)  # noqa: B023 - called at once
        holder.check()

    def test_the_lease_of_a_dead_process_of_this_host_is_free_at_once(self, bucket, application, lease):
        program = f"""
import os
from datetime import UTC, datetime
from deployctl.aws.call_counter import CallCounter
from deployctl.aws.clock import SystemClock
from deployctl.aws.lease import S3Lease
from deployctl.aws.s3 import S3Bucket
from deployctl.aws.session import Aws
from deployctl.ports import Holder
aws = Aws(region={bucket.aws.region!r}, profile=None, calls=CallCounter(), clock=SystemClock())
S3Lease(S3Bucket(aws, {bucket.name!r}), {application!r}).acquire(
    Holder(actor="dead", host="here", pid=os.getpid(), release="r", version="v", acquired_at=datetime.now(UTC))
)
os._exit(9)
"""
        assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 9
        assert b'"dead"' in bucket.get(f"lease/{application}.json").body
        assert lease().view() is None
        lease().request_stop(replace(STOP, release=ReleaseId("r")))
        assert bucket.get(f"lease/{application}/stop.json") is None
        lease().acquire(ME)

    @pytest.mark.parametrize("other_host", [None, "another-boot/pid:[4026531836]"])
    def test_a_process_of_another_host_is_never_taken_for_dead(self, bucket, key, lease, other_host):
        holder = lease(renew_every_s=3600)
        holder.acquire(ME)
        dead = ProcessIdentity(pid=2**22 + 1, host_key=other_host, started="1")
        record = replace(LEASES.decode(bucket.get(key).body, uri=key), process=dead)
        bucket.write(key, LEASES.encode(record), content_type="application/json")
        with pytest.raises(LeaseHeld):
            lease().acquire(YOU)

    def test_a_lease_that_was_taken_over_is_lost(self, bucket, key, lease):
        holder = lease(renew_every_s=0.1)
        holder.acquire(ME)
        record = replace(
            LEASES.decode(bucket.get(key).body, uri=key), owner="other", actor="you", host="there"
        )
        bucket.write(key, LEASES.encode(record), content_type="application/json")
        said = loss(holder)
        assert "you on there" in said
        holder.release()
        assert LEASES.decode(bucket.get(key).body, uri=key).owner == "other"

    def test_a_lease_that_was_deleted_is_lost(self, bucket, key, lease):
        holder = lease(renew_every_s=0.1)
        holder.acquire(ME)
        bucket.aws.s3.delete_object(Bucket=bucket.name, Key=key)
        assert "deleted" in loss(holder)

    def test_a_renewal_whose_answer_was_lost_is_recognized(self, bucket, key, lease):
        holder = lease(renew_every_s=0.3)
        holder.acquire(ME)
        stored = LEASES.decode(bucket.get(key).body, uri=key)
        arrived = replace(stored, renewal=stored.renewal + 1000)
        bucket.write(key, LEASES.encode(arrived), content_type="application/json")
        within_s(20, lambda: renewal(bucket, key) > arrived.renewal)
        holder.check()

    def test_a_lease_that_could_not_be_renewed_in_time_is_not_relied_on(self, aws, bucket, lease):
        clock = FakeClock()
        own = Aws(region=aws.region, profile=None, calls=CallCounter(), clock=clock)
        holder = lease(S3Bucket(own, bucket.name), renew_every_s=3600)
        holder.acquire(ME)
        clock.advance(24.9)
        holder.check()
        assert clock.slept_s == []
        clock.advance(0.1)
        with pytest.raises(LeaseUncertain):
            holder.check()
        assert sum(clock.slept_s) == pytest.approx(LeaseTimes().unsure_s)

    def test_a_check_waits_for_a_renewal_that_comes_late(self, sandbox, bucket, lease):
        holder = lease(ttl_s=2, margin_s=1, renew_every_s=0.5)
        holder.acquire(ME)
        sandbox.control.inject("throttle", operation="s3:PutObject", for_s=2)
        began, longest_s = time.monotonic(), 0.0
        while time.monotonic() < began + 3:
            asked = time.monotonic()
            holder.check()
            longest_s = max(longest_s, time.monotonic() - asked)
        assert longest_s > 0.5

    def test_a_lease_that_was_taken_while_it_could_not_be_renewed_is_lost(self, sandbox, bucket, key, lease):
        holder = lease(ttl_s=2, margin_s=1, renew_every_s=0.5)
        holder.acquire(ME)
        record = replace(
            LEASES.decode(bucket.get(key).body, uri=key), owner="other", actor="you", host="there"
        )
        bucket.write(key, LEASES.encode(record), content_type="application/json")
        sandbox.control.inject("throttle", operation="s3:PutObject", for_s=2)
        assert "you on there" in loss(holder)

    def test_the_holder_learns_who_forced_the_release(self, lease):
        holder = lease(renew_every_s=0.1)
        holder.acquire(ME)
        lease().force_release(by="bob")
        assert "bob took it" in loss(holder)

    def test_of_two_concurrent_forced_releases_one_succeeds(self, lease):
        holder = lease(renew_every_s=3600)
        holder.acquire(ME)
        with ThreadPoolExecutor(4) as pool:
            taken = list(pool.map(lambda _: lease().force_release(by="you"), range(4)))
        assert [view.holder for view in taken if view is not None] == [ME]

    def test_who_slept_past_the_end_of_a_seized_lease_does_not_get_it_back(self, bucket, key, lease):
        sleeper = lease(ttl_s=1, renew_every_s=3600, margin_s=0)
        sleeper.acquire(ME)
        within_s(20, lambda: lease().view() is None)
        assert lease().force_release(by="you") is None
        assert LEASES.decode(bucket.get(key).body, uri=key).released
