"""The sandbox's S3 as Athena sees it."""

from __future__ import annotations

from typing import Protocol

from moto.s3.models import FakeKey

from deployctl.sandbox.s3 import backend


class ObjectSource(Protocol):
    """Callers hold the world's lock. Every method raises KeyError where there is no such bucket."""

    def keys(self, bucket: str, prefix: str) -> list[str]: ...

    def read(self, bucket: str, key: str) -> bytes:
        """Raises: KeyError where there is no such object."""
        ...

    def write(self, bucket: str, key: str, body: bytes) -> None: ...

    def check(self, bucket: str) -> None:
        """Only raises where there is no such bucket."""
        ...


class MotoObjects:
    def keys(self, bucket: str, prefix: str) -> list[str]:
        return sorted(key for key in backend().buckets[bucket].keys if key.startswith(prefix))

    def read(self, bucket: str, key: str) -> bytes:
        found = backend().buckets[bucket].keys[key]
        if not isinstance(found, FakeKey):
            raise KeyError(f"s3://{bucket}/{key}")
        return bytes(found.value)

    def write(self, bucket: str, key: str, body: bytes) -> None:
        self.check(bucket)
        backend().put_object(bucket, key, body)

    def check(self, bucket: str) -> None:
        backend().buckets[bucket]
