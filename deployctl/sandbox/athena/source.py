"""A table of the catalog as the engine reads it: projected partitions over the sandbox's S3."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from deployctl.sandbox.athena.catalog import SQL_TYPES, TableDefinition
from deployctl.sandbox.s3 import S3Objects


def split_uri(uri: str) -> tuple[str, str]:
    """The bucket and key of an s3:// address. Raises: ValueError."""
    scheme, _, rest = uri.partition("://")
    bucket, _, key = rest.partition("/")
    if scheme != "s3" or not bucket:
        raise ValueError(f"{uri!r} is no s3:// address")
    return bucket, key


@dataclass(frozen=True, slots=True, kw_only=True)
class ProjectedTable:
    """A duckdb_query.TableSource. The query's own thread reads it, so each S3 access takes the lock."""

    table: TableDefinition
    objects: S3Objects
    lock: threading.RLock
    now: datetime

    @property
    def columns(self) -> Mapping[str, str]:
        own = {name: SQL_TYPES[kind] for name, kind in self.table.columns.items()}
        return own | ({self.table.partition: "varchar"} if self.table.partition else {})

    @property
    def former_names(self) -> Mapping[str, str]:
        return {}

    @property
    def partition(self) -> str | None:
        return self.table.partition

    def partitions(self) -> Iterable[str]:
        return [""] if self.table.projection is None else self.table.projection.values(self.now)

    def keys(self, partition: str, equal: Mapping[str, str]) -> Sequence[str]:
        """Athena does not know that objects are named after their rows: all of the partition's."""
        projection = self.table.projection
        if projection is not None and not projection.covers(partition, self.now):
            return []
        bucket, prefix = split_uri(self._location(partition))
        with self.lock:
            found = self.objects.keys(bucket, prefix)
        # Hive takes what is hidden for its own.
        return [key for key in found if not key.rpartition("/")[2].startswith(("_", "."))]

    def read(self, key: str) -> bytes:
        bucket, _ = split_uri(self.table.location)
        with self.lock:
            return self.objects.read(bucket, key)

    def _location(self, partition: str) -> str:
        template = self.table.template
        location = template.replace(f"${{{self.partition}}}", partition) if template else self.table.location
        return location if location.endswith("/") else location + "/"
