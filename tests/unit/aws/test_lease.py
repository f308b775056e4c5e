"""What happens between two requests of a lease, and when S3 fails, hangs, or loses an answer."""

from __future__ import annotations

import hashlib
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from email.utils import formatdate

import pytest

from deployctl.aws.call_counter import CallCounter
from deployctl.aws.clock import SystemClock
from deployctl.aws.lease import LeaseTimes, S3Lease
from deployctl.aws.lease_record import LEASES, STOPS, StopRecord
from deployctl.aws.retry import NO_RETRY
from deployctl.aws.s3 import S3Bucket
from deployctl.aws.session import Aws
from deployctl.model.names import ApplicationName, ReleaseId
from deployctl.model.port_errors import LeaseContested, LeaseHeld, LeaseUnreadable
from deployctl.model.release import StopKind, StopRequest
from deployctl.ports import Holder
from tests.fakes.aws_server import RESET, Answer, AwsServer, Request, s3_error, speak_to

AT = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
ME = Holder(actor="me", host="here", pid=1, release="r-1", version="v1", acquired_at=AT)
STOP = StopRequest(release=ReleaseId("r-1"), kind=StopKind.STOP, actor="you", at=AT)
LEASE, STOP_KEY = "lease/shop.json", "lease/shop/stop.json"
PATIENCE_S = 60
BROKEN = s3_error("InternalError", status=500)


class OneBucket:
    """S3 with conditional writes, just large enough for a lease.

    `trouble` gets each request and says what is answered instead, if anything; `before` holds what happens once
    just before a request is carried out, by method and key.
    """

    def __init__(self) -> None:
        self.objects: dict[str, bytes] = {}
        self.seen: Counter[tuple[str, str]] = Counter()
        self.trouble: Callable[[str, str], Answer | None] = lambda _method, _key: None
        self.before: dict[tuple[str, str], Callable[[], None]] = {}

    def answer(self, request: Request) -> Answer:
        method, key = request.method, request.path.removeprefix("/b/").partition("?")[0]
        if method == "HEAD":
            return Answer(headers={"x-amz-bucket-region": "eu-west-1"})
        self.seen[method, key] += 1
        self.before.pop((method, key), lambda: None)()
        return self.trouble(method, key) or self.served(request, method, key)

    def served(self, request: Request, method: str, key: str) -> Answer:
        there = self.objects.get(key)
        if method == "GET":
            if there is None:
                return s3_error("NoSuchKey", status=404)
            return Answer(body=there, headers={"ETag": etag(there), "Last-Modified": formatdate(usegmt=True)})
        wanted = request.headers.get("If-Match")
        if (wanted is None) != (there is None) or (there is not None and wanted != etag(there)):
            return s3_error("PreconditionFailed", status=412)
        self.objects[key] = request.body
        return Answer(headers={"ETag": etag(request.body)})


def etag(body: bytes) -> str:
    return f'"{hashlib.sha256(body).hexdigest()}"'


@pytest.fixture
def s3(server: AwsServer) -> OneBucket:
    s3 = OneBucket()
    server.answer_by = s3.answer
    return s3


@pytest.fixture
def lease(server: AwsServer, s3: OneBucket, monkeypatch) -> Iterator[Callable[..., S3Lease]]:
    """Makes one process's lease; by default it is not renewed within the test."""
    speak_to(server.url, monkeypatch)
    once = replace(NO_RETRY, connect_timeout_s=1, read_timeout_s=1)
    aws = Aws(region="eu-west-1", profile=None, calls=CallCounter(), clock=SystemClock(), retry=once)
    made: list[S3Lease] = []

    def make(**times: float) -> S3Lease:
        quick = {"renew_every_s": 3600, "again_after_s": 0.05}
        made.append(S3Lease(S3Bucket(aws, "b"), ApplicationName("shop"), LeaseTimes(**{**quick, **times})))
        return made[-1]

    yield make
    s3.trouble = lambda _method, _key: None
    for one in made:
        one.release()


def wait_until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def renewal(s3: OneBucket) -> int:
    return LEASES.decode(s3.objects[LEASE], uri=LEASE).renewal


