"""Allows one release an application at a time: a lease on S3, taken and renewed by conditional writes."""

import os
import threading
import uuid
from dataclasses import asdict, dataclass, replace

from deployctl.aws.lease_record import LEASES, STOPS, LeaseRead, LeaseRecord, StopRecord
from deployctl.aws.process_identity import this_process
from deployctl.aws.request_control import urgent
from deployctl.aws.s3 import PreconditionFailed, S3Bucket
from deployctl.errors import DeployctlError
from deployctl.model.names import ApplicationName, ReleaseId
from deployctl.model.port_errors import (
    LeaseContested,
    LeaseLost,
    LeaseUncertain,
    LeaseUnreadable,
    RecordUnreadable,
)
from deployctl.model.release import StopRequest
from deployctl.ports import Holder, LeaseView

_ATTEMPTS = 5
_CHECK_EVERY_S = 0.2


@dataclass(frozen=True, slots=True, kw_only=True)
class LeaseTimes:
    """`margin_s`: the holder stops relying on the lease this long before others may take it.

    `unsure_s`: how long `check` then waits for a successful renewal. A failed renewal is repeated after
    `again_after_s`.
    """

    ttl_s: float = 30
    renew_every_s: float = 10
    margin_s: float = 5
    unsure_s: float = 120
    again_after_s: float = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class _HeldLease:
    """The lease as this process last wrote it. `sure_until_s` is on the monotonic clock."""

    record: LeaseRecord
    etag: str
    sure_until_s: float


