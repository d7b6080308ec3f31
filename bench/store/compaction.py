"""Merges the segments of a store; run as a program, so that its peak memory is its own.

python -m bench.store.compaction FOLDER
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

from bench.report import peak_bytes
from tracestore.store import Store


def run(folder: Path) -> dict[str, float]:
    """Returns what a full merge takes: seconds, processor time and resident bytes; and what it read."""
    with Store.open(folder, background=False) as store:
        raw_bytes = sum(row.raw_bytes for row in store._core.index.rows())  # noqa: SLF001 - not a public number
        rows = store.stats().segment_rows
        idle_bytes = peak_bytes()
        start, cpu_start = time.perf_counter(), time.process_time()
        report = store.compact()
        seconds, cpu_s = time.perf_counter() - start, time.process_time() - cpu_start
    return {
        "seconds": seconds,
        "cpu_s": cpu_s,
        "rows": rows,
        "inputs": report.inputs,
        "outputs": report.outputs,
        "file_bytes": report.input_bytes,
        "raw_bytes": raw_bytes,
        "idle_bytes": idle_bytes,
        "peak_bytes": peak_bytes(),
    }


if __name__ == "__main__":
    print(json.dumps(run(Path(sys.argv[1]))))