class TestRenewal:
    @pytest.mark.parametrize("is_served", [False, True], ids=["and is never served", "and was served"])
    def test_a_hanging_renewal_is_abandoned_and_repeated(self, server, s3, lease, is_served):
        holder = lease(renew_every_s=0.05)
        hung: list[str] = []

        def hang(request: Request) -> Answer:
            answer = s3.answer(request)
            if request.method != "PUT" or renewal(s3) != 3 or hung:
                return answer
            hung.append(request.path)
            return replace(answer, hangs=True)

        if is_served:
            server.answer_by = hang
        else:
            s3.trouble = lambda method, _key: (
                Answer(status=500, hangs=True) if method == "PUT" and s3.seen["PUT", LEASE] == 3 else None
            )
        holder.acquire(ME)
        wait_until(lambda: renewal(s3) > 5)
        assert bool(hung) == is_served
        holder.check()

    def test_a_renewal_whose_connection_broke_after_success_is_recognized(self, server, s3, lease):
        holder = lease(renew_every_s=0.05)
        lost: list[str] = []

        def lose(request: Request) -> Answer:
            answer = s3.answer(request)
            if request.method == "PUT" and renewal(s3) == 2 and not lost:
                lost.append(request.path)
                return RESET
            return answer

        server.answer_by = lose
        holder.acquire(ME)
        wait_until(lambda: renewal(s3) > 4)
        assert lost
        holder.check()

    def test_releasing_the_lease_does_not_wait_for_a_hanging_renewal(self, s3, lease):
        holder = lease(renew_every_s=0.05)
        holder.acquire(ME)
        s3.trouble = lambda method, _key: Answer(status=500, hangs=True) if method == "PUT" else None
        hangs_since = s3.seen["PUT", LEASE]
        wait_until(lambda: s3.seen["PUT", LEASE] > hangs_since)
        s3.trouble = lambda _method, _key: None
        holder.release()
        assert LEASES.decode(s3.objects[LEASE], uri=LEASE).released

    def test_each_reads_the_stop_request_once(self, s3, lease):
        holder = lease(renew_every_s=0.02)
        holder.acquire(ME)
        wait_until(lambda: s3.seen["PUT", LEASE] > 5)
        holder.release()
        acquired, given_back = 1, 1
        assert s3.seen["GET", STOP_KEY] == s3.seen["PUT", LEASE] - acquired - given_back
        assert s3.seen["GET", LEASE] == acquired


class TestStopRequest:
    @pytest.mark.parametrize(
        "answer",
        [
            BROKEN,
            RESET,
            s3_error("AccessDenied", status=403),
            Answer(body=b"not JSON", headers={"ETag": '"e"', "Last-Modified": formatdate(usegmt=True)}),
            Answer(status=500, hangs=True),
        ],
        ids=["fails", "breaks off", "is denied", "is damaged", "hangs"],
    )
    def test_an_unreadable_stop_request_keeps_the_lease_and_is_read_later(self, s3, lease, answer):
        holder = lease(renew_every_s=0.05)
        holder.acquire(ME)
        lease().request_stop(STOP)
        s3.trouble = lambda method, key: answer if (method, key) == ("GET", STOP_KEY) else None
        begun = renewal(s3)
        wait_until(lambda: renewal(s3) > begun + 3)
        holder.check()
        s3.trouble = lambda _method, _key: None
        wait_until(lambda: holder.stop_request() == STOP)

    def test_asking_what_was_asked_sends_nothing(self, s3, lease):
        holder = lease()
        holder.acquire(ME)
        sent = s3.seen.total()
        assert holder.stop_request() is None
        assert s3.seen.total() == sent

    @pytest.mark.parametrize("just_before", [("GET", STOP_KEY), ("GET", LEASE), ("PUT", STOP_KEY)])
    def test_a_request_for_a_later_holder_is_not_overwritten_by_an_earlier_one(self, s3, lease, just_before):
        """While the slower one asks, the lease changes hands and the new holder is asked."""
        lease().acquire(ME)
        before = LEASES.decode(s3.objects[LEASE], uri=LEASE)
        later = StopRecord(owner="later", request=replace(STOP, actor="quicker"))

        def change_hands() -> None:
            s3.objects[LEASE] = LEASES.encode(replace(before, owner="later", actor="you"))
            s3.objects[STOP_KEY] = STOPS.encode(later)

        s3.before[just_before] = change_hands
        lease().request_stop(STOP)
        assert STOPS.decode(s3.objects[STOP_KEY], uri=STOP_KEY) == later

    def test_a_request_for_an_earlier_holder_is_overwritten(self, s3, lease):
        lease().acquire(ME)
        s3.objects[STOP_KEY] = STOPS.encode(StopRecord(owner="earlier", request=STOP))
        lease().request_stop(replace(STOP, actor="now"))
        left = STOPS.decode(s3.objects[STOP_KEY], uri=STOP_KEY)
        assert left.request.actor == "now"
        assert left.owner == LEASES.decode(s3.objects[LEASE], uri=LEASE).owner

    def test_no_stop_request_is_written_after_the_holder_released_the_lease(self, s3, lease):
        holder = lease()
        holder.acquire(ME)
        s3.before["GET", STOP_KEY] = lambda: s3.objects.update(
            {LEASE: LEASES.encode(replace(LEASES.decode(s3.objects[LEASE], uri=LEASE), released=True))}
        )
        lease().request_stop(STOP)
        assert STOP_KEY not in s3.objects


