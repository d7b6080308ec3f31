"""Rows given to `insert`, as NDJSON payloads: missing ids and times are filled in before the log sees them.

A line that cannot be read stays as it is: the shredder refuses it and says where it stands.
"""

from __future__ import annotations

import base64
import datetime
import json
import secrets
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final, TypeAlias

import pyarrow as pa

from tracestore.errors import UnsupportedPayloadError
from tracestore.segment.tables import SEGMENT_TABLES
from tracestore.variant import OVERFLOW, row_keys

Rows: TypeAlias = Iterable[Mapping[str, Any]] | bytes | bytearray | pa.Table | pa.RecordBatch

# Bytes of one payload, hence of one WAL frame: large enough to be cheap, small enough to be bounded.
_PAYLOAD_BYTES: Final = 4 * 1024 * 1024

# Arrow rows made Python objects at once.
_ARROW_ROWS: Final = 10_000

# The tables that take rows, and the keys that give a row its time, the one in nanoseconds last.
_TIME_KEYS: Final = {
    name: (SEGMENT_TABLES[name].time_column, SEGMENT_TABLES[name].time_ns_column)
    for name in ("spans", "logs")
}


def payloads(table: str, rows: Rows, now_ns: int) -> Iterator[tuple[bytes, int]]:
    """Yields (NDJSON, rows) of a few megabytes each.

    Raises UnsupportedPayloadError for a table that takes no rows or rows that are not JSON values.
    """
    if table not in _TIME_KEYS:
        raise UnsupportedPayloadError(
            f"cannot insert into table {table!r}: want {' or '.join(_TIME_KEYS)}"
        )
    if isinstance(rows, (bytes, bytearray)):
        for piece in _pieces(bytes(rows)):
            if _are_complete(table, piece):
                yield piece, _line_count(piece)
            else:
                yield from _filled(table, piece, now_ns)
    else:
        yield from _filled(table, rows, now_ns)


def _pieces(data: bytes) -> Iterator[bytes]:
    """Yields whole lines of about a payload's size, without the newline after the last."""
    start = 0
    while start < len(data):
        stop = len(data)
        if stop - start > _PAYLOAD_BYTES:
            stop = data.rfind(b"\n", start, start + _PAYLOAD_BYTES)
            if stop < 0:
                stop = data.find(b"\n", start)  # a line longer than a payload
            stop = len(data) if stop < 0 else stop
        yield data[start:stop].removesuffix(b"\n")
        start = stop + 1


def _line_count(piece: bytes) -> int:
    return piece.count(b"\n") + 1


def _are_complete(table: str, piece: bytes) -> bool:
    """Returns whether every line is a row that has ids and a time: nothing is to be filled in."""
    times = tuple(name.encode() for name in _TIME_KEYS[table])
    ids = ((name.encode(),) for name in SEGMENT_TABLES[table].id_columns)
    key_counts = row_keys(piece, (times, *ids))
    if key_counts is None:
        return False
    rows, _, rows_with_key = key_counts
    return rows == _line_count(piece) and all(count == rows for count in rows_with_key)


def _filled(table: str, rows: Rows, now_ns: int) -> Iterator[tuple[bytes, int]]:
    lines: list[bytes] = []
    size = 0
    for line in _lines(rows):
        filled = _fill(table, line, now_ns)
        if lines and size + len(filled) > _PAYLOAD_BYTES:
            yield b"\n".join(lines), len(lines)
            lines, size = [], 0
        lines.append(filled)
        size += len(filled) + 1
    if lines:
        yield b"\n".join(lines), len(lines)


def _lines(rows: Rows) -> Iterator[bytes]:
    if isinstance(rows, (bytes, bytearray)):
        yield from (line for line in bytes(rows).split(b"\n") if line.strip())
        return
    for row in _objects(rows):
        try:
            text = json.dumps(row, default=plain, ensure_ascii=False, separators=(",", ":"))
        except (TypeError, ValueError, RecursionError) as error:
            raise UnsupportedPayloadError(f"cannot insert row: {error}") from error
        yield text.encode("utf-8", "surrogatepass")


def _objects(
    rows: Iterable[Mapping[str, Any]] | pa.Table | pa.RecordBatch,
) -> Iterator[Mapping[str, Any]]:
    if isinstance(rows, pa.RecordBatch):
        rows = pa.Table.from_batches([rows])
    if not isinstance(rows, pa.Table):
        yield from rows
        return
    if OVERFLOW in rows.column_names:
        raise UnsupportedPayloadError(
            "cannot insert Arrow table: it is shredded already; unshred it first"
        )
    for start in range(0, len(rows), _ARROW_ROWS):
        yield from (_without_nulls(row) for row in rows.slice(start, _ARROW_ROWS).to_pylist())


def _without_nulls(row: dict[str, Any]) -> dict[str, Any]:
    # Arrow's null in a column is a missing value, not JSON's null.
    return {key: value for key, value in row.items() if value is not None}


def plain(value: object) -> object:
    """Returns a JSON form of a value that JSON has none for, such as a time; raises TypeError."""
    if isinstance(value, datetime.datetime):
        aware = value if value.tzinfo else value.replace(tzinfo=datetime.UTC)
        return aware.isoformat()
    if isinstance(value, (datetime.date, datetime.time)):
        return value.isoformat()
    if isinstance(value, (bytes, bytearray, memoryview)):
        return base64.b64encode(value).decode()
    if hasattr(value, "tolist"):  # numpy scalars and arrays
        result: object = value.tolist()
        return result
    raise TypeError(f"unexpected value of type {type(value).__name__}")


def _fill(table: str, line: bytes, now_ns: int) -> bytes:
    """Returns the line with ids and a time appended where it has none; its own text stays."""
    try:
        row = json.loads(line)
    except (ValueError, RecursionError):
        return line
    if not isinstance(row, dict):
        return line
    missing: dict[str, object] = {}
    if SEGMENT_TABLES[table].id_columns:
        if not row.get("trace_id"):
            missing["trace_id"] = secrets.token_hex(16)
        if not row.get("span_id"):
            missing["span_id"] = secrets.token_hex(8)
    if all(row.get(key) is None for key in _TIME_KEYS[table]):
        missing[_TIME_KEYS[table][1]] = now_ns
    if not missing:
        return line
    # At the end: of a repeated key the last counts, so an explicit null does not win.
    head = line.rstrip()[:-1].rstrip()
    comma = b"" if head.endswith(b"{") else b","
    return head + comma + json.dumps(missing).encode()[1:]
