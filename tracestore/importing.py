"""Files of traces as requests: OTLP/JSON, protobuf, length-delimited protobuf, or rows; also under zstd."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Final

import zstandard

PART_BYTES: Final = 8 * 1024 * 1024
"""Rows are handed on in parts of about this size, so that progress shows and a part is one request."""


def requests_of(path: Path) -> Iterator[tuple[str, str, bytes]]:
    """Yields (content type or "rows", signal, body) of a file, a request or some megabytes of lines at a time."""
    data = path.read_bytes()
    name = path.name
    if name.endswith(".zst"):
        data = zstandard.ZstdDecompressor().stream_reader(data).read()
        name = name.removesuffix(".zst")
    if name.endswith(".pbs"):
        for body in _length_delimited(data):
            yield "application/x-protobuf", "traces", body
    elif name.endswith(".pb"):
        yield "application/x-protobuf", "traces", data
    elif b'"resourceSpans"' in data[:PART_BYTES] or b'"resourceLogs"' in data[:PART_BYTES]:
        bodies = [data] if name.endswith(".json") else data.splitlines()
        for body in bodies:
            if body.strip():
                yield "application/json", "logs" if b'"resourceLogs"' in body else "traces", body
    else:
        lines: list[bytes] = []
        size = 0
        for line in data.splitlines(keepends=True):
            lines.append(line)
            size += len(line)
            if size > PART_BYTES:
                yield "rows", "", b"".join(lines)
                lines, size = [], 0
        if lines:
            yield "rows", "", b"".join(lines)


def _length_delimited(data: bytes) -> Iterator[bytes]:
    at = 0
    while at < len(data):
        size = shift = 0
        while True:
            byte = data[at]
            at += 1
            size |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                break
        yield data[at : at + size]
        at += size
