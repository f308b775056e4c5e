"""Rows become Parquet that Athena reads, and rows again."""

from dataclasses import dataclass, fields
from datetime import UTC, datetime, timedelta, timezone

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from deployctl.lake.parquet import SMALL_FILE_BYTES, LakeObjectDamaged, decode, encode, metadata_of, read
from deployctl.lake.schema import SNAPSHOTS, TABLES, arrow_schema
from deployctl.model.fleet import SnapshotRow

NOON = datetime(2026, 11, 22, 12, 0, 0, tzinfo=UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class Old:
    name: str
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class New:
    name: str
    at: datetime
    count: int | None
    is_spot: bool | None


def opened(body):
    return pq.ParquetFile(pa.BufferReader(body))


def test_text_that_no_encoding_holds_is_written_with_a_replacement(row):
    (read_back,) = decode(encode([row(tag_version="v\ud800")], SnapshotRow), SnapshotRow)
    assert read_back.tag_version == "v?"


def test_a_snapshot_reads_back_unchanged(row):
    rows = [row(), row(instance_id="i-ü\n'\"", tag_version=None, tag_sequence=None, is_spot=False)]
    assert decode(encode(rows, SnapshotRow), SnapshotRow) == rows


@given(
    st.lists(
        st.builds(
            New,
            name=st.text(),
            at=st.datetimes(
                NOON.replace(tzinfo=None, year=1970),
                NOON.replace(tzinfo=None, year=2200),
                timezones=st.sampled_from([UTC, timezone(timedelta(hours=5))]),
            ).map(lambda at: at.replace(microsecond=at.microsecond // 1000 * 1000)),
            count=st.none() | st.integers(-(2**63), 2**63 - 1),
            is_spot=st.none() | st.booleans(),
        ),
        max_size=20,
    )
)
def test_any_rows_come_back_as_they_went(rows):
    assert decode(encode(rows, New), New) == rows


def test_times_are_milliseconds_of_utc_without_a_zone():
    at = datetime(2026, 11, 22, 13, 0, 0, 123999, tzinfo=timezone(timedelta(hours=1)))
    file = opened(encode([Old(name="a", at=at)], Old))
    logical = file.schema.column(1).logical_type
    assert '"isAdjustedToUTC":false,"timeUnit":"milliseconds"' in logical.to_json()
    assert file.read()["at"][0].as_py() == NOON.replace(tzinfo=None, microsecond=123000)


def test_a_time_without_a_zone_is_refused():
    with pytest.raises(ValueError, match="without a zone"):
        encode([Old(name="a", at=NOON.replace(tzinfo=None))], Old)


def test_notes_stand_in_the_footer_and_in_no_row():
    row = Old(name="a", at=NOON)
    body = encode([row], Old, notes={"deployctl.through": "midnight"})
    assert metadata_of(body) == {"deployctl.through": "midnight"}
    assert decode(body, Old) == [row]
    assert metadata_of(encode([], Old, notes={"a": "b"})) == {"a": "b"}
    assert metadata_of(encode([row], Old)) == {}


def test_a_value_of_the_wrong_type_is_refused():
    with pytest.raises(pa.ArrowTypeError):
        encode([Old(name="a", at="yesterday")], Old)


def test_a_column_that_an_older_object_lacks_is_none():
    at = datetime(2026, 11, 22, tzinfo=UTC)
    assert decode(encode([Old(name="a", at=at)], Old), New) == [
        New(name="a", at=at, count=None, is_spot=None)
    ]


def test_a_column_that_this_version_does_not_know_is_passed_over():
    at = datetime(2026, 11, 22, tzinfo=UTC)
    assert decode(encode([New(name="a", at=at, count=1, is_spot=True)], New), Old) == [Old(name="a", at=at)]


def test_chunks_are_compressed_and_carry_statistics(row):
    chunk = opened(encode([row(), row()], SnapshotRow)).metadata.row_group(0).column(0)
    assert chunk.compression == "ZSTD"
    assert chunk.statistics.min == chunk.statistics.max == row().snapshot_id


def test_only_columns_whose_values_repeat_have_a_dictionary(row):
    body = encode([row(instance_id=f"i-{n}") for n in range(10)], SnapshotRow)
    group = opened(body).metadata.row_group(0)
    chunks = {c.path_in_schema: c.encodings for c in (group.column(i) for i in range(group.num_columns))}
    assert "RLE_DICTIONARY" in chunks["group_name"]
    assert "RLE_DICTIONARY" not in chunks["instance_id"]


@pytest.mark.parametrize("body", [b"", b"PAR1", b"<Error/>", b"PAR1" + bytes(64) + b"PAR1"])
def test_an_object_that_is_no_parquet_is_named(body):
    with pytest.raises(LakeObjectDamaged) as caught:
        decode(body, SnapshotRow, key="fleet_snapshots/x.parquet")
    assert caught.value.noun == "fleet_snapshots/x.parquet"


def test_a_truncated_object_is_named(row):
    body = encode([row()], SnapshotRow)
    with pytest.raises(LakeObjectDamaged):
        decode(body[:-9], SnapshotRow)


def test_a_small_object_counts_whole(row):
    body = encode([row()], SnapshotRow)
    _, scanned = read(body, columns=["instance_id"], equal={}, key="")
    assert scanned == len(body)


@pytest.fixture(scope="module")
def large():
    """Two row groups of one snapshot each, more than Trino reads whole."""
    noise = [f"{number * 0x9E3779B97F4A7C15 % 2**64:016x}" * 4 for number in range(60_000)]
    table = pa.table({"snapshot_id": ["a"] * 30_000 + ["b"] * 30_000, "noise": noise})
    sink = pa.BufferOutputStream()
    pq.write_table(table, sink, row_group_size=30_000, compression="none", use_dictionary=["snapshot_id"])
    body = bytes(sink.getvalue())
    assert len(body) > SMALL_FILE_BYTES
    return body


def test_of_a_large_object_only_the_columns_read_count(large):
    _, one = read(large, columns=["snapshot_id"], equal={}, key="")
    _, both = read(large, columns=["snapshot_id", "noise"], equal={}, key="")
    assert one < 10_000 < SMALL_FILE_BYTES < both <= len(large)


def test_row_groups_that_the_statistics_rule_out_are_not_read(large):
    table, half = read(large, columns=["noise"], equal={"snapshot_id": "b"}, key="")
    _, whole = read(large, columns=["noise"], equal={}, key="")
    assert table.num_rows == 30_000
    assert half < 0.6 * whole


@pytest.mark.parametrize("table", TABLES.values(), ids=lambda t: t.name)
def test_every_row_class_has_a_schema_of_plain_types(table):
    schema = arrow_schema(table.row)
    assert schema.names == [f.name for f in fields(table.row)]
    assert {str(kind) for kind in schema.types} <= {"string", "int64", "bool", "timestamp[ms]"}


def test_a_snapshot_lies_in_the_hour_it_was_taken_in_utc():
    at = datetime(2026, 11, 22, 0, 30, tzinfo=timezone(timedelta(hours=2)))
    assert SNAPSHOTS.key(at, "s-1") == "fleet_snapshots/snap_hour=2026-11-21-22/s-1.parquet"
