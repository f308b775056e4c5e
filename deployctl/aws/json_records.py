"""JSON objects on S3: a schema name and a record. Types are checked, added fields ignored.

Anything may lie at a key: numbers that are not finite, times without a zone, text that no output can encode and
nesting deeper than the stack are refused here, where the object still has its name.
"""

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from pydantic import TypeAdapter, ValidationError

from deployctl.aws.s3 import S3Bucket
from deployctl.model.port_errors import RecordUnreadable
from deployctl.model.record_times import require_zones

T = TypeVar("T")


def to_json(schema: str, record: Mapping[str, Any]) -> bytes:
    """One JSON object, keys in order: the same record gives the same bytes."""
    text = json.dumps(
        {"schema": schema, **record}, sort_keys=True, ensure_ascii=False, indent=1, allow_nan=False
    )
    return text.encode(errors="replace") + b"\n"


def from_json(body: bytes, *, schema: str, uri: str) -> dict[str, Any]:
    """The object, which must be of this schema. Raises: RecordUnreadable."""
    try:
        found = json.loads(body, parse_constant=_finite, parse_float=_finite)
        json.dumps(found, ensure_ascii=False).encode()
    except RecursionError as error:
        raise RecordUnreadable(uri, "it is nested too deeply") from error
    except UnicodeEncodeError as error:
        raise RecordUnreadable(uri, "it has text with half a character (a lone surrogate)") from error
    except ValueError as error:
        raise RecordUnreadable(uri, f"it is not JSON ({error})") from error
    if not isinstance(found, dict):
        raise RecordUnreadable(uri, "it is not a JSON object")
    if found.get("schema") != schema:
        raise RecordUnreadable(uri, f"its schema is {found.get('schema')!r}, not {schema!r}")
    return found


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(f"the number {text} is not finite")
    return number


def is_of_schema(body: bytes, schema: str) -> bool:
    """Whether this is a JSON object of this schema."""
    try:
        from_json(body, schema=schema, uri="")
    except RecordUnreadable:
        return False
    return True


def parse_record(adapter: TypeAdapter[T], record: Mapping[str, Any], *, uri: str) -> T:
    """The record as its type. Raises: RecordUnreadable, which names the first wrong field."""
    try:
        found = adapter.validate_python(record)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise RecordUnreadable(uri, f"{where}: {first['msg']}") from error
    try:
        require_zones(found)
    except ValueError as error:
        raise RecordUnreadable(uri, str(error)) from error
    return found


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredRecord(Generic[T]):
    """A record as read. `etag` is without quotes; `age_s` is the time since its last write, by S3's clock."""

    record: T
    etag: str
    age_s: float


class RecordType(Generic[T]):
    """The JSON objects of one schema, each with one record of the class `kind`."""

    def __init__(self, schema: str, kind: type[T]) -> None:
        self.schema = schema
        self.adapter = TypeAdapter(kind)

    def encode(self, record: T) -> bytes:
        return to_json(self.schema, self.adapter.dump_python(record, mode="json"))

    def decode(self, body: bytes, *, uri: str) -> T:
        """Raises: RecordUnreadable."""
        return parse_record(self.adapter, from_json(body, schema=self.schema, uri=uri), uri=uri)

    def read(self, bucket: S3Bucket, key: str) -> StoredRecord[T] | None:
        """None when there is no object. Raises: RecordUnreadable."""
        stored = bucket.get(key)
        if stored is None:
            return None
        record = self.decode(stored.body, uri=bucket.uri(key))
        return StoredRecord(record=record, etag=stored.etag, age_s=stored.age_s)

    def write(self, bucket: S3Bucket, key: str, record: T, *, over: str | None) -> str:
        """As S3Bucket.put."""
        return bucket.put(key, self.encode(record), over=over)
