"""Measures what comes before the first row: `python -m bench.fixed [--quick]`."""

from __future__ import annotations

import argparse
import shutil
import tempfile
from pathlib import Path

from bench.fixed import objects, planning, starts
from bench.report import keep, show


def main() -> None:
    """Runs all questions and prints what they gave."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--quick", action="store_true", help="small sizes: shows that it runs")
    chosen = parser.parse_args()
    rounds = 3 if chosen.quick else 15
    folder = Path(tempfile.mkdtemp(prefix="tracestore-bench-"))
    try:
        results = [
            *starts.commands(folder, rounds),
            *planning.segments(folder, 20 if chosen.quick else 500, rounds),
            *planning.names(folder, rounds),
            *planning.tiles(folder, rounds),
            *planning.paths(folder, 200 if chosen.quick else 1_000),
            *planning.tail_paths(folder, 200 if chosen.quick else 2_000),
            *objects.many_keys(folder, 600 if chosen.quick else 6_000),
            *objects.opened_anew(folder, 2_000 if chosen.quick else 20_000),
        ]
    finally:
        shutil.rmtree(folder)
    keep(results, "fixed", quick=chosen.quick)
    show(results)


if __name__ == "__main__":
    main()
