"""Measures the memory of questions: `python -m bench.query.memory [--rows N] [--quick]`."""

from __future__ import annotations

import argparse
import collections
import multiprocessing
import re
import shutil
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import tracestore
from bench.compare.questions import WORKLOADS
from bench.datagen.workloads import ndjson
from bench.query.measure import OURS, note
from bench.report import Result, keep, peak_bytes, show
from tracestore import Store
from tracestore_query import QueryMemoryError

WORKLOAD = "apm"
ROUNDS = 2
"""Times that each question is asked: the second time finds what the first one cached."""

CLIENTS = 64
HEAVY_ROWS = 1_000_000
"""Rows that each of the groupings at once reads, each a group of its own."""

HEAVY = (
    "SELECT span_id, count(*) AS n{number}, max(attributes.url.path) AS path, sum(duration_ns) AS ns FROM spans "
    "WHERE start_ns < $stop GROUP BY span_id ORDER BY ns DESC, path LIMIT 5"
)
REFUSED = "refused, with a remedy"
"""What becomes of a statement that the engine has no memory for."""


def apart(work: Callable[..., Any], *arguments: Any) -> Any:
    """Returns what a function gives in a process of its own, whose peak is its own."""
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, mp_context=context) as pool:
        return pool.submit(work, *arguments).result()


def fill(folder: Path, rows: int) -> tuple[str, int, int]:
    """Stores rows; returns the id of one trace, the time before which the heavy groupings read, and the peak."""
    trace = ""
    with tracestore.open(folder) as store:
        for number, batch in enumerate(ndjson(WORKLOAD, rows)):
            store.insert("spans", batch)
            if number == 0:
                trace = str(re.findall(rb'"trace_id":"(\w+)"', batch)[0], "ascii")
        store.flush()
        store.compact(full=True)
        heavy = {"rows": min(rows, HEAVY_ROWS)}
        sql = "SELECT max(start_ns) AS t FROM (SELECT start_ns FROM spans ORDER BY start_ns LIMIT $rows)"
        stop = int(store.sql(sql, heavy, timeout_s=None).rows()[0]["t"])
    return trace, stop, peak_bytes()


def ask(folder: Path, texts: Sequence[str]) -> int:
    """Asks questions one after the other; returns the peak."""
    with _opened(folder) as store:
        for text in texts:
            for _ in range(ROUNDS):
                store.sql(text, timeout_s=None).arrow()
        return peak_bytes()


def ask_at_once(folder: Path, stop: int) -> tuple[dict[str, int], float, int]:
    """Asks heavy groupings at once; returns how many ended in which way, the seconds, and the peak."""
    ends: collections.Counter[str] = collections.Counter()
    with _opened(folder) as store:

        def client(number: int) -> None:
            ends[_end(store, HEAVY.format(number=number), stop)] += 1

        threads = [threading.Thread(target=client, args=(i,)) for i in range(CLIENTS)]
        start_s = time.perf_counter()
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return dict(ends), time.perf_counter() - start_s, peak_bytes()


def _end(store: Store, sql: str, stop: int) -> str:
    try:
        rows = store.sql(sql, {"stop": stop}, timeout_s=None).rows()
    except QueryMemoryError as error:
        return REFUSED if ";" in str(error) else f"refused: {error}"
    except Exception as error:  # noqa: BLE001 - what it is, is the result
        return f"failed: {type(error).__name__}"
    return "answered" if len(rows) == 5 else "failed: other rows"


def _opened(folder: Path) -> Store:
    return tracestore.open(folder, background=False)


def questions(folder: Path, trace: str) -> dict[str, str]:
    """Returns the text of each question in our words."""
    from bench.compare.ours import Tracestore  # noqa: PLC0415 - it loads the whole program, which the parent does not need

    system = Tracestore(folder, WORKLOADS[WORKLOAD], trace)
    return {name: system.question(name) for name in WORKLOADS[WORKLOAD].questions}


def measured(folder: Path, rows: int) -> list[Result]:
    """Returns the peaks of storing, of each question, of all of them, and of many at once."""
    workload = f"{WORKLOAD}, {rows:,} rows"
    trace, stop, stored = apart(fill, folder, rows)
    results = [_peak(workload, "storing and merging all", stored)]
    texts = questions(folder, trace)
    for name, text in texts.items():
        results.append(_peak(workload, name, apart(ask, folder, [text])))
    results.append(_peak(workload, "all questions", apart(ask, folder, list(texts.values()))))
    ends, seconds, peak = apart(ask_at_once, folder, stop)
    at_once = f"{workload}, {CLIENTS} groupings of {min(rows, HEAVY_ROWS):,} groups at once"
    results.append(_peak(at_once, "all of them", peak))
    results.append(note(at_once, "seconds", OURS, [seconds], "s"))
    lost = sum(count for end, count in ends.items() if end not in {"answered", REFUSED})
    counts = {"answered": 0, REFUSED: 0, **ends, "lost": lost}
    results += [note(at_once, end, OURS, [float(count)], "") for end, count in counts.items()]
    return results


def _peak(workload: str, what: str, peak: int) -> Result:
    return note(workload, f"peak resident, {what}", OURS, [peak / 1e6], "MB")


def main() -> None:
    """Measures, and prints what it gave."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--rows", type=int, default=10_000_000)
    parser.add_argument("--quick", action="store_true", help="100,000 rows: shows that it runs")
    chosen = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="tracestore-bench-"))
    try:
        results = measured(folder / "store", 100_000 if chosen.quick else chosen.rows)
    finally:
        shutil.rmtree(folder)
    keep(results, "memory", quick=chosen.quick)
    show(results)


if __name__ == "__main__":
    main()
