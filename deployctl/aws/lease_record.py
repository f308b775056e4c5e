"""The lease object on S3, and the stop request for its holder."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from pydantic import TypeAdapter

from deployctl.aws.json_records import from_json, parse_record, to_json
from deployctl.aws.process_identity import ProcessIdentity
from deployctl.model.release import ReleaseKind, StopRequest

SCHEMA = "deployctl.lease/1"
STOP_SCHEMA = "deployctl.stop/1"


@dataclass(frozen=True, slots=True, kw_only=True)
class LeaseRecord:
    """`owner` is unique to one acquisition; `renewal` counts up, so that no two writes are equal.

    Another process of the same host checks by `process` whether the holder is alive; `actor`, `host` and `pid` are
    for people. `seized_by` is the actor who forced the release. `kind` is what the lease is held for.
    """

    owner: str
    renewal: int
    ttl_s: float
    released: bool
    actor: str
    host: str
    pid: int
    process: ProcessIdentity
    release: str
    version: str
    acquired_at: datetime
    seized_by: str | None = None
    kind: ReleaseKind = ReleaseKind.RELEASE


@dataclass(frozen=True, slots=True, kw_only=True)
class StopRecord:
    """A stop request for one `owner` of the lease; later holders ignore it."""

    owner: str
    request: StopRequest


_RECORD = TypeAdapter(LeaseRecord)
_STOP = TypeAdapter(StopRecord)


def encode(record: LeaseRecord) -> bytes:
    return to_json(SCHEMA, _RECORD.dump_python(record, mode="json"))


def decode(body: bytes, *, uri: str) -> LeaseRecord:
    """Raises: RecordUnreadable."""
    return parse_record(_RECORD, from_json(body, schema=SCHEMA, uri=uri), uri=uri)


def encode_stop(record: StopRecord) -> bytes:
    return to_json(STOP_SCHEMA, _STOP.dump_python(record, mode="json"))


def decode_stop(body: bytes, *, uri: str) -> StopRecord:
    """Raises: RecordUnreadable."""
    return parse_record(_STOP, from_json(body, schema=STOP_SCHEMA, uri=uri), uri=uri)
