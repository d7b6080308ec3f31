"""Shreds a file of OTLP requests and prints its paths and types: what `make demo` runs.

Usage: python docs/guide/shred_traces.py [FILE]
FILE is OTLP/JSON, one request a file (.json) or a line (.jsonl, .jsonl.zst), or length-delimited
protobuf (.pbs.zst). Without one: real traces of the shared corpus, else the trace of tests/data.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import zstandard

from tracestore.variant import Shredder, unshred

if TYPE_CHECKING:
    from collections.abc import Iterator

REPOSITORY = Path(__file__).resolve().parents[2]
REAL = REPOSITORY.parent / "shared" / "data" / "otlp" / "replay-pydantic-ai" / "traces.pbs.zst"
OURS = REPOSITORY / "tests" / "data" / "agent_trace.json"
PROTOBUF = "application/x-protobuf"
JSON = "application/json"
SHOWN_PATHS = 18


def delimited(data: bytes) -> Iterator[bytes]:
    """Yields the messages of a sequence of (varint length, message)."""
    position = 0
    while position < len(data):
        length = shift = 0
        while True:
            byte = data[position]
            position += 1
            length |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                break
        yield data[position : position + length]
        position += length


def requests(path: Path) -> tuple[str, list[bytes]]:
    """Returns the content type and the request bodies of a file."""
    data = path.read_bytes()
    if path.suffix == ".zst":
        data = zstandard.ZstdDecompressor().decompressobj().decompress(data)
    if ".pbs" in path.suffixes:
        return PROTOBUF, list(delimited(data))
    return JSON, [data] if path.suffix == ".json" else data.splitlines()


def main() -> None:
    """Shreds the file and prints what became of it."""
    path = Path(sys.argv[1]) if len(sys.argv) > 1 else (REAL if REAL.exists() else OURS)
    content_type, bodies = requests(path)
    shredder = Shredder(table="spans")
    start = time.perf_counter()
    rejected = 0
    for body in bodies:
        report = shredder.append_otlp(body, signal="traces", content_type=content_type)
        rejected += len(report.rejected)
    seconds = time.perf_counter() - start
    size_bytes = sum(map(len, bodies))
    leaves = sorted(shredder.leaf_counts(), key=lambda leaf: (-leaf[2], leaf))
    table, tail = shredder.finish(tail=True)

    print(f"{path.name}: {len(bodies)} requests, {size_bytes / 1e6:.1f} MB of {content_type}")
    print(
        f"shredded {table.num_rows} spans ({rejected} refused) "
        f"in {seconds * 1e3:.0f} ms: {size_bytes / 1e6 / seconds:.0f} MB/s on one thread\n"
    )
    print(f"{len(leaves)} paths with a type; the {SHOWN_PATHS} densest:")
    for text, kind, rows in leaves[:SHOWN_PATHS]:
        print(f"  {rows:>7} rows  {kind:<6}  {text}")
    columns = [name for name in table.column_names if ":" in name]
    print(
        f"\n{len(columns)} earned a column, {tail.num_rows} values are in the tail\n"
    )
    print("the attributes of the first span, rebuilt from its columns:")
    text = unshred(table.slice(0, 1), "attributes").decode().rstrip("\n")
    print(f"  {text[:300]}{'...' if len(text) > 300 else ''}")


if __name__ == "__main__":
    main()
