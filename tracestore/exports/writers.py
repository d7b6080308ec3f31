"""Rows of an answer as a file: JSON lines, chat lines, CSV, Parquet, Arrow. Each writes to an open sink."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, Final, Protocol

import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq

from tracestore.exports.chat_lines import chat_line
from tracestore.parquet_files.footer import marked
from tracestore.parquet_files.variant_column import VARIANT, variant_array
from tracestore_query.answer import held_types
from tracestore_query.answer.json_texts import json_lines, json_texts

GROUP_ROWS: Final = 122_880
GROUP_BYTES: Final = 64 * 1024 * 1024
"""A row group of an exported Parquet file ends at this many rows or bytes: what is held until it is written."""


class Sink(Protocol):
    """A receiver of a file's bytes."""

    def write(self, data: bytes, /) -> Any:
        """Writes all of the bytes."""


class Writer(Protocol):
    """A writer of rows to a sink.

    Attributes:
        rows: written so far.
        refused: rows that the format has no form for, left out.
    """

    rows: int
    refused: int

    def write(self, batch: pa.RecordBatch) -> None:
        """Writes a batch."""

    def close(self) -> None:
        """Writes what is still held, and the end of the file; the sink stays open."""


def _types(schema: pa.Schema) -> list[str]:
    """Returns the engine's type of JSON columns, nothing for others."""
    key = held_types.TYPE_KEY.encode()
    return [(field.metadata or {}).get(key, b"").decode() for field in schema]


class JsonLines:
    """A writer of one JSON object a line."""

    def __init__(self, sink: Sink, schema: pa.Schema) -> None:
        self._sink = sink
        self._names, self._types = schema.names, _types(schema)
        self.rows = self.refused = 0

    def write(self, batch: pa.RecordBatch) -> None:
        """Writes a batch."""
        self._sink.write(json_lines(batch, self._names, self._types))
        self.rows += batch.num_rows

    def close(self) -> None:
        """Has nothing to write any more."""


class ChatLines:
    """A writer of one conversation a line, from the columns `input` and `expected` or `output`."""

    def __init__(self, sink: Sink, schema: pa.Schema) -> None:
        self._sink = sink
        types = _types(schema)
        self._columns = [
            (name, at, types[at])
            for at, name in enumerate(schema.names)
            if name in {"input", "expected", "output"}
        ]
        self.rows = self.refused = 0

    def write(self, batch: pa.RecordBatch) -> None:
        """Writes a batch."""
        names = [name for name, _, _ in self._columns]
        texts = [json_texts(batch.column(at), kind).to_pylist() for _, at, kind in self._columns]
        for cells in zip(*texts, strict=True) if texts else [()] * batch.num_rows:
            line = chat_line(
                {name: json.loads(cell) for name, cell in zip(names, cells, strict=True)}
            )
            if line is None:
                self.refused += 1
            else:
                self._sink.write(line)
                self.rows += 1

    def close(self) -> None:
        """Has nothing to write any more."""


class Csv:
    """A writer of CSV; lists and objects are JSON."""

    def __init__(self, sink: Sink, schema: pa.Schema, *, header: bool = True) -> None:
        self._flat = held_types.held_schema(schema.remove_metadata(), held_types.in_csv)
        options = pa_csv.WriteOptions(include_header=header)
        file = pa.PythonFile(_Held(sink), mode="w")
        self._writer = pa_csv.CSVWriter(file, self._flat, write_options=options)
        self.rows = self.refused = 0

    def write(self, batch: pa.RecordBatch) -> None:
        """Writes a batch."""
        self._writer.write_table(held_types.held_table(pa.Table.from_batches([batch]), self._flat))
        self.rows += batch.num_rows

    def close(self) -> None:
        """Ends the file."""
        self._writer.close()


