"""Measures opening and planning with very many segments: `python -m bench.scale`."""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from importlib.metadata import version
from pathlib import Path
from typing import Final

from bench.report import Result, keep, show
from bench.scale import filling
from tracestore.store.files import filenames

SEGMENTS: Final = "500,100000,1000000"
PATIENCE_S: Final = 900.0
"""Seconds that one process may take: a million segments are opened in seconds."""


def run(folder: Path, catalog: str | None, segments: int) -> list[Result]:
    """Returns what so many segments cost."""
    place: str | Path = folder / filenames.CATALOG
    if catalog is not None:
        place = catalog = catalog.replace("{segments}", str(segments))
    start_s = time.perf_counter()
    filling.fill(place, segments, folder)
    print(f"{segments:,} segments made in {time.perf_counter() - start_s:.0f} s", file=sys.stderr)
    command = [sys.executable, "-m", "bench.scale.measure", str(folder)]
    done = subprocess.run(
        [*command, catalog] if catalog is not None else command,
        check=True,
        stdout=subprocess.PIPE,
        timeout=PATIENCE_S,
    )
    measured = json.loads(done.stdout)
    each = filling.stored_bytes(place) / segments
    opened, kept = measured.pop("open_bytes"), measured.pop("bytes")
    values = [
        ("opening", "time", measured.pop("open_s"), "s"),
        ("opening", "memory", opened / 1e6, "MB"),
        ("after planning", "memory", kept / 1e6, "MB"),
        ("catalog", "bytes a segment", each, "B"),
        *((name, "planning", value, "ms") for name, value in measured.items()),
    ]
    workload = f"{segments:,} segments, {'SQLite' if catalog is None else 'PostgreSQL'}"
    return [
        Result(workload, question, "tracestore", version("tracestore"), metric, value, unit, 0.0)
        for question, metric, value, unit in values
    ]


def main() -> None:
    """Runs each number of segments, and writes results/scale.jsonl."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--segments", default=SEGMENTS, help="numbers of segments, by commas")
    parser.add_argument("--catalog", help="PostgreSQL's URL; default SQLite in a folder")
    parser.add_argument("--quick", action="store_true", help="few segments; nothing is written")
    chosen = parser.parse_args()
    results: list[Result] = []
    for segments in [500] if chosen.quick else [int(n) for n in chosen.segments.split(",")]:
        with tempfile.TemporaryDirectory(prefix="tracestore-bench-") as folder:
            results += run(Path(folder), chosen.catalog, segments)
    keep(results, "scale", quick=chosen.quick)
    show(results)


if __name__ == "__main__":
    main()
