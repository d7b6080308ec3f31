"""Files of traces in every form that people have them in, whole and damaged."""

from __future__ import annotations

import gzip
import io
import json
from collections.abc import Callable
from pathlib import Path

import pytest
import zstandard

from data import payloads
from tracestore.content_types import JSON, PROTOBUF
from tracestore.importing import (
    PART_BYTES,
    STDIN,
    Imported,
    ImportFileError,
    Payload,
    files_of,
    requests_of,
    requests_of_stream,
)

REQUEST = payloads.request("traces", 1, rows=2).SerializeToString()
DOCUMENT = b'{"resourceSpans": [\n]}'
LOGS = b'{"resourceLogs": []}'


def varint(value: int) -> bytes:
    found = b""
    while value > 0x7F:
        found += bytes([value & 0x7F | 0x80])
        value >>= 7
    return found + bytes([value])


FILES: dict[str, tuple[bytes, list[Payload]]] = {
    "one.pb": (REQUEST, [Payload(PROTOBUF, "traces", REQUEST)]),
    "logs.pb": (REQUEST, [Payload(PROTOBUF, "logs", REQUEST)]),
    "many.pbs": (
        (varint(len(REQUEST)) + REQUEST) * 2,
        [Payload(PROTOBUF, "traces", REQUEST)] * 2,
    ),
    "none.pbs": (b"", []),
    "pretty.json": (DOCUMENT, [Payload(JSON, "traces", DOCUMENT)]),
    "logs.json": (LOGS, [Payload(JSON, "logs", LOGS)]),
    "lines.jsonl": (
        LOGS + b"\n\n" + b'{"resourceSpans": []}\n',
        [
            Payload(JSON, "logs", LOGS + b"\n"),
            Payload(JSON, "traces", b'{"resourceSpans": []}\n'),
        ],
    ),
    "requests.json": (
        b'[{"resourceSpans": []}, {"resourceLogs": []}]',
        [
            Payload(JSON, "traces", b'{"resourceSpans": []}'),
            Payload(JSON, "logs", b'{"resourceLogs": []}'),
        ],
    ),
    "rows.json": (b'[{"a": 1}, {"a": 2}]', [Payload(None, "", b'{"a": 1}\n{"a": 2}\n')]),
    "row.json": (b'{"a": 1}', [Payload(None, "", b'{"a": 1}\n')]),
    "rows.ndjson": (b'{"a": 1}\n{"a": 2}\n', [Payload(None, "", b'{"a": 1}\n{"a": 2}\n')]),
    "lines in a document.json": (b'{"a": 1}\n{"a": 2}', [Payload(None, "", b'{"a": 1}\n{"a": 2}')]),
}


PACKED: dict[str, Callable[[bytes], bytes]] = {
    "": bytes,
    ".gz": gzip.compress,
    ".zst": zstandard.compress,
}


@pytest.mark.parametrize("packed", PACKED)
@pytest.mark.parametrize("name", FILES)
def test_each_kind_of_file(tmp_path: Path, name: str, packed: str) -> None:
    data, wanted = FILES[name]
    path = tmp_path / (name + packed)
    path.write_bytes(PACKED[packed](data))
    assert list(requests_of(path)) == wanted


def test_many_rows_come_in_parts(tmp_path: Path) -> None:
    line = json.dumps({"a": "x" * 1000}).encode() + b"\n"
    path = tmp_path / "rows.jsonl"
    path.write_bytes(line * (PART_BYTES // len(line) * 2))
    parts = list(requests_of(path))
    assert len(parts) == 2
    assert b"".join(part.body for part in parts) == path.read_bytes()


@pytest.mark.parametrize(
    ("name", "data", "says"),
    [
        ("x.pbs", b"\x05ab", "inside a request"),
        ("x.pbs", b"\x80", "inside a length"),
        ("x.pbs", b"\xff" * 11, "more than 10 bytes"),
        ("x.pbs", b"\xff\xff\xff\xff\x7f", "passes the limit"),
        ("x.jsonl.zst", b"no zstd", "decompress"),
        ("x.jsonl.gz", b"no gzip", "decompress"),
        ("x.jsonl.gz", gzip.compress(b"{}" * 1000, mtime=0)[:-9], "decompress"),
    ],
    ids=["cut body", "cut length", "long length", "huge", "no zstd", "no gzip", "cut gzip"],
)
def test_damaged_files_say_what_is_wrong(tmp_path: Path, name: str, data: bytes, says: str) -> None:
    path = tmp_path / name
    path.write_bytes(data)
    with pytest.raises(ImportFileError, match=says):
        list(requests_of(path))


def test_a_stream_is_read_like_lines() -> None:
    assert list(requests_of_stream(io.BytesIO(LOGS))) == [Payload(JSON, "logs", LOGS)]
    rows = list(requests_of_stream(io.BytesIO(b'{"a": 1}\n')))
    assert rows == [Payload(None, "", b'{"a": 1}\n')]


def test_folders_stand_for_their_files(tmp_path: Path) -> None:
    (tmp_path / "inner").mkdir()
    for name in ("b.json", "a.json", "inner/c.json"):
        (tmp_path / name).write_text("{}")
    assert [path.name for path in files_of([tmp_path])] == ["a.json", "b.json", "c.json"]
    assert files_of([STDIN]) == [STDIN]
    with pytest.raises(ImportFileError, match="no such file"):
        files_of([tmp_path / "nothing"])


def test_counts_are_told_in_words() -> None:
    total = Imported(files=2)
    total.add({"rows": 5, "rejected_rows": 1})
    total.add(None)
    total.failed = 1
    assert str(total) == (
        "imported 5 rows of 2 requests from 2 files, 1 refused, 1 files could not be read"
    )
