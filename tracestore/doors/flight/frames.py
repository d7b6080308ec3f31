"""Arrow streams as messages of Flight, and back: the same bytes in another frame."""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import Any, Final

import pyarrow as pa

from tracestore.doors.flight.messages import UnreadableError

MESSAGE_BYTES: Final = 8 * 1024 * 1024
"""Of one message; drivers take 16 MiB as they come, and the split is by rows, which are of different sizes."""

_CONTINUED: Final = b"\xff\xff\xff\xff"
_HEADER_TAG: Final = b"\x12"  # field 2, bytes
_BODY_TAG: Final = b"\xc2\x3e"  # field 1000, bytes


class ChunkReader(io.RawIOBase):
    """Chunks of bytes as one file to read.

    Args:
        chunks: of any size.
    """

    def __init__(self, chunks: Iterator[bytes]) -> None:
        super().__init__()
        self._chunks = chunks
        self._chunk = memoryview(b"")

    def readable(self) -> bool:
        """Tells that it can be read."""
        return True

    def read(self, size: int = -1) -> bytes:
        """Returns so many bytes, fewer at the end alone."""
        parts: list[memoryview] = []
        while size > 0:
            if not self._chunk:
                self._chunk = memoryview(next(self._chunks, b""))
                if not self._chunk:
                    break
            parts.append(self._chunk[:size])
            size -= len(parts[-1])
            self._chunk = self._chunk[len(parts[-1]) :]
        return b"".join(parts)


def flight_data(chunks: Iterator[bytes]) -> Iterator[bytes]:
    """Yields the messages of an Arrow stream, each as FlightData; large batches in parts."""
    reader = pa.ipc.MessageReader.open_stream(pa.PythonFile(ChunkReader(chunks), mode="r"))
    schema: pa.Schema | None = None
    for message in _messages(reader):
        if message.type == "schema":
            schema = pa.ipc.read_schema(message)
        large = message.body is not None and message.body.size > MESSAGE_BYTES
        if large and message.type == "record batch" and schema is not None:
            yield from _parts(pa.ipc.read_record_batch(message, schema), message.body.size)
        else:
            yield _framed(message)


def table_data(table: pa.Table) -> Iterator[bytes]:
    """Yields a table as FlightData."""
    sink = io.BytesIO()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    yield from flight_data(iter([sink.getvalue()]))


def schema_bytes(schema: pa.Schema) -> bytes:
    """Returns a schema as FlightInfo and SchemaResult hold it."""
    data: bytes = schema.serialize().to_pybytes()
    return data


def stream_bytes(data: Iterator[Any], max_bytes: int) -> bytes:
    """Returns the Arrow stream that came as messages FlightData.

    Raises:
        UnreadableError: where it has more bytes than are allowed.
    """
    parts: list[bytes] = []
    size = 0
    for each in data:
        if not each.data_header:
            continue
        size += len(each.data_header) + len(each.data_body)
        if size > max_bytes:
            raise UnreadableError(f"cannot take parameters: they have more than {max_bytes} bytes")
        header = each.data_header + b"\0" * (-len(each.data_header) % 8)
        parts += [_CONTINUED, len(header).to_bytes(4, "little"), header, each.data_body]
    return b"".join((*parts, _CONTINUED, bytes(4)))


def _messages(reader: Any) -> Iterator[Any]:
    while True:
        try:
            yield reader.read_next_message()
        except StopIteration:
            return


def _parts(batch: pa.RecordBatch, size: int) -> Iterator[bytes]:
    rows = max(batch.num_rows * MESSAGE_BYTES // size, 1)
    for begin in range(0, batch.num_rows, rows):
        yield _framed(pa.ipc.read_message(batch.slice(begin, rows).serialize()))


def _framed(message: Any) -> bytes:
    header, body = message.metadata, message.body
    parts: list[Any] = [_HEADER_TAG, _varint(header.size), header]
    if body is not None and body.size:
        parts += [_BODY_TAG, _varint(body.size), body]
    return b"".join(parts)


def _varint(number: int) -> bytes:
    encoded = bytearray()
    while number >= 0x80:
        encoded.append(number & 0x7F | 0x80)
        number >>= 7
    encoded.append(number)
    return bytes(encoded)