class S3Lease:
    """The Lease port on S3. `acquire` starts a thread that renews it until `release`.

    While it runs, only that thread writes `_held`, `_lost` and `_stop_request`; `acquire` and `release` wait for
    its end.
    """

    def __init__(
        self, bucket: S3Bucket, application: ApplicationName, times: LeaseTimes | None = None
    ) -> None:
        self._bucket = bucket
        self._application = application
        # Application names have no slash: a lease never has the key of another application's stop request.
        # Both are overwritten, never deleted: that would need a further permission.
        self._key = f"lease/{application}.json"
        self._stop_key = f"lease/{application}/stop.json"
        self._times = times or LeaseTimes()
        self._clock = bucket.aws.clock
        self._owned: set[str] = set()
        self._held: _HeldLease | None = None
        self._lost: str | None = None
        self._stop_request: StopRequest | None = None
        self._stop_renewer = threading.Event()
        self._renewer: threading.Thread | None = None

    def acquire(self, holder: Holder) -> None:
        self._stop_renewing()
        self._lost = self._stop_request = None
        self._held = self._take(self._record_of(holder))
        self._stop_renewer.clear()
        self._renewer = threading.Thread(target=self._keep_renewed, name="lease", daemon=True)
        self._renewer.start()

    def check(self) -> None:
        """Raises also: LeaseUncertain when S3 accepts no renewal for long.

        A late renewal is as good: its condition holds only if no other process took the lease in between.
        """
        began_s = self._clock.monotonic_s()
        while not self._is_sure():
            if self._clock.monotonic_s() - began_s >= self._times.unsure_s:
                raise LeaseUncertain(self._application, self._times.unsure_s)
            self._clock.sleep(_CHECK_EVERY_S)

    def _is_sure(self) -> bool:
        """Whether no other process can have taken the lease yet. Raises: LeaseLost."""
        held, lost = self._held, self._lost
        if lost is not None:
            raise LeaseLost(self._application, lost)
        if held is None:
            raise LeaseLost(self._application, "this process does not hold it")
        return self._clock.monotonic_s() < held.sure_until_s

    def release(self) -> None:
        """Marks the lease as released."""
        self._stop_renewing()
        held, self._held = self._held, None
        if held is None or self._lost is not None:
            return
        record = replace(held.record, renewal=held.record.renewal + 1, released=True)
        try:
            with urgent():
                LEASES.write(self._bucket, self._key, record, over=held.etag)
        except (PreconditionFailed, DeployctlError):
            return  # the lease expires, and a finished release must not fail here

    def view(self) -> LeaseView | None:
        seen = self._read()
        return None if seen is None else seen.view

    def force_release(self, *, by: str, release: ReleaseId | None = None) -> LeaseView | None:
        """Marks an expired lease too: its holder may be suspended and must not renew the lease later.

        Replaces an object that is no lease, unless a `release` is given: that object names none.
        """
        owner: str | None = None
        for _ in range(_ATTEMPTS):
            try:
                seen = self._read()
            except LeaseUnreadable:
                if release is not None:
                    raise
                self._replace_unreadable(by)
                return None
            if seen is None or seen.record.released:
                return None
            record = seen.record
            # A later holder keeps the lease: the caller decided about the earlier one.
            if owner not in (None, record.owner) or release not in (None, record.release):
                if seen.is_free:
                    return None
                raise seen.refusal(self._application)
            owner = record.owner
            marked = replace(record, renewal=record.renewal + 1, released=True, seized_by=by)
            try:
                LEASES.write(self._bucket, self._key, marked, over=seen.etag)
            except PreconditionFailed:
                continue  # the lease was renewed, released or taken: read it again
            return seen.view
        raise LeaseContested(self._application)

    def _replace_unreadable(self, by: str) -> None:
        """Write a released lease over an object that is none. Raises: LeaseContested."""
        stored = self._bucket.get(self._key)
        if stored is None:
            return
        who = Holder(
            actor=by, host="", pid=os.getpid(), release="", version="", acquired_at=self._clock.now()
        )
        record = replace(self._record_of(who), released=True, seized_by=by)
        try:
            LEASES.write(self._bucket, self._key, record, over=stored.etag)
        except PreconditionFailed as error:
            raise LeaseContested(self._application) from error

    def request_stop(self, request: StopRequest) -> None:
        """The first request for a holder counts; later ones are ignored."""
        for _ in range(_ATTEMPTS):
            # Read before the lease, so that a request for a later holder is not overwritten.
            earlier = STOPS.read(self._bucket, self._stop_key)
            seen = self._read()
            if seen is None or seen.is_free or seen.record.release != request.release:
                return
            if earlier is not None and earlier.record.owner == seen.record.owner:
                return
            record = StopRecord(owner=seen.record.owner, request=request)
            try:
                STOPS.write(self._bucket, self._stop_key, record, over=earlier.etag if earlier else None)
            except PreconditionFailed:
                continue  # another process wrote a request at the same time: read it
            return
        raise LeaseContested(self._application)

    def stop_request(self) -> StopRequest | None:
        return self._stop_request

    def _record_of(self, holder: Holder) -> LeaseRecord:
        owner = uuid.uuid4().hex
        self._owned.add(owner)
        return LeaseRecord(
            **asdict(holder),
            owner=owner,
            renewal=0,
            ttl_s=self._times.ttl_s,
            released=False,
            process=this_process(),
        )

    def _read(self) -> LeaseRead | None:
        """Raises: LeaseUnreadable."""
        try:
            stored = LEASES.read(self._bucket, self._key)
        except RecordUnreadable as error:
            raise LeaseUnreadable(error.uri, error.why) from error
        if stored is None:
            return None
        return LeaseRead(record=stored.record, etag=stored.etag, age_s=stored.age_s)

    def _take(self, record: LeaseRecord) -> _HeldLease:
        """Raises: LeaseHeld."""
        for _ in range(_ATTEMPTS):
            seen = self._read()
            if seen is not None and not seen.is_free and seen.record.owner not in self._owned:
                raise seen.refusal(self._application)
            try:
                return self._put(record, seen.etag if seen else None)
            except PreconditionFailed:
                continue  # another process was faster: read its lease
        raise LeaseContested(self._application)

    def _put(self, record: LeaseRecord, over: str | None) -> _HeldLease:
        # Taken before the request: S3 stamps the object later.
        sent_at_s = self._clock.monotonic_s()
        etag = LEASES.write(self._bucket, self._key, record, over=over)
        sure_until_s = sent_at_s + self._times.ttl_s - self._times.margin_s
        return _HeldLease(record=record, etag=etag, sure_until_s=sure_until_s)

    def _stop_renewing(self) -> None:
        self._stop_renewer.set()
        if self._renewer is not None:
            self._renewer.join()
            self._renewer = None

    def _keep_renewed(self) -> None:
        wait_s = self._times.renew_every_s
        with urgent():
            while not self._stop_renewer.wait(wait_s):
                if self._held is None or self._lost is not None:
                    return
                began_s = self._clock.monotonic_s()
                if not self._renew(self._held):
                    wait_s = min(self._times.again_after_s, self._times.renew_every_s)
                    continue
                self._read_stop_request(self._held.record.owner)
                # Counted from the renewal: a slow read of the stop request must not delay the next one.
                wait_s = max(0.0, self._times.renew_every_s - (self._clock.monotonic_s() - began_s))

    def _renew(self, held: _HeldLease) -> bool:
        """Whether the renewal succeeded; if not, the thread repeats it soon, and `check` decides whether in time."""
        record = replace(held.record, renewal=held.record.renewal + 1)
        try:
            self._held = self._put(record, held.etag)
        except PreconditionFailed:
            self._recheck(held)
            return False
        except DeployctlError:
            return False
        return True

    def _recheck(self, held: _HeldLease) -> None:
        """Read the lease again: an earlier renewal may have succeeded and its answer been lost."""
        try:
            seen = self._read()
        except DeployctlError:
            return
        if seen is None:
            self._lost = "its object on S3 was deleted"
        elif seen.record.owner != held.record.owner:
            now = seen.record
            self._lost = f"{now.actor} on {now.host} holds it now, for {now.version}"
        elif seen.record.released:
            self._lost = f"{seen.record.seized_by} took it with `deployctl lock release --force`"
        else:
            self._held = replace(held, record=seen.record, etag=seen.etag)

    def _read_stop_request(self, owner: str) -> None:
        """Runs after the renewal, so that an error here does not cost the lease."""
        if self._stop_request is not None:
            return
        try:
            stop = STOPS.read(self._bucket, self._stop_key)
        except DeployctlError:
            return  # read again at the next renewal
        if stop is not None and stop.record.owner == owner:
            self._stop_request = stop.record.request
