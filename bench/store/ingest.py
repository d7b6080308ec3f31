"""Writes OTLP bodies through `Store.ingest_otlp` from four threads; run as a program, to be measured alone.

    python -m bench.store.ingest BODIES FOLDER

BODIES holds requests, each after its length (u32le). Prints one JSON object.
"""

from __future__ import annotations

import json
import os
import struct
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

from bench.report import peak_bytes
from tracestore.store import Store

THREADS = 4


def bodies(path: Path) -> Iterator[bytes]:
    """Yields the requests of a file, one in memory at a time."""
    with path.open("rb") as file:
        while head := file.read(4):
            yield file.read(struct.unpack("<I", head)[0])


def run(path: Path, folder: Path) -> dict[str, float]:
    """Returns seconds, rows, CPU seconds and peak resident bytes of writing all bodies."""
    store = Store.open(folder)
    source = bodies(path)
    lock = threading.Lock()
    rows = 0

    def work() -> None:
        nonlocal rows
        while True:
            with lock:
                body = next(source, None)
            if body is None:
                return
            report = store.ingest_otlp(body, "traces")
            with lock:
                rows += report.rows

    before = os.times()
    start = time.perf_counter()
    threads = [threading.Thread(target=work) for _ in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    seconds = time.perf_counter() - start
    after = os.times()
    syncs = store.stats().wal_syncs
    store.close()
    cpu_s = after.user + after.system - before.user - before.system
    return {
        "seconds": seconds, "rows": rows, "cpu_s": cpu_s, "peak_bytes": peak_bytes(), "syncs": syncs
    }  # fmt: skip


if __name__ == "__main__":
    print(json.dumps(run(Path(sys.argv[1]), Path(sys.argv[2]))))
