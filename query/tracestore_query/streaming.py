"""An answer's batches: objects rebuilt, types made plain, cut at the caps."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import duckdb
import pyarrow as pa

from tracestore_query.engine import running
from tracestore_query.plan import Rebuilt
from tracestore_query.rebuild import rebuild


@dataclass(frozen=True, slots=True)
class Caps:
    """Is where an answer is cut: rows and bytes of Arrow data, None for no bound."""

    max_rows: int | None = None
    max_bytes: int | None = None


def stream(
    reader: pa.RecordBatchReader,
    rebuilt: Sequence[Rebuilt],
    schema: pa.Schema,
    cursor: duckdb.DuckDBPyConnection,
    timeout_s: float | None,
    caps: Caps,
    warnings: list[str],
) -> Iterator[pa.RecordBatch]:
    """Yields an answer's batches; where it is cut, a warning says so."""
    rows_left = caps.max_rows
    bytes_left = caps.max_bytes
    with running(cursor, timeout_s):
        for batch in reader:
            table = pa.Table.from_batches([batch])
            cut = rows_left is not None and table.num_rows > rows_left
            if cut:
                table = table.slice(0, rows_left)
                warnings.append(
                    f"the answer was cut after {caps.max_rows} rows; add a LIMIT, or page with a cursor"
                )
            table = _plain(rebuild(table, rebuilt) if rebuilt else table, schema)
            if bytes_left is not None and table.nbytes > bytes_left:
                table = table.slice(0, _rows_within(table, bytes_left))
                warnings.append(
                    f"the answer was cut after {caps.max_bytes} bytes; select fewer columns or rows"
                )
                cut = True
            yield from table.to_batches()
            if cut:
                return
            if rows_left is not None:
                rows_left -= table.num_rows
            if bytes_left is not None:
                bytes_left -= table.nbytes


def plain_schema(schema: pa.Schema, rebuilt: Sequence[Rebuilt]) -> pa.Schema:
    """Returns a schema with JSON and rebuilt columns as the text they are."""
    fields = list(schema)
    for each in rebuilt:
        fields[each.output] = pa.field(fields[each.output].name, pa.string())
    return pa.schema(
        [pa.field(field.name, _plain_type(field.type), field.nullable) for field in fields]
    )


def _rows_within(table: pa.Table, max_bytes: int) -> int:
    """Returns how many of the first rows fit; at least the share that an even size would give."""
    low, high = 0, table.num_rows
    while low < high:
        middle = (low + high + 1) // 2
        if table.slice(0, middle).nbytes <= max_bytes:
            low = middle
        else:
            high = middle - 1
    return low


def _plain(table: pa.Table, schema: pa.Schema) -> pa.Table:
    arrays = [
        column.cast(field.type) if column.type != field.type else column
        for column, field in zip(table.columns, schema, strict=True)
    ]
    return pa.Table.from_arrays(arrays, schema=schema)


def _plain_type(arrow_type: pa.DataType) -> pa.DataType:
    if isinstance(arrow_type, pa.BaseExtensionType):
        return arrow_type.storage_type
    if pa.types.is_list(arrow_type):
        return pa.list_(_plain_type(arrow_type.value_type))
    return arrow_type
