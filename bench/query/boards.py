"""Measures a board that is asked again: `python -m bench.query.boards [--rows N] [--quick]`."""

from __future__ import annotations

import argparse
import itertools
import shutil
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import tracestore
from bench.query.data import START_NS
from bench.query.measure import OURS, note
from bench.report import Result, keep, show
from tracestore import Store
from tracestore_query import Query

BATCH_ROWS = 50_000
FLUSH_ROWS = 400_000
NEW_ROWS = 10_000
STEP_NS = 50_000_000
"""Time between two spans: ten million of them are six days."""

ERRORS = "count(*) FILTER (WHERE status_code = 'ERROR')"
HOUR = "time_bucket(INTERVAL 1 HOUR, start_time) AS time"

BOARD = (
    f"SELECT count(*) AS spans, {ERRORS} AS errors, approx_count_distinct(attributes.user.id) AS users FROM spans",
    f"SELECT {HOUR}, count(*) AS spans FROM spans GROUP BY ALL ORDER BY time",
    f"SELECT {HOUR}, name, count(*) AS spans FROM spans GROUP BY ALL ORDER BY time",
    f"SELECT {HOUR}, count(*) AS errors FROM spans WHERE status_code = 'ERROR' GROUP BY ALL ORDER BY time",
    f"SELECT {HOUR}, attributes.model AS model, sum(attributes.tokens) AS tokens FROM spans GROUP BY ALL ORDER BY time",
    f"SELECT {HOUR}, avg(duration) AS s, approx_quantile(duration, 0.95) AS p95 FROM spans GROUP BY ALL ORDER BY time",
    "SELECT attributes.model AS model, count(*) AS calls, sum(attributes.cost) AS dollars FROM spans GROUP BY ALL",
    "SELECT attributes.http.route AS route, count(*) AS calls, avg(duration) AS s FROM spans GROUP BY ALL",
    "SELECT attributes.user.id AS user, sum(attributes.cost) AS c FROM spans GROUP BY ALL ORDER BY c DESC LIMIT 20",
    "SELECT name, status_code, count(*) AS spans, max(start_time) AS last FROM spans GROUP BY ALL ORDER BY spans DESC",
    f"SELECT {HOUR}, floor(log10(duration) * 4) AS d, count(*) AS n FROM spans WHERE duration > 0 GROUP BY ALL",
    f"SELECT attributes.model AS model, round(100.0 * {ERRORS} / count(*), 2) AS share FROM spans GROUP BY ALL",
)
"""Twelve groupings of sums, counts, averages, extremes, an approximate quantile and distinct count."""


def batches(first: int, stop: int) -> Iterator[bytes]:
    """Yields NDJSON of spans."""
    for start in range(first, stop, BATCH_ROWS):
        lines = [
            f'{{"trace_id":"{i // 5 + 1:032x}","span_id":"{i + 1:016x}","name":"op{i % 7}","kind":"CLIENT",'
            f'"start_ns":{START_NS + i * STEP_NS},"duration_ns":{(i * 7919) % 2_000_000_000},'
            f'"status_code":"{"ERROR" if i % 53 == 0 else "OK"}","attributes":{{"http.route":"/api/{i % 50}",'
            f'"user.id":"user-{i * 31 % 1000}","model":"m{i % 5}","tokens":{i % 977},"ok":true,'
            f'"cost":{i % 101 / 7}}}}}'
            for i in range(start, min(start + BATCH_ROWS, stop))
        ]
        yield "\n".join(lines).encode()


def fill(store: Store, first: int, stop: int) -> None:
    """Stores spans as a server does: a segment when there are enough rows."""
    rows = 0
    for batch in batches(first, stop):
        store.insert("spans", batch)
        rows += BATCH_ROWS
        if rows >= FLUSH_ROWS:
            store.flush()
            rows = 0
    store.flush()


def asked(query: Query) -> float:
    """Returns the milliseconds of the whole board."""
    start = time.perf_counter()
    for sql in BOARD:
        query.sql(sql, timeout_s=None).arrow()
    return (time.perf_counter() - start) * 1e3


def _opened(folder: Path) -> Store:
    return tracestore.open(folder / "store", background=False, durability="async")


def board(folder: Path, rows: int, rounds: int) -> list[Result]:
    """Returns how long a board takes at first, again, and again after new spans, with groups kept and without."""
    workload = f"{rows:,} spans"
    results: list[Result] = []
    plain_first, without, first, again, third, after, flushed = ([] for _ in range(7))
    with _opened(folder) as store:
        fill(store, 0, rows)
        store.compact()
    new = itertools.count(rows, NEW_ROWS)
    for _ in range(rounds):
        shutil.rmtree(folder / "store" / "groups", ignore_errors=True)
        with _opened(folder) as store:
            plain, query = Query(store, shortcuts=False), Query(store)
            # The first question of a process pays for imports.
            plain.sql("SELECT count(*) FROM spans WHERE name = 'warm'").rows()
            plain_first.append(asked(plain))
            query.sql("SELECT count(*) FROM spans WHERE name = 'warm'").rows()
            without.append(asked(plain))
            first.append(asked(query))
            again.append(asked(query))
            # A plan is kept when its text comes again, so the second time pays for it and the third does not.
            third.append(asked(query))
            start = next(new)
            for batch in batches(start, start + NEW_ROWS):
                store.insert("spans", batch)
            after.append(asked(query))
            store.flush()
            flushed.append(asked(query))
            kept = sum(path.stat().st_size for path in (store.folder / "groups").iterdir())
            plain.close()
            query.close()
    for metric, values in (
        ("a board, nothing kept, first time", plain_first),
        ("a board, nothing kept, again", without),
        ("a board, first time", first),
        ("a board, again", again),
        ("a board, a third time", third),
        (f"a board, again after {NEW_ROWS:,} new spans", after),
        (f"a board, again after {NEW_ROWS:,} new spans were flushed", flushed),
    ):
        results.append(note(workload, metric, OURS, values, "ms"))
    for name, times in (("first time", first), ("nothing kept, first time", plain_first)):
        shares = [new_ms / first_ms for new_ms, first_ms in zip(after, times, strict=True)]
        results.append(
            note(workload, f"share of a board after new spans, of {name}", OURS, shares, "x")
        )
    results.append(note(workload, "bytes of kept groups", OURS, [kept / 1e6], "MB"))
    return results


def main() -> None:
    """Runs the board and prints what it took."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--rows", type=int, default=10_000_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--quick", action="store_true", help="1,200,000 rows: shows that it runs")
    chosen = parser.parse_args()
    rows = 1_200_000 if chosen.quick else chosen.rows
    folder = Path(tempfile.mkdtemp(prefix="tracestore-bench-"))
    try:
        results = board(folder, rows, 2 if chosen.quick else chosen.rounds)
    finally:
        shutil.rmtree(folder)
    keep(results, "boards", quick=chosen.quick)
    show(results)


if __name__ == "__main__":
    main()
