"""One release an application at a time: `lease/<application>.json`, taken and renewed by conditional writes.

Whether a lease has expired is judged by S3's own clock: the Date of its answer against the object's
Last-Modified. No two hosts' clocks are ever compared.
"""

from __future__ import annotations

import threading
import uuid
from dataclasses import dataclass, replace

from deployctl.aws.lease_record import LeaseRecord, decode, encode
from deployctl.aws.records import CONTENT_TYPE
from deployctl.aws.s3 import ABSENT, Condition, ConditionFailed, S3Bucket, Stored
from deployctl.aws.this_host import this_process
from deployctl.errors import DeployctlError
from deployctl.model.names import ApplicationName
from deployctl.model.refusals import LeaseHeld, LeaseLost, LeaseUnsure
from deployctl.ports import Holder

# Date and Last-Modified are whole seconds, so their difference may be one short.
_CLOCK_STEP_S = 1.0
_ATTEMPTS = 5
_AGAIN_S = 1.0
_LOOK_S = 0.2


@dataclass(frozen=True, slots=True, kw_only=True)
class LeaseTimes:
    """`margin_s`: how long before others may take it the holder stops relying on it.

    `unsure_s`: how long a check then waits for a renewal that says that nobody has taken it.
    """

    ttl_s: float = 30
    renew_every_s: float = 10
    margin_s: float = 5
    unsure_s: float = 120


@dataclass(frozen=True, slots=True, kw_only=True)
class _Held:
    """What this process last wrote. `sure_until_s` is on the monotonic clock."""

    record: LeaseRecord
    etag: str
    sure_until_s: float


class S3Lease:
    """The Lease port on S3. `acquire` starts a thread that renews it until `release`."""

    def __init__(
        self, bucket: S3Bucket, application: ApplicationName, times: LeaseTimes | None = None
    ) -> None:
        self._bucket = bucket
        self._application = application
        self._key = f"lease/{application}.json"
        self._times = times or LeaseTimes()
        self._clock = bucket.aws.clock
        self._owner = uuid.uuid4().hex
        self._held: _Held | None = None
        self._lost: str | None = None
        self._lock = threading.Lock()
        self._leave = threading.Event()
        self._renewer: threading.Thread | None = None

    def acquire(self, holder: Holder) -> None:
        with self._lock:
            self._lost = None
            self._held = self._take(self._record_of(holder))
        self._leave.clear()
        self._renewer = threading.Thread(target=self._keep_renewed, name="lease", daemon=True)
        self._renewer.start()

    def check(self) -> None:
        """Raises also: LeaseUnsure where S3 has taken no renewal for long.

        One that comes late is as good: its condition holds only where nobody has taken the lease in between.
        """
        began_s = self._clock.monotonic_s()
        while not self._is_sure():
            if self._clock.monotonic_s() - began_s >= self._times.unsure_s:
                raise LeaseUnsure(self._application, self._times.unsure_s)
            self._clock.sleep(_LOOK_S)

    def _is_sure(self) -> bool:
        """Whether nobody else can have taken it yet. Raises: LeaseLost."""
        # Not under the lock: a renewal that hangs must not keep a release from seeing that time is up.
        held, lost = self._held, self._lost
        if lost is not None:
            raise LeaseLost(self._application, lost)
        if held is None:
            raise LeaseLost(self._application, "it is not held")
        return self._clock.monotonic_s() < held.sure_until_s

    def release(self) -> None:
        """Marked as released, rather than deleted: that needs no further permission."""
        self._leave.set()
        if self._renewer is not None:
            self._renewer.join()
            self._renewer = None
        with self._lock:
            held, self._held = self._held, None
            if held is None or self._lost is not None:
                return
            record = replace(held.record, renewal=held.record.renewal + 1, released=True)
            try:
                with self._bucket.aws.urgent():
                    self._put(record, Condition(etag=held.etag))
            except (ConditionFailed, DeployctlError):
                return  # it expires by itself, and a release that is over must not fail here

    def _record_of(self, holder: Holder) -> LeaseRecord:
        return LeaseRecord(
            owner=self._owner,
            renewal=0,
            ttl_s=self._times.ttl_s,
            released=False,
            actor=holder.actor,
            host=holder.host,
            pid=holder.pid,
            process=this_process(),
            release=holder.release,
            version=holder.version,
            acquired_at=holder.acquired_at,
        )

    def _take(self, record: LeaseRecord) -> _Held:
        """Raises: LeaseHeld."""
        seen: LeaseRecord | None = None
        for _ in range(_ATTEMPTS):
            stored = self._bucket.get(self._key)
            condition = ABSENT
            if stored is not None:
                seen = self._seen(stored)
                self._refuse_if_alive(seen, stored)
                condition = Condition(etag=stored.etag)
            try:
                return self._put(record, condition)
            except ConditionFailed:
                continue  # somebody was quicker: look at who it is
        raise self._held_by(seen or record)

    def _seen(self, stored: Stored) -> LeaseRecord:
        return decode(stored.body, uri=self._bucket.uri(self._key))

    def _refuse_if_alive(self, seen: LeaseRecord, stored: Stored) -> None:
        free = (
            seen.released
            or seen.owner == self._owner
            or stored.age_s > seen.ttl_s + _CLOCK_STEP_S
            or seen.process.is_dead
        )
        if not free:
            raise self._held_by(seen)

    def _held_by(self, seen: LeaseRecord) -> LeaseHeld:
        return LeaseHeld(
            self._application,
            actor=seen.actor,
            host=seen.host,
            pid=seen.pid,
            version=seen.version,
            acquired_at=seen.acquired_at,
            free_after_s=seen.ttl_s + _CLOCK_STEP_S,
        )

    def _put(self, record: LeaseRecord, condition: Condition) -> _Held:
        # Counted from before the request: S3 stamps the object at some time after this.
        asked_at_s = self._clock.monotonic_s()
        etag = self._bucket.put(self._key, encode(record), condition, content_type=CONTENT_TYPE)
        sure_until_s = asked_at_s + self._times.ttl_s - self._times.margin_s
        return _Held(record=record, etag=etag, sure_until_s=sure_until_s)

    def _keep_renewed(self) -> None:
        wait_s = self._times.renew_every_s
        while not self._leave.wait(wait_s):
            with self._lock, self._bucket.aws.urgent():
                if self._held is None or self._lost is not None:
                    return
                renewed = self._renew(self._held)
            wait_s = self._times.renew_every_s if renewed else min(_AGAIN_S, self._times.renew_every_s)

    def _renew(self, held: _Held) -> bool:
        """Whether it was renewed; where not, it is tried again soon, and `check` knows whether in time."""
        record = replace(held.record, renewal=held.record.renewal + 1)
        try:
            self._held = self._put(record, Condition(etag=held.etag))
        except ConditionFailed:
            self._look_again(held)
            return False
        except DeployctlError:
            return False
        return True

    def _look_again(self, held: _Held) -> None:
        """An earlier renewal of ours may have arrived and its answer been lost."""
        try:
            stored = self._bucket.get(self._key)
            seen = self._seen(stored) if stored is not None else None
        except DeployctlError:
            return
        if stored is None or seen is None:
            self._lost = "somebody deleted it"
        elif seen.owner == self._owner and not seen.released:
            self._held = replace(held, record=seen, etag=stored.etag)
        else:
            self._lost = f"{seen.actor} on {seen.host} has it now, for {seen.version}"
