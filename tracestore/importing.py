"""Files of traces as payloads: OTLP/JSON, protobuf, length-delimited protobuf, rows; also under zstd and gzip.

What comes in lines or with lengths is read as it is needed, Parquet in batches; one JSON document is read whole.
"""

from __future__ import annotations

import gzip
import io
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Final

import zstandard

from tracestore.content_types import JSON, PROTOBUF
from tracestore.errors import TraceStoreError
from tracestore.limits import MAX_PAYLOAD_BYTES
from tracestore.parquet_files.errors import ParquetFileError

PART_BYTES: Final = 8 * 1024 * 1024
"""Rows are handed on in parts of about this size, so that progress shows and a part is one request."""

STDIN: Final = Path("-")

_PEEKED_BYTES: Final = 64 * 1024
_SIGNALS: Final = {b'"resourceSpans"': "traces", b'"resourceLogs"': "logs"}
_KEYS: Final = {"resourceSpans": "traces", "resourceLogs": "logs"}
_MAX_LENGTH_BYTES: Final = 10  # of a varint


class ImportFileError(TraceStoreError, ValueError):
    """A file that cannot be read as traces."""


@dataclass(frozen=True, slots=True)
class Payload:
    """The content of one request.

    Attributes:
        content_type: of an OTLP request, None for rows.
        signal: of an OTLP request, empty for rows.
        body: the request, or rows as NDJSON.
    """

    content_type: str | None
    signal: str
    body: bytes


@dataclass(slots=True)
class Imported:
    """The counts of an import; rows sent to a server as OTLP are counted there, not here.

    Attributes:
        failed: files that could not be read to their end.
    """

    files: int = 0
    requests: int = 0
    rows: int = 0
    duplicates: int = 0
    replaced: int = 0
    rejected: int = 0
    failed: int = 0

    def add(self, report: Any) -> None:
        """Counts one request's report: a store's, or a server's as a dict."""
        self.requests += 1
        if report is None:
            return
        fields = (
            report
            if isinstance(report, dict)
            else {
                "rows": report.rows,
                "duplicates": report.duplicates,
                "replaced": report.replaced,
                "rejected_rows": report.rejected_rows,
            }
        )
        self.rows += fields.get("rows", 0)
        self.duplicates += fields.get("duplicates", 0)
        self.replaced += fields.get("replaced", 0)
        self.rejected += fields.get("rejected_rows", 0)

    def __str__(self) -> str:
        """Returns the counts in words."""
        parts = [
            f"imported {self.rows:,} rows of {self.requests:,} requests from {self.files} files"
        ]
        if self.duplicates:
            parts.append(f"{self.duplicates:,} were there already")
        if self.replaced:
            parts.append(f"{self.replaced:,} earlier versions replaced")
        if self.rejected:
            parts.append(f"{self.rejected:,} refused")
        if self.failed:
            parts.append(f"{self.failed} files could not be read")
        return ", ".join(parts)


def files_of(paths: Sequence[Path]) -> list[Path]:
    """Returns the files that paths name, those of folders included; `-` stays as it is.

    Raises:
        ImportFileError: where a path names nothing.
    """
    files: list[Path] = []
    for path in paths:
        if path != STDIN and not path.exists():
            raise ImportFileError(f"cannot import {path}: no such file or folder")
        if path != STDIN and path.is_dir():
            files += sorted(file for file in path.rglob("*") if file.is_file())
        else:
            files.append(path)
    return files


def requests_of(path: Path) -> Iterator[Payload]:
    """Yields the payloads of a file.

    Raises:
        ImportFileError: where its bytes are not what its name says.
    """
    name = path.name.lower()
    if name.endswith(".parquet"):
        yield from _parquet(path)
        return
    with path.open("rb") as file:
        source: IO[bytes] = file
        if name.endswith(".zst"):
            source = io.BufferedReader(zstandard.ZstdDecompressor().stream_reader(file))
        elif name.endswith(".gz"):
            source = io.BufferedReader(gzip.GzipFile(fileobj=file))
        for suffix in (".zst", ".gz"):
            name = name.removesuffix(suffix)
        try:
            yield from _payloads(source, name)
        except (zstandard.ZstdError, gzip.BadGzipFile, EOFError) as error:
            raise ImportFileError(f"cannot decompress it: {error}") from None


