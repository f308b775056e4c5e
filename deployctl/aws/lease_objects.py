"""The two objects of a lease: `lease/<application>.json` and the stop request for its holder.

A lease expires by S3's clock: the Date of S3's answer against the object's Last-Modified. Clocks of two hosts are
never compared.
"""

from __future__ import annotations

from dataclasses import dataclass

from deployctl.aws.json_records import CONTENT_TYPE
from deployctl.aws.lease_record import LeaseRecord, StopRecord, decode, decode_stop, encode, encode_stop
from deployctl.aws.s3 import ABSENT, Condition, S3Bucket
from deployctl.model.names import ApplicationName
from deployctl.model.port_errors import LeaseHeld
from deployctl.ports import Holder, LeaseView

# Date and Last-Modified are whole seconds, so their difference may be one short.
_CLOCK_STEP_S = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class LeaseRead:
    """The lease as read. `age_s` is the time since its last write, by S3's clock."""

    record: LeaseRecord
    etag: str
    age_s: float

    @property
    def free_in_s(self) -> float:
        """Seconds until another process can take the lease unless it is renewed; 0: now."""
        if self.record.released or self.record.process.is_dead:
            return 0.0
        return max(0.0, self.record.ttl_s + _CLOCK_STEP_S - self.age_s)

    @property
    def is_free(self) -> bool:
        return self.free_in_s == 0

    @property
    def view(self) -> LeaseView | None:
        """None when the lease is free."""
        if self.is_free:
            return None
        seen = self.record
        holder = Holder(
            actor=seen.actor,
            host=seen.host,
            pid=seen.pid,
            release=seen.release,
            version=seen.version,
            acquired_at=seen.acquired_at,
            kind=seen.kind,
        )
        return LeaseView(holder=holder, expires_in_s=self.free_in_s, renewed_ago_s=self.age_s)

    def refusal(self, application: ApplicationName) -> LeaseHeld:
        seen = self.record
        return LeaseHeld(
            application,
            actor=seen.actor,
            host=seen.host,
            pid=seen.pid,
            version=seen.version,
            acquired_at=seen.acquired_at,
            free_after_s=self.free_in_s,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class StopRead:
    record: StopRecord
    etag: str


class LeaseObjects:
    """Reads and writes both objects. They are overwritten, never deleted: that would need a further permission.

    Application names have no slash, so a lease never has the key of another application's stop request.
    """

    def __init__(self, bucket: S3Bucket, application: ApplicationName) -> None:
        self.bucket = bucket
        self._key = f"lease/{application}.json"
        self._stop_key = f"lease/{application}/stop.json"

    def lease(self) -> LeaseRead | None:
        """Raises: RecordUnreadable."""
        stored = self.bucket.get(self._key)
        if stored is None:
            return None
        record = decode(stored.body, uri=self.bucket.uri(self._key))
        return LeaseRead(record=record, etag=stored.etag, age_s=stored.age_s)

    def write_lease(self, record: LeaseRecord, over: str | None) -> str:
        """Overwrite exactly the lease of this ETag (None: no lease); the new ETag. Raises: PreconditionFailed."""
        return self._put(self._key, encode(record), over)

    def stop(self) -> StopRead | None:
        """Raises: RecordUnreadable."""
        stored = self.bucket.get(self._stop_key)
        if stored is None:
            return None
        record = decode_stop(stored.body, uri=self.bucket.uri(self._stop_key))
        return StopRead(record=record, etag=stored.etag)

    def write_stop(self, record: StopRecord, over: str | None) -> None:
        """As `write_lease`."""
        self._put(self._stop_key, encode_stop(record), over)

    def _put(self, key: str, body: bytes, over: str | None) -> str:
        condition = ABSENT if over is None else Condition(etag=over)
        return self.bucket.put(key, body, condition, content_type=CONTENT_TYPE)
