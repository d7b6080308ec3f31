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
    """Returns seconds, bytes read (files and rows in memory) and peak resident bytes of a full merge."""
    with Store.open(folder, background=False) as store:
        raw_bytes = sum(row.raw_bytes for row in store._core.index.rows())  # noqa: SLF001 - not a public number
        idle_bytes = peak_bytes()
        start = time.perf_counter()
        report = store.compact()
        seconds = time.perf_counter() - start
    return {
        "seconds": seconds,
        "inputs": report.inputs,
        "outputs": report.outputs,
        "file_bytes": report.input_bytes,
        "raw_bytes": raw_bytes,
        "idle_bytes": idle_bytes,
        "peak_bytes": peak_bytes(),
    }


if __name__ == "__main__":
    print(json.dumps(run(Path(sys.argv[1]))))
