"""A result as bytes: JSON, NDJSON, CSV, Arrow or Parquet, batch by batch."""

from __future__ import annotations

import io
import itertools
import json
from collections.abc import Callable, Iterator
from typing import Any, Final

import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq

from tracestore_query.answer.held_types import (
    TYPE_KEY,
    held_schema,
    held_table,
    in_csv,
    in_parquet,
)
from tracestore_query.answer.json_texts import json_lines, json_texts
from tracestore_query.answer.result import Result
from tracestore_query.errors import QueryFailedError

JSON: Final = "application/json"
OBJECTS: Final = "application/vnd.tracestore.objects+json"
"""A JSON array of one object a row, as programs expect that know nothing of us."""

NDJSON: Final = "application/x-ndjson"
CSV: Final = "text/csv"
ARROW: Final = "application/vnd.apache.arrow.stream"
PARQUET: Final = "application/vnd.apache.parquet"

ARROW_END: Final = "tracestore.end"
"""The key in the metadata of an Arrow stream's last batch, which has no row: JSON of what is known at the end."""

FORMATS: Final = (JSON, OBJECTS, NDJSON, CSV, ARROW, PARQUET)


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


def started(result: Result, kind: str) -> Iterator[bytes]:
    """Returns what `written` yields, its first part made already.

    Raises:
        QueryError: where that fails, or the format has no form for a type.
    """
    parts = written(result, kind)
    try:
        first = next(parts, b"")
    except pa.ArrowException as error:
        raise QueryFailedError(f"cannot write answer: {error}; ask for another format") from None
    return itertools.chain((first,), parts)


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
    end = _end_of(result)
    yield (
        b'],"warnings":'
        + _dump(end["warnings"])
        + b',"cursor":'
        + _dump(end["cursor"])
        + b',"stats":'
        + _dump(end["stats"])
        + b"}"
    )


def _rows_text(batch: pa.RecordBatch, types: list[str]) -> Iterator[str]:
    """Yields each row as a JSON array; JSON columns go through as the text they are."""
    columns = [
        json_texts(column, sql_type).to_pylist()
        for column, sql_type in zip(batch.columns, types, strict=True)
    ]
    for cells in zip(*columns, strict=True):
        yield "[" + ",".join(cells) + "]"


def _objects(result: Result) -> Iterator[bytes]:
    before = b"["
    for batch in result:
        lines = json_lines(batch, result.schema.names, result.types)
        if lines:
            # A line feed inside a text is written as an escape, so that each of these ends a row.
            yield before + lines.rstrip(b"\n").replace(b"\n", b",\n")
            before = b",\n"
    yield b"[]" if before == b"[" else b"]"


def _ndjson(result: Result) -> Iterator[bytes]:
    for batch in result:
        yield json_lines(batch, result.schema.names, result.types)


def _csv(result: Result) -> Iterator[bytes]:
    sink = io.BytesIO()
    flat = held_schema(result.schema, in_csv)
    with pa_csv.CSVWriter(sink, flat) as writer:
        for batch in result:
            writer.write_table(held_table(pa.Table.from_batches([batch]), flat))
            yield taken(sink)
    yield taken(sink)


def typed_schema(result: Result) -> pa.Schema:
    """Returns a result's schema in which a field that is or may become JSON text says so, by `tracestore.type`."""
    return pa.schema(
        [
            field.with_metadata({TYPE_KEY: sql_type})
            if sql_type.startswith("JSON") or not in_parquet(field.type)
            else field
            for field, sql_type in zip(result.schema, result.types, strict=True)
        ]
    )


def _arrow(result: Result) -> Iterator[bytes]:
    sink = io.BytesIO()
    schema = typed_schema(result)
    with pa.ipc.new_stream(sink, schema) as writer:
        for batch in result:
            writer.write_batch(pa.RecordBatch.from_arrays(batch.columns, schema=schema))
            yield taken(sink)
        nothing = [pa.nulls(0, field.type) for field in schema]
        end = pa.RecordBatch.from_arrays(nothing, schema=schema)
        writer.write_batch(end, custom_metadata={ARROW_END: _dump(_end_of(result))})
    yield taken(sink)


def _end_of(result: Result) -> dict[str, Any]:
    """Returns what is known of an answer once it was read."""
    return {
        "types": result.types,
        "warnings": result.warnings,
        "cursor": result.cursor,
        "stats": {name: getattr(result.stats, name) for name in result.stats.__slots__},
    }


def _parquet(result: Result) -> Iterator[bytes]:
    # A footer ends the file, but row groups go out as they come.
    sink = io.BytesIO()
    sent = pa.PythonFile(_Counting(sink), mode="w")
    schema = held_schema(typed_schema(result), in_parquet)
    with pq.ParquetWriter(sent, schema, compression="zstd") as writer:
        for batch in result:
            writer.write_table(held_table(pa.Table.from_batches([batch]), schema))
            yield taken(sink)
    yield taken(sink)


class _Counting(io.RawIOBase):
    """A sink that counts its bytes: it is emptied while the writer asks for its position."""

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


def taken(sink: io.BytesIO) -> bytes:
    """Returns what a sink holds and empties it."""
    data = sink.getvalue()
    sink.seek(0)
    sink.truncate()
    return data


def _dump(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False).encode()


_WRITERS: Final[dict[str, Callable[[Result], Iterator[bytes]]]] = {
    JSON: _json,
    OBJECTS: _objects,
    NDJSON: _ndjson,
    CSV: _csv,
    ARROW: _arrow,
    PARQUET: _parquet,
}