def _parquet(path: Path) -> Iterator[Payload]:
    # Reading it loads what most files do not need.
    from tracestore.parquet_files.rows import parquet_rows  # noqa: PLC0415

    try:
        for lines in parquet_rows(path):
            yield from _parts(iter(lines.splitlines(keepends=True)))
    except ParquetFileError as error:
        raise ImportFileError(str(error)) from None


def requests_of_stream(stream: IO[bytes]) -> Iterator[Payload]:
    """Yields the payloads of lines that come from elsewhere: OTLP/JSON requests or rows."""
    yield from _payloads(io.BufferedReader(stream) if not hasattr(stream, "peek") else stream, "")


def _payloads(source: Any, name: str) -> Iterator[Payload]:
    if name.endswith(".pbs"):
        for body in _length_delimited(source):
            yield Payload(PROTOBUF, _signal_of_name(name), body)
    elif name.endswith(".pb"):
        yield Payload(PROTOBUF, _signal_of_name(name), _whole(source))
    elif name.endswith(".json"):
        yield from _document(_whole(source))
    else:
        yield from _lines(source)


def _signal_of_name(name: str) -> str:
    """Returns the signal of a protobuf file, whose bytes do not tell: logs where its name says so."""
    return "logs" if "logs" in name else "traces"


def _whole(source: IO[bytes]) -> bytes:
    data = source.read(MAX_PAYLOAD_BYTES + 1)
    if len(data) > MAX_PAYLOAD_BYTES:
        raise ImportFileError(
            f"cannot read it whole: it has more than {MAX_PAYLOAD_BYTES} bytes; write a request or row a line (.jsonl)"
        )
    return data


def _document(data: bytes) -> Iterator[Payload]:
    """Yields what one JSON file holds: a request, an array of requests or rows, or lines of either."""
    signal = next((_SIGNALS[key] for key in _SIGNALS if key in data[:_PEEKED_BYTES]), None)
    try:
        value = json.loads(data)
    except (ValueError, RecursionError):
        yield from _lines(io.BufferedReader(io.BytesIO(data)))
        return
    if isinstance(value, dict) and signal is not None:
        yield Payload(JSON, signal, data)
        return
    rows: list[bytes] = []
    for item in value if isinstance(value, list) else [value]:
        signals = [name for key, name in _KEYS.items() if isinstance(item, dict) and key in item]
        text = json.dumps(item, ensure_ascii=False).encode("utf-8", "surrogatepass")
        if signals:
            yield Payload(JSON, signals[0], text)
        else:
            rows.append(text + b"\n")
    yield from _parts(iter(rows))


def _lines(source: Any) -> Iterator[Payload]:
    peeked = source.peek(_PEEKED_BYTES)[:_PEEKED_BYTES]
    if not any(key in peeked for key in _SIGNALS):
        yield from _parts(source)
        return
    for line in source:
        if line.strip():
            signal = next((name for key, name in _SIGNALS.items() if key in line), "traces")
            yield Payload(JSON, signal, line)


def _parts(lines: Iterator[bytes]) -> Iterator[Payload]:
    part: list[bytes] = []
    size = 0
    for line in lines:
        part.append(line)
        size += len(line)
        if size > PART_BYTES:
            yield Payload(None, "", b"".join(part))
            part, size = [], 0
    if part:
        yield Payload(None, "", b"".join(part))


def _length_delimited(source: IO[bytes]) -> Iterator[bytes]:
    while True:
        size = shift = 0
        for count in range(_MAX_LENGTH_BYTES):
            byte = source.read(1)
            if not byte:
                if count == 0:
                    return
                raise ImportFileError("cannot read it: it ends inside a length")
            size |= (byte[0] & 0x7F) << shift
            shift += 7
            if byte[0] < 0x80:  # the last byte of a varint
                break
        else:
            raise ImportFileError("cannot read it: a length has more than 10 bytes")
        if size > MAX_PAYLOAD_BYTES:
            raise ImportFileError(f"cannot read it: a request of {size} bytes passes the limit")
        body = source.read(size)
        if len(body) < size:
            raise ImportFileError("cannot read it: it ends inside a request")
        yield body
