"""The two objects of a lease: `lease/<application>.json` and the stop request for its holder.

A lease expires by S3's clock: the Date of S3's answer against the object's Last-Modified. Clocks of two hosts are
never compared.
"""

from dataclasses import dataclass, fields

from deployctl.aws.json_records import RecordType, StoredRecord
from deployctl.aws.process_identity import ProcessIdentity
from deployctl.model.names import ApplicationName
from deployctl.model.port_errors import LeaseHeld
from deployctl.model.release import StopRequest
from deployctl.ports import Holder, LeaseView

SCHEMA = "deployctl.lease/1"
STOP_SCHEMA = "deployctl.stop/1"
# Date and Last-Modified are whole seconds, so their difference may be one short.
_CLOCK_STEP_S = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class LeaseRecord(Holder):
    """The holder, and the state of its lease.

    `owner` is unique to one acquisition; `renewal` counts up, so that no two writes are equal.
    Another process of the same host checks by `process` whether the holder is alive; `actor`, `host` and `pid` are
    for people. `seized_by` is the actor who forced the release. `kind` is what the lease is held for.
    """

    owner: str
    renewal: int
    ttl_s: float
    released: bool
    process: ProcessIdentity
    seized_by: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class StopRecord:
    """A stop request for one `owner` of the lease; later holders ignore it."""

    owner: str
    request: StopRequest


LEASES = RecordType(SCHEMA, LeaseRecord)
STOPS = RecordType(STOP_SCHEMA, StopRecord)


@dataclass(frozen=True, slots=True, kw_only=True)
class LeaseRead(StoredRecord[LeaseRecord]):
    """The lease as read."""

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
        holder = Holder(**{field.name: getattr(self.record, field.name) for field in fields(Holder)})
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