class TestSeizing:
    def rewrite(self, s3: OneBucket, **changes: object) -> Callable[[], None]:
        """Another process's write of the lease."""

        def write() -> None:
            found = LEASES.decode(s3.objects[LEASE], uri=LEASE)
            s3.objects[LEASE] = LEASES.encode(replace(found, renewal=found.renewal + 1, **changes))

        return write

    def test_a_renewal_in_between_does_not_save_the_holder(self, s3, lease):
        lease().acquire(ME)
        s3.before["PUT", LEASE] = self.rewrite(s3)
        assert lease().force_release(by="you").holder == ME
        assert LEASES.decode(s3.objects[LEASE], uri=LEASE).seized_by == "you"

    def test_a_lease_released_in_between_is_not_seized(self, s3, lease):
        lease().acquire(ME)
        s3.before["PUT", LEASE] = self.rewrite(s3, released=True)
        assert lease().force_release(by="you") is None

    @pytest.mark.parametrize("release", [None, ReleaseId("r-1")])
    def test_who_acquires_it_in_between_keeps_it(self, s3, lease, release):
        lease().acquire(ME)
        s3.before["PUT", LEASE] = self.rewrite(s3, owner="later", actor="another actor", release="r-2")
        with pytest.raises(LeaseHeld) as held:
            lease().force_release(by="you", release=release)
        assert "another actor" in held.value.message
        assert not LEASES.decode(s3.objects[LEASE], uri=LEASE).released


class TestAnObjectThatIsNoLease:
    @pytest.fixture(autouse=True)
    def garbage(self, s3):
        s3.objects[LEASE] = b"not JSON"

    def test_it_is_replaced_by_force_and_the_lock_is_free(self, s3, lease):
        own = lease()
        with pytest.raises(LeaseUnreadable, match="not JSON") as caught:
            own.acquire(ME)
        assert caught.value.remedy.startswith("deployctl lock release --force ")
        assert own.force_release(by="you") is None
        assert own.view() is None
        own.acquire(ME)
        assert own.view().holder == ME

    def test_it_is_kept_if_the_lock_of_one_release_is_to_be_released(self, s3, lease):
        own = lease()
        with pytest.raises(LeaseUnreadable):
            own.force_release(by="you", release=ReleaseId("r-1"))
        assert s3.objects[LEASE] == b"not JSON"

    def test_a_lease_taken_meanwhile_is_not_replaced(self, s3, lease):
        own = lease()
        s3.before["PUT", LEASE] = lambda: s3.objects.update({LEASE: b"another"})
        with pytest.raises(LeaseContested):
            own.force_release(by="you")
        assert s3.objects[LEASE] == b"another"