class Arrow:
    """A writer of an Arrow IPC stream."""

    def __init__(self, sink: Sink, schema: pa.Schema) -> None:
        self._schema = schema
        self._writer = pa.ipc.new_stream(pa.PythonFile(_Held(sink), mode="w"), schema)
        self.rows = self.refused = 0

    def write(self, batch: pa.RecordBatch) -> None:
        """Writes a batch."""
        self._writer.write_batch(batch)
        self.rows += batch.num_rows

    def close(self) -> None:
        """Ends the stream."""
        self._writer.close()


class Parquet:
    """A writer of Parquet; batches are gathered to row groups that a reader can skip and scan well."""

    def __init__(self, sink: Sink, schema: pa.Schema) -> None:
        self._schema = schema
        self._flat = held_types.held_schema(schema, held_types.in_parquet)
        self._writer = pq.ParquetWriter(
            pa.PythonFile(_Held(sink), mode="w"),
            self._flat,
            compression="zstd",
            compression_level=1,
        )
        self._held: list[pa.RecordBatch] = []
        self._bytes = 0
        self.rows = self.refused = 0

    def write(self, batch: pa.RecordBatch) -> None:
        """Takes a batch; writes a row group where enough is held."""
        self._held.append(batch)
        self._bytes += batch.nbytes
        self.rows += batch.num_rows
        full = sum(batch.num_rows for batch in self._held) >= GROUP_ROWS
        if full or self._bytes >= GROUP_BYTES:
            self._write_group()

    def close(self) -> None:
        """Writes the last row group and the footer."""
        self._write_group()
        self._writer.close()

    def _write_group(self) -> None:
        if self._held:
            table = pa.Table.from_batches(self._held, schema=self._schema)
            table = held_types.held_table(table, self._flat)
            self._writer.write_table(table, row_group_size=max(len(table), 1))
            self._held, self._bytes = [], 0


class VariantParquet:
    """A writer of Parquet in which columns of JSON have the type VARIANT, for engines that read it."""

    def __init__(self, sink: Sink, schema: pa.Schema) -> None:
        self._sink = _EndHeld(sink)
        self._json = [at for at, kind in enumerate(_types(schema)) if kind == "JSON"]
        self._names = frozenset(schema.names[at] for at in self._json)
        for at in self._json:
            schema = schema.set(at, pa.field(schema.names[at], VARIANT))
        self._schema = schema
        self._parquet = Parquet(self._sink, schema)
        self.rows = self.refused = 0

    def write(self, batch: pa.RecordBatch) -> None:
        """Takes a batch."""
        columns = list(batch.columns)
        for at in self._json:
            columns[at] = variant_array(columns[at])
        self._parquet.write(pa.RecordBatch.from_arrays(columns, schema=self._schema))
        self.rows = self._parquet.rows

    def close(self) -> None:
        """Writes the last row group, and the footer with the columns' type."""
        end = self._sink.hold()
        self._parquet.close()
        self._sink.write_through(marked(bytes(end), self._names))


class _EndHeld:
    """A sink that keeps what is written from some moment on."""

    def __init__(self, sink: Sink) -> None:
        self._sink = sink
        self._end: bytearray | None = None

    def hold(self) -> bytearray:
        """Returns what is going to be written from now on."""
        self._end = bytearray()
        return self._end

    def write(self, data: bytes) -> None:
        if self._end is None:
            self._sink.write(data)
        else:
            self._end += data

    def write_through(self, data: bytes) -> None:
        """Writes at once."""
        self._sink.write(data)


class _Held:
    """A sink that passes writes on and leaves closing to its owner."""

    def __init__(self, sink: Sink) -> None:
        self._sink = sink
        self._size = 0
        self.closed = False

    def write(self, data: bytes) -> int:
        self._sink.write(data)
        self._size += len(data)
        return len(data)

    def tell(self) -> int:
        return self._size

    def flush(self) -> None:
        pass

    def writable(self) -> bool:
        return True

    def close(self) -> None:
        self.closed = True


WRITERS: Final[dict[str, Callable[..., Writer]]] = {
    "jsonl": JsonLines,
    "chat": ChatLines,
    "csv": Csv,
    "parquet": Parquet,
    "variant": VariantParquet,
    "arrow": Arrow,
}
"""By format; each is made of a sink and a schema."""
