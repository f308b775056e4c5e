"""Rows to Parquet and back, and the part of a Parquet object that a query reads."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import fields
from datetime import UTC, datetime
from operator import attrgetter
from typing import Any, TypeVar

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds
import pyarrow.parquet as pq

from deployctl.errors import Failed
from deployctl.lake.schema import FORMER_NAMES, arrow_schema

Row = TypeVar("Row")

#: Below this Trino's Parquet reader takes the whole file, whatever columns are asked for.
#: Source: Trino documentation, `parquet.small-file-threshold`.
SMALL_FILE_BYTES = 3 * 2**20
ROWS_PER_GROUP = 50_000
_MAGIC_AND_LENGTH_BYTES = 8


class LakeObjectDamaged(Failed, code="lake-object-damaged"):
    """An object of the lake is not the Parquet file that it should be."""

    def __init__(self, key: str, why: str) -> None:
        super().__init__(
            f"cannot read the lake's object {key}: {why}",
            noun=key,
            remedy="delete that object; the next snapshot or release writes its own",
        )


def encode(rows: Iterable[Any], row: type, *, notes: Mapping[str, str] | None = None) -> bytes:
    """Rows of one dataclass as one Parquet object: millisecond UTC timestamps without a zone, zstd.

    The object's footer keeps `notes`; no query reads them, `metadata_of` does.
    Raises: ValueError on a datetime without a zone.
    """
    schema = arrow_schema(row)
    values = zip(*map(attrgetter(*schema.names), rows), strict=True)
    # Without rows, zip gives no columns.
    by_column = list(values) or [()] * len(schema)
    arrays = [_array(column, kind) for column, kind in zip(by_column, schema.types, strict=True)]
    repeating = [name for name, array in zip(schema.names, arrays, strict=True) if _repeats(array)]
    sink = pa.BufferOutputStream()
    # The Arrow schema would only repeat Parquet's own, in every footer that every query reads.
    with pq.ParquetWriter(
        sink, schema, compression="zstd", use_dictionary=repeating, store_schema=False, version="2.6"
    ) as writer:
        writer.write_table(pa.table(arrays, schema=schema), row_group_size=ROWS_PER_GROUP)
        if notes:
            writer.add_key_value_metadata(dict(notes))
    return bytes(sink.getvalue())


def _repeats(array: pa.Array) -> bool:
    """Whether a dictionary pays off; for ids and times it makes an object a quarter larger."""
    return bool(4 * pc.count_distinct(array, mode="all").as_py() <= len(array))


def decode(body: bytes, row: type[Row], *, key: str = "") -> list[Row]:
    """The rows of an object; columns that it lacks are None. Raises: LakeObjectDamaged."""
    names = [f.name for f in fields(row)]  # type: ignore[arg-type] # every row type is a dataclass
    table, _ = read(body, columns=names, equal={}, key=key)
    missing = dict.fromkeys(n for n in names if n not in table.column_names)
    return [row(**missing, **{k: _aware(v) for k, v in r.items()}) for r in table.to_pylist()]


def metadata_of(body: bytes, *, key: str = "") -> dict[str, str]:
    """The notes that `encode` wrote to the object's footer. Raises: LakeObjectDamaged."""
    try:
        metadata = pq.read_metadata(pa.BufferReader(body)).metadata or {}
        return {name.decode(): value.decode() for name, value in metadata.items()}
    except (pa.ArrowException, OSError, ValueError) as error:
        raise LakeObjectDamaged(key, str(error)) from error


def read(
    body: bytes,
    *,
    columns: Collection[str],
    equal: Mapping[str, str],
    key: str,
    former: Mapping[str, str] = FORMER_NAMES,
) -> tuple[pa.Table, int]:
    """These columns of an object, and how many of its bytes Athena would have read for them.

    A column that the object lacks is read under its name in `former`, if the object has that. Row groups whose
    statistics rule out `equal` (column to value) are skipped. A small file counts whole.
    Raises: LakeObjectDamaged.
    """
    try:
        fragment = ds.ParquetFileFormat().make_fragment(pa.BufferReader(body))
        schema = fragment.physical_schema
        for column, value in equal.items():
            if column in schema.names and pa.types.is_string(schema.field(column).type):
                fragment = fragment.subset(ds.field(column) == value)
        stored = {c: c if c in schema.names else former.get(c, c) for c in columns}
        there = {c: name for c, name in stored.items() if name in schema.names}
        table = fragment.to_table(columns={c: ds.field(name) for c, name in there.items()})
        table.validate(full=True)  # the reader itself accepts bytes that are no text
        metadata = fragment.metadata
    except (pa.ArrowException, OSError, ValueError) as error:
        raise LakeObjectDamaged(key, str(error)) from error
    if len(body) <= SMALL_FILE_BYTES:
        return table, len(body)
    groups = (metadata.row_group(group.id) for group in fragment.row_groups)
    chunks = sum(_chunk_bytes(group, set(there.values())) for group in groups)
    return table, metadata.serialized_size + _MAGIC_AND_LENGTH_BYTES + chunks


def _chunk_bytes(group: pq.RowGroupMetaData, columns: Collection[str]) -> int:
    chunks = (group.column(i) for i in range(group.num_columns))
    return sum(c.total_compressed_size for c in chunks if c.path_in_schema in columns)


def _array(values: Sequence[Any], kind: pa.DataType) -> pa.Array:
    if pa.types.is_string(kind):
        # Text from a file name, a variable or an answer may hold what UTF-8 cannot.
        return pa.array([value and value.encode(errors="replace") for value in values], kind)
    if not pa.types.is_timestamp(kind):
        return pa.array(values, kind)
    # Arrow would take a time without a zone for one in UTC.
    naive = next((v for v in values if isinstance(v, datetime) and v.tzinfo is None), None)
    if naive is not None:
        raise ValueError(f"a time without a zone: {naive}")
    return pa.array(values, pa.timestamp("us", tz="UTC")).cast(kind, safe=False)


def _aware(value: Any) -> Any:
    return value.replace(tzinfo=UTC) if isinstance(value, datetime) else value
