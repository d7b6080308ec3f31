"""An export's rows as they come, from a store or a server, each batch with the cursor behind it."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Iterable, Iterator
from typing import Any, Self

import pyarrow as pa

from tracestore.client import Client, ClientError
from tracestore.errors import TraceStoreError
from tracestore_query import QueryCursorError
from tracestore_query.answer.formats import typed_schema

Batch = tuple[pa.RecordBatch, str | None]
"""Rows, and a cursor behind them where the query has an order."""


class ExportError(TraceStoreError):
    """An export that cannot be done or taken up as asked, or whose files are not what was written."""


class Rows:
    """The batches of a query's answer; a context manager.

    Attributes:
        schema: of the rows; fields of JSON text say so in their metadata.
    """

    def __init__(self, source: Any, sql: str, params: Any, cursor: str | None) -> None:
        self._source = source
        self._sql = sql
        self._params = params
        self.schema = pa.schema([])
        self._opened = contextlib.ExitStack()
        begun = cursor is not None
        try:
            self._batches = self._open(cursor if begun else "")
        except (QueryCursorError, ClientError) as error:
            if begun or (isinstance(error, ClientError) and not _has_no_order(error)):
                raise
            self._batches = self._open(None)

        self._peeked: Batch | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self._opened.close()

    def next(self) -> Batch | None:
        """Returns the next batch, None after the last."""
        batch, self._peeked = self._peeked, None
        return batch if batch is not None else next(self._batches, None)

    def at_end(self) -> bool:
        """Tells whether there is no batch any more."""
        if self._peeked is None:
            self._peeked = next(self._batches, None)
        return self._peeked is None

    def __iter__(self) -> Iterator[Batch]:
        while (batch := self.next()) is not None:
            yield batch

    def _open(self, cursor: str | None) -> Iterator[Batch]:
        if isinstance(self._source, Client):
            parts = self._source.export_arrow(self._sql, self._params, cursor=cursor)
            self._opened.callback(parts.close)
            reader = pa.ipc.open_stream(pa.PythonFile(_Chunks(parts), mode="r"))
            self.schema = reader.schema
            return _received(reader)
        result = self._source.sql(
            self._sql, self._params, timeout_s=None, cursor=cursor, is_whole=True
        )
        self._opened.callback(result.close)
        self.schema = typed_schema(result)
        return self._own(result)

    def _own(self, result: Any) -> Iterator[Batch]:
        for batch in result.batches():
            yield pa.RecordBatch.from_arrays(batch.columns, schema=self.schema), result.position


def _has_no_order(error: ClientError) -> bool:
    return str(error.problem.get("type", "")).endswith("QueryCursorError")


def _received(reader: Any) -> Iterator[Batch]:
    rows = 0
    while True:
        try:
            batch, metadata = reader.read_next_batch_with_custom_metadata()
        except StopIteration:
            raise ExportError(
                f"cannot export: the server's answer ends after {rows} rows without its end; resume it"
            ) from None
        told = {} if metadata is None else {k.decode(): v.decode() for k, v in metadata.items()}
        if "rows" in told:
            if int(told["rows"]) != rows:
                raise ExportError(f"cannot export: got {rows} rows; want {told['rows']}")
            return
        rows += batch.num_rows
        yield batch, told.get("cursor")


class _Chunks(io.RawIOBase):
    """An iterator of bytes as a file."""

    def __init__(self, parts: Iterable[bytes]) -> None:
        super().__init__()
        self._parts = iter(parts)
        self._held = memoryview(b"")

    def readable(self) -> bool:
        """Tells that it gives bytes."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Fills a buffer as far as one part reaches."""
        while not self._held:
            part = next(self._parts, None)
            if part is None:
                return 0
            self._held = memoryview(part)
        size = min(len(buffer), len(self._held))
        buffer[:size] = self._held[:size]
        self._held = self._held[size:]
        return size

    def read(self, size: int = -1) -> bytes:
        """Returns that many bytes, fewer at the end only: what Arrow asks for."""
        data = bytearray()
        while size < 0 or len(data) < size:
            part = bytearray(min(1 << 20, size - len(data)) if size >= 0 else 1 << 20)
            count = self.readinto(part)
            if not count:
                break
            data += part[:count]
        return bytes(data)
