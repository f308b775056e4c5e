"""A lake in memory, and sample workers that differ in one fact each: `judge(row(tag_version="v1"))`."""

from dataclasses import dataclass, field

import pytest

from deployctl.lake.duckdb_engine import DuckEngine
from deployctl.lake.parquet import encode
from deployctl.lake.queries import reconcile
from deployctl.lake.schema import SNAPSHOTS
from deployctl.model.fleet import SnapshotRow
from tests.fakes.lake_rows import NOON, SNAPSHOT_ID, snapshot_row


@dataclass
class MemoryLake:
    objects: dict[str, bytes] = field(default_factory=dict)
    reads: list[str] = field(default_factory=list)

    def write(self, key, body):
        self.objects[key] = body

    def read(self, key):
        self.reads.append(key)
        return self.objects[key]

    def keys(self, prefix):
        return sorted(key for key in self.objects if key.startswith(prefix))


@pytest.fixture
def lake():
    return MemoryLake()


@pytest.fixture
def row():
    return snapshot_row


@pytest.fixture
def judge(lake):
    """Write these rows as one snapshot and reconcile it: the workers as judged."""

    def judged(*rows):
        lake.write(SNAPSHOTS.key(NOON, SNAPSHOT_ID), encode(rows, SnapshotRow))
        return reconcile(
            DuckEngine(lake), application="shop", snapshot_id=SNAPSHOT_ID, snapshot_at=NOON
        ).workers

    return judged
