"""The lease object as it lies on S3."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from pydantic import TypeAdapter

from deployctl.aws.records import from_json, parsed, to_json
from deployctl.aws.this_host import ProcessMark

SCHEMA = "deployctl.lease/1"


@dataclass(frozen=True, slots=True, kw_only=True)
class LeaseRecord:
    """`owner` is one Lease object's own name; `renewal` counts up, so that no two writes have the same bytes.

    `process` tells another process of the same host whether this one lives; `actor` to `pid` are for people.
    """

    owner: str
    renewal: int
    ttl_s: float
    released: bool
    actor: str
    host: str
    pid: int
    process: ProcessMark
    release: str
    version: str
    acquired_at: datetime


_RECORD = TypeAdapter(LeaseRecord)


def encode(record: LeaseRecord) -> bytes:
    return to_json(SCHEMA, _RECORD.dump_python(record, mode="json"))


def decode(body: bytes, *, uri: str) -> LeaseRecord:
    """Raises: RecordUnreadable."""
    return parsed(_RECORD, from_json(body, schema=SCHEMA, uri=uri), uri=uri)
