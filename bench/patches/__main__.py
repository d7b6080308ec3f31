"""What do late scores cost the queries, before and after they are folded in?

    python -m bench.patches [--rows 1000000] [--scores 10000] [--quick]

Two stores hold the same spans. One takes scores on spans drawn at random while more spans come into both; after each
batch of scores a query must see all of them. Then both are asked the same in turn, before folding and after it.
"""

from __future__ import annotations

import argparse
import functools
import random
import shutil
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import tracestore
from bench.query.data import BATCH_ROWS, START_NS, batches
from bench.report import Result, interleaved, middle, show
from tracestore import Store

BATCH = 500
QUESTIONS = {
    "mean score": "SELECT avg(scores.quality) AS a FROM spans",
    "scores by model": (
        "SELECT attributes.gen_ai.request.model AS m, avg(scores.quality) AS a FROM spans GROUP BY 1"
    ),
    "low scores by hour": (
        "SELECT date_trunc('hour', start_time) AS t, count(*) AS n FROM spans "
        "WHERE scores.quality < 0.1 GROUP BY 1"
    ),
    "latest minute": (
        "SELECT avg(scores.quality) AS a FROM spans "
        f"WHERE start_ns >= {START_NS + 60 * 10**9} AND start_ns < {START_NS + 120 * 10**9}"
    ),
    "one trace": (
        "SELECT span_id, scores.quality AS q FROM spans "
        "WHERE trace_id = '00000000000000000000000000000100'"
    ),
    "worst, whole": "SELECT * FROM spans ORDER BY scores.quality LIMIT 20",
    "no patched path": "SELECT avg(duration) AS a FROM spans WHERE status_code = 'ERROR'",
}


def scored(rows: int, *, shift_ns: int = 0) -> Iterator[bytes]:
    """Yields NDJSON of spans that have a score each."""
    rng = random.Random(5)
    for body in batches(rows, shift_ns=shift_ns):
        yield b"\n".join(
            b'%b, "scores": {"quality": %.3f, "speed": %.3f}}'
            % (line[:-1], rng.random(), rng.random())
            for line in body.splitlines()
        )


def span_at(number: int) -> tuple[str, str]:
    """Returns the ids of a span of the data, of those whose trace is not drawn."""
    number += number % 5 == 0
    return f"{number // 5 + 1:032x}", f"{number + 1:016x}"


def load(store: Store, patched: Store, rows: int, scores: int) -> Iterator[Result]:
    """Sends scores while spans come in, and yields what both took."""
    rng = random.Random(9)
    stop = threading.Event()
    sent = 0

    def ingest() -> None:
        nonlocal sent
        for body in scored(rows, shift_ns=10**15):
            for each in (store, patched):
                each.insert("spans", body)
            sent += BATCH_ROWS
            if stop.wait(0.2):
                return

    thread = threading.Thread(target=ingest)
    thread.start()
    started = time.perf_counter()
    chosen = rng.sample(range(1, rows - 1), scores)
    writes, queries = [], []
    seen: set[tuple[str, str]] = set()
    for start in range(0, scores, BATCH):
        spans = [span_at(number) for number in chosen[start : start + BATCH]]
        seen |= set(spans)
        before = time.perf_counter()
        patched.patch(
            {
                "trace_id": trace_id,
                "span_id": span_id,
                "scores": {"late": 1, "quality": rng.random()},
            }
            for trace_id, span_id in spans
        )
        written = time.perf_counter()
        (row,) = patched.sql("SELECT count(*) AS n FROM spans WHERE scores.late = 1").rows()
        queries.append((time.perf_counter() - written) * 1000)
        writes.append(len(spans) / (written - before))
        if row["n"] != len(seen):
            raise AssertionError(f"a query saw {row['n']} of {len(seen)} scored spans")
    seconds = time.perf_counter() - started
    stop.set()
    thread.join()
    title = f"{scores:,} scores on {rows:,} spans while spans come in"
    value, spread = middle(writes)
    yield Result("patches", title, "tracestore", "", "scores written", value, "/s", spread)
    value, spread = middle(queries)
    yield Result("patches", title, "tracestore", "", "query after a batch", value, "ms", spread)
    yield Result("patches", title, "tracestore", "", "spans meanwhile", sent / seconds, "/s", 0)


def _asked(store: Store, sql: str) -> object:
    return store.sql(sql).arrow()


def compared(store: Store, patched: Store, when: str, rounds: int) -> Iterator[Result]:
    """Yields the times of the patched store as a share of the other's, question by question."""
    for title, sql in QUESTIONS.items():
        times = interleaved(
            {
                "plain": functools.partial(_asked, store, sql),
                "patched": functools.partial(_asked, patched, sql),
            },
            rounds,
        )
        plain, plain_spread = middle([each * 1000 for each in times["plain"]])
        ours, spread = middle([each * 1000 for each in times["patched"]])
        yield Result(
            "patches", f"{title}, {when}", "without", "", "time", plain, "ms", plain_spread
        )
        yield Result("patches", f"{title}, {when}", "patched", "", "time", ours, "ms", spread)
        yield Result("patches", f"{title}, {when}", "patched", "", "ratio", ours / plain, "x", 0)


def run(folder: Path, rows: int, scores: int, rounds: int) -> Iterator[Result]:
    """Yields everything."""
    with tracestore.open(folder / "a", background=False) as store:
        for body in scored(rows):
            store.insert("spans", body)
        store.flush()
        store.compact(full=True)
    shutil.copytree(folder / "a", folder / "b")
    with (
        tracestore.open(folder / "a", background=False) as store,
        tracestore.open(folder / "b", background=False) as patched,
    ):
        yield from load(store, patched, rows, scores)
        for each in (store, patched):
            each.flush()
        yield from compared(store, patched, "before folding", rounds)
        started = time.perf_counter()
        patched.compact(full=True)
        seconds = time.perf_counter() - started
        yield Result("patches", "folding", "tracestore", "", "time", seconds, "s", 0)
        store.compact(full=True)
        yield from compared(store, patched, "after folding", rounds)


def main() -> None:
    """Runs all and prints."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--scores", type=int, default=10_000)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--quick", action="store_true", help="100,000 spans, few rounds")
    options = parser.parse_args()
    rows, rounds = (100_000, 5) if options.quick else (options.rows, options.rounds)
    scores = 1000 if options.quick else options.scores
    with tempfile.TemporaryDirectory() as folder:
        show(list(run(Path(folder), rows, scores, rounds)))


if __name__ == "__main__":
    main()
