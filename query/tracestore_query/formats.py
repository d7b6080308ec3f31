"""A result as bytes: JSON, NDJSON, CSV, Arrow or Parquet, batch by batch."""

from __future__ import annotations

import base64
import datetime as dt
import decimal
import io
import json
import math
from collections.abc import Callable, Iterator
from typing import Any, Final

import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq

from tracestore_query.result import Result

JSON: Final = "application/json"
NDJSON: Final = "application/x-ndjson"
CSV: Final = "text/csv"
ARROW: Final = "application/vnd.apache.arrow.stream"
PARQUET: Final = "application/vnd.apache.parquet"

FORMATS: Final = (JSON, NDJSON, CSV, ARROW, PARQUET)


def format_of(accept: str) -> str:
    """Returns the first format an Accept header names that we write, JSON where it names none."""
    for part in accept.split(","):
        kind = part.partition(";")[0].strip().lower()
        if kind in FORMATS:
            return kind
    return JSON


def written(result: Result, kind: str) -> Iterator[bytes]:
    """Yields a result in a format; closes it in the end, also when the reader goes away."""
    with result:
        yield from _WRITERS[kind](result)


def _json(result: Result) -> Iterator[bytes]:
    columns = [
        {"name": name, "type": sql_type}
        for name, sql_type in zip(result.schema.names, result.types, strict=True)
    ]
    yield b'{"columns":' + _dump(columns) + b',"rows":['
    first = True
    for batch in result:
        rows = ",".join(_rows_text(batch, result.types))
        if rows:
            yield (rows if first else "," + rows).encode()
            first = False
    stats = {name: getattr(result.stats, name) for name in result.stats.__slots__}
    yield (
        b'],"warnings":' + _dump(result.warnings) + b',"cursor":null,"stats":' + _dump(stats) + b"}"
    )


def _rows_text(batch: pa.RecordBatch, types: list[str]) -> Iterator[str]:
    """Yields each row as a JSON array; JSON columns go through as the text they are."""
    columns = [
        column_texts(column, sql_type)
        for column, sql_type in zip(batch.columns, types, strict=True)
    ]
    for cells in zip(*columns, strict=True):
        yield "[" + ",".join(cells) + "]"


def column_texts(column: pa.Array, sql_type: str) -> list[str]:
    """Returns each value of a column as JSON; columns of type JSON go through as the text they are."""
    if sql_type == "JSON":
        return ["null" if text is None else text for text in column.to_pylist()]
    if sql_type == "JSON[]":
        return [
            "null"
            if items is None
            else "[" + ",".join("null" if item is None else item for item in items) + "]"
            for items in column.to_pylist()
        ]
    try:
        found = column.to_pylist()
    except (ValueError, OverflowError):
        # Times that Python has no value for: nanoseconds, and years before 1 or after 9999.
        found = column.cast(pa.string()).to_pylist()
    return [json.dumps(plain(value), ensure_ascii=False) for value in found]


def plain(value: Any) -> Any:
    """Returns a Python value as one that JSON has: times as ISO 8601, bytes as base64, NaN as text."""
    if isinstance(value, dict):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        # A MAP comes as a list of pairs.
        return [plain(item) for item in value]
    for kind, convert in _PLAIN:
        if isinstance(value, kind):
            return convert(value)
    return value


_PLAIN: Final[tuple[tuple[Any, Callable[[Any], Any]], ...]] = (
    (float, lambda number: number if math.isfinite(number) else str(number)),
    ((dt.datetime, dt.date, dt.time), lambda time: time.isoformat().replace("+00:00", "Z")),
    (dt.timedelta, lambda span: span.total_seconds()),
    (
        decimal.Decimal,
        lambda number: int(number) if number == number.to_integral_value() else float(number),
    ),
    (bytes, lambda data: base64.b64encode(data).decode()),
)


def _ndjson(result: Result) -> Iterator[bytes]:
    names = [json.dumps(name, ensure_ascii=False) for name in result.schema.names]
    for batch in result:
        columns = [
            column_texts(column, sql_type)
            for column, sql_type in zip(batch.columns, result.types, strict=True)
        ]
        lines = (
            "{"
            + ",".join(f"{name}:{cell}" for name, cell in zip(names, cells, strict=True))
            + "}\n"
            for cells in zip(*columns, strict=True)
        )
        yield "".join(lines).encode()


def _csv(result: Result) -> Iterator[bytes]:
    sink = io.BytesIO()
    flat = pa.schema([_csv_field(field) for field in result.schema])
    with pa_csv.CSVWriter(sink, flat) as writer:
        for batch in result:
            table = pa.Table.from_batches([batch])
            arrays = [
                _csv_column(column, field)
                for column, field in zip(table.columns, flat, strict=True)
            ]
            writer.write_table(pa.Table.from_arrays(arrays, schema=flat))
            yield _taken(sink)
    yield _taken(sink)


def _csv_field(field: pa.Field) -> pa.Field:
    nested = pa.types.is_nested(field.type) or pa.types.is_binary(field.type)
    return pa.field(field.name, pa.string()) if nested else field


def _csv_column(column: pa.ChunkedArray, field: pa.Field) -> pa.ChunkedArray | pa.Array:
    if column.type == field.type:
        return column
    texts = [None if value is None else json.dumps(plain(value)) for value in column.to_pylist()]
    return pa.array(texts, pa.string())


def _arrow(result: Result) -> Iterator[bytes]:
    sink = io.BytesIO()
    with pa.ipc.new_stream(sink, result.schema) as writer:
        for batch in result:
            writer.write_batch(batch)
            yield _taken(sink)
    yield _taken(sink)


def _parquet(result: Result) -> Iterator[bytes]:
    # A footer ends the file, but row groups go out as they come.
    sink = io.BytesIO()
    sent = pa.PythonFile(_Counting(sink), mode="w")
    with pq.ParquetWriter(sent, result.schema, compression="zstd") as writer:
        for batch in result:
            writer.write_batch(batch)
            yield _taken(sink)
    yield _taken(sink)


class _Counting(io.RawIOBase):
    """Passes bytes on and counts them: the sink is emptied while the writer asks where it stands."""

    def __init__(self, sink: io.BytesIO) -> None:
        super().__init__()
        self._sink = sink
        self._written = 0

    def writable(self) -> bool:
        """Tells that it takes bytes."""
        return True

    def write(self, data: Any) -> int:
        """Passes bytes on."""
        size = self._sink.write(data)
        self._written += size
        return size

    def tell(self) -> int:
        """Returns how many bytes were written in all."""
        return self._written

    def flush(self) -> None:
        """Has nothing to flush."""


def _taken(sink: io.BytesIO) -> bytes:
    data = sink.getvalue()
    sink.seek(0)
    sink.truncate()
    return data


def _dump(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False).encode()


_WRITERS: Final[dict[str, Callable[[Result], Iterator[bytes]]]] = {
    JSON: _json,
    NDJSON: _ndjson,
    CSV: _csv,
    ARROW: _arrow,
    PARQUET: _parquet,
}
