"""Measures how cost grows with rows, paths, segments and clients: `python -m bench.growth [--full] [--quick]`."""

from __future__ import annotations

import argparse
import json
import shutil
import tempfile
import threading
import time
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any

import duckdb

import tracestore
from bench.compare.__main__ import Comparison
from bench.query import data
from bench.query.shapes import SUM
from bench.report import Result, keep, middle, show

SYSTEMS = ["tracestore", "typed", "clickhouse"]
ROWS = (25_000, 100_000, 400_000)
ROWS_FULL = (100_000, 1_000_000, 10_000_000)
PATHS = (1, 100, 1_000, 10_000)
CLIENTS = (1, 2, 4, 8, 16)
SEGMENTS = (1, 10, 100, 1_000)
ASKED = {
    "group": "SELECT name, count(*) AS n{number} FROM spans GROUP BY name",
    "sum by a path": (
        "SELECT attributes.gen_ai.request.model AS model, sum(attributes.gen_ai.usage.input_tokens) AS t{number} "
        "FROM spans GROUP BY model"
    ),
    "trace by id": "SELECT span_id, name AS n{number} FROM spans WHERE trace_id = '{trace}'",
}
"""What is asked of more and more segments: each text is new, by a name in it."""

ROUNDS = 11
# Seconds for one load or question: 10 M rows take minutes.
PATIENCE_S = 900.0


def note(
    question: str, workload: str, system: str, metric: str, values: list[float], unit: str
) -> Result:
    """Returns a result of this folder."""
    value, spread = middle(values)
    package = "duckdb" if system == "hand-typed parquet" else "tracestore"
    return Result(workload, question, system, version(package), metric, value, unit, spread)


def rows(sizes: tuple[int, ...]) -> list[Result]:
    """Returns every question of `apm` at growing numbers of rows."""
    results = []
    for size in sizes:
        folder = Path(tempfile.mkdtemp(prefix="tracestore-bench-"))
        try:
            comparison = Comparison("apm", size, folder, PATIENCE_S)
            comparison.run(SYSTEMS)
        finally:
            shutil.rmtree(folder)
        results += comparison.results
    return results


def paths(folder: Path, spans: int) -> list[Result]:
    """Returns what distinct paths cost: five rare keys a span, of so many."""
    results = []
    for count in PATHS:
        batches = list(data.batches(spans, rare_keys=count))
        start = time.perf_counter()
        store = tracestore.open(folder / f"paths{count}", background=False)
        with store:
            for batch in batches:
                store.insert("spans", batch)
            store.flush()
            took = time.perf_counter() - start
            store.compact(full=True)
            times = [_ms(lambda: store.sql(SUM).arrow()) for _ in range(11)]  # noqa: B023
            size = store.stats().segment_bytes / spans
        workload = f"{spans:,} spans, {count:,} rare paths"
        results += [
            note("paths", workload, "tracestore", "spans a second", [spans / took], "1/s"),
            note("paths", workload, "tracestore", "sum of another path", times[1:], "ms"),
            note("paths", workload, "tracestore", "bytes a span", [size], "B"),
        ]
    return results


def segments(folder: Path, spans: int, counts: tuple[int, ...]) -> list[Result]:
    """Returns what questions take of the same spans in more and more segments: of new texts, and of one asked again."""
    lines = [line for batch in data.batches(spans) for line in batch.split(b"\n")]
    trace = json.loads(lines[spans // 2])["trace_id"]
    results = []
    for count in counts:
        store = tracestore.open(folder / f"segments{count}", background=False, durability="async")
        with store:
            rows = spans // count
            for start in range(0, rows * count, rows):
                store.insert("spans", b"\n".join(lines[start : start + rows]))
                store.flush()
            workload = f"{spans:,} spans, {store.stats().segments:,} segments"
            for name, text in ASKED.items():
                texts = [text.format(number=i, trace=trace) for i in range(ROUNDS + 1)]
                new = [_ms(lambda: store.sql(sql).arrow()) for sql in texts]  # noqa: B023
                again = [_ms(lambda: store.sql(texts[-1]).arrow()) for _ in range(ROUNDS)]  # noqa: B023
                # The first text reads what is cached from then on.
                for how, times in (("a new text", new[1:]), ("asked again", again)):
                    about = "segments", workload, "tracestore", f"{name}, {how}"
                    results.append(note(*about, times, "ms"))
    return results


def clients(folder: Path, spans: int, seconds: float) -> list[Result]:
    """Returns queries a second of clients at the same time, here and on a hand-typed Parquet file."""
    results = []
    with tracestore.open(folder / "clients", background=False, durability="async") as store:
        for batch in data.batches(spans):
            store.insert("spans", batch)
        store.flush()
        store.compact(full=True)
        model, tokens = "attributes.gen_ai.request.model", "attributes.gen_ai.usage.input_tokens"
        table = store.sql(
            f"SELECT {model} AS m, {tokens} AS t FROM spans ORDER BY start_ns"
        ).arrow()
        file = folder / "typed.parquet"
        with duckdb.connect() as writing:
            writing.register("source", table)
            writing.execute(f"COPY source TO '{file}' (FORMAT parquet, COMPRESSION zstd)")
        connection = duckdb.connect()
        connection.execute("SET parquet_metadata_cache = true")
        typed = f"SELECT m, sum(t) AS t FROM '{file}' GROUP BY 1"
        systems: dict[str, Callable[[], Any]] = {
            "tracestore": lambda: store.sql(SUM, timeout_s=None).arrow(),
            "hand-typed parquet": lambda: connection.cursor().execute(typed).to_arrow_table(),
        }
        for count in CLIENTS:
            for system, ask in systems.items():
                workload = f"{spans:,} spans, {count} clients"
                rates = [_rate(ask, count, seconds) for _ in range(3)]
                results.append(note("clients", workload, system, "queries a second", rates, "1/s"))
        connection.close()
    return results


def _rate(ask: Callable[[], Any], count: int, seconds: float) -> float:
    done = [0] * count
    start_s = time.perf_counter()

    def client(number: int) -> None:
        while time.perf_counter() < start_s + seconds:
            ask()
            done[number] += 1

    threads = [threading.Thread(target=client, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sum(done) / (time.perf_counter() - start_s)


def _ms(work: Callable[[], Any]) -> float:
    start = time.perf_counter()
    work()
    return (time.perf_counter() - start) * 1e3


def main() -> None:
    """Runs all four, and writes results/growth.jsonl."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--full", action="store_true", help="up to 10 M rows")
    parser.add_argument("--quick", action="store_true", help="2,000 rows; nothing is written")
    chosen = parser.parse_args()
    spans, seconds = (2_000, 0.2) if chosen.quick else (200_000, 2.0)
    folder = Path(tempfile.mkdtemp(prefix="tracestore-bench-"))
    try:
        counts = SEGMENTS[:3] if chosen.quick else SEGMENTS
        results = [
            *paths(folder, spans),
            *segments(folder, spans, counts),
            *clients(folder, spans, seconds),
        ]
    finally:
        shutil.rmtree(folder)
    sizes = (1_000, 2_000) if chosen.quick else ROWS_FULL if chosen.full else ROWS
    results += rows(sizes)
    keep(results, "growth", quick=chosen.quick)
    show(results)


if __name__ == "__main__":
    main()
