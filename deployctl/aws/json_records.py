"""JSON objects on S3: a schema name and a record. Types are checked, added fields ignored."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from pydantic import TypeAdapter, ValidationError

from deployctl.aws.s3 import S3Bucket
from deployctl.model.port_errors import RecordUnreadable

T = TypeVar("T")


def to_json(schema: str, record: Mapping[str, Any]) -> bytes:
    """One JSON object, keys in order: the same record gives the same bytes."""
    text = json.dumps({"schema": schema, **record}, sort_keys=True, ensure_ascii=False, indent=1)
    return text.encode() + b"\n"


def from_json(body: bytes, *, schema: str, uri: str) -> dict[str, Any]:
    """The object, which must be of this schema. Raises: RecordUnreadable."""
    try:
        found = json.loads(body)
    except ValueError as error:
        raise RecordUnreadable(uri, f"it is not JSON ({error})") from error
    if not isinstance(found, dict):
        raise RecordUnreadable(uri, "it is not a JSON object")
    if found.get("schema") != schema:
        raise RecordUnreadable(uri, f"its schema is {found.get('schema')!r}, not {schema!r}")
    return found


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
        return adapter.validate_python(record)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise RecordUnreadable(uri, f"{where}: {first['msg']}") from error


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
