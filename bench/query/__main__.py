"""Measures queries: `python -m bench.query [--rows N] [--quick]`."""

from __future__ import annotations

import argparse
import shutil
import statistics
import tempfile
import threading
import time
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any

import tracestore
from bench.query import baselines, data
from bench.report import Result, interleaved, middle, show
from tracestore import Store

QUESTION = "query"
QUERIES = {
    "group": "SELECT attributes.gen_ai.request.model AS m, count(*) AS n FROM spans GROUP BY 1",
    "group and sum": (
        "SELECT attributes.gen_ai.request.model AS m, sum(attributes.gen_ai.usage.input_tokens) AS t "
        "FROM spans GROUP BY 1"
    ),
    "filter numbers": (
        "SELECT count(*) AS n FROM spans WHERE attributes.gen_ai.usage.input_tokens > 5000 "
        "AND attributes.http.response.status_code = 200"
    ),
    "filter text": "SELECT count(*) AS n FROM spans WHERE attributes.user.id = 'user-77'",
    "top 10": (
        "SELECT span_id, attributes.gen_ai.usage.output_tokens AS t FROM spans ORDER BY t DESC LIMIT 10"
    ),
    "group by user": (
        "SELECT attributes.user.id AS u, avg(attributes.gen_ai.request.temperature) AS a, count(*) AS n "
        "FROM spans WHERE attributes.retry.reason = 'rate' GROUP BY 1 ORDER BY n DESC LIMIT 10"
    ),
    "percentile by minute": (
        "SELECT time_bucket(INTERVAL 1 MINUTE, start_time) AS b, quantile_cont(duration, 0.95) AS q "
        "FROM spans WHERE attributes.cache.hit GROUP BY 1"
    ),
}
OURS = "tracestore"


def main() -> None:
    """Runs all questions and prints what they gave."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--rows", type=int, default=500_000)
    parser.add_argument("--quick", action="store_true", help="20,000 rows: shows that it runs")
    chosen = parser.parse_args()
    rows = 20_000 if chosen.quick else chosen.rows
    folder = Path(tempfile.mkdtemp(prefix="tracestore-bench-"))
    try:
        results = [
            *against_others(folder, rows, rounds=3 if chosen.quick else 9),
            *tail_path(folder, min(rows * 2, 1_000_000)),
            *many_segments(folder, 50 if chosen.quick else 500),
        ]
    finally:
        shutil.rmtree(folder)
    show(results)


def against_others(folder: Path, rows: int, rounds: int) -> list[Result]:
    """Returns the time of each query here and elsewhere, and the ratios."""
    batches = list(data.batches(rows))
    results: list[Result] = []
    with _store(folder / "main", batches) as store:
        systems: dict[str, Callable[[str], Any]] = {
            OURS: lambda sql: store.sql(sql, timeout_s=None).arrow(),
            "hand-typed parquet": baselines.typed_parquet(store, folder),
            "json parquet": baselines.json_parquet(store, folder),
            "duckdb variant": baselines.variant_table(store),
        }
        clickhouse = baselines.clickhouse_json(folder, batches)
        if clickhouse is None:
            print("ClickHouse JSON is left out: chdb is not installed\n")
        else:
            systems["clickhouse json"] = clickhouse
        ratios: dict[str, list[float]] = {name: [] for name in systems}
        for name, sql in QUERIES.items():
            works = {system: _asking(answer, sql) for system, answer in systems.items()}
            times = interleaved(works, rounds)
            ours = middle(times[OURS])[0]
            for system, measured in times.items():
                value, spread = middle(measured)
                results.append(
                    _result(f"{name}, {rows:,} spans", system, value * 1e3, spread * 1e3)
                )
                ratios[system].append(value / ours)
        for system, found in ratios.items():
            if system != OURS:
                results.append(
                    _result(
                        "all queries, geometric mean",
                        system,
                        statistics.geometric_mean(found),
                        0.0,
                        "x ours",
                    )
                )
        results += points(store, rows)
        results += clients(store)
    return results


def points(store: Store, rows: int) -> list[Result]:
    """Returns the time of a trace by its id, and of one span whole."""
    ids = [f"{number:032x}" for number in range(1, rows // 5, max(1, rows // 5 // 40))]
    found = []
    for name, columns in (("trace by id", "span_id, name"), ("trace by id, whole spans", "*")):
        times = [
            _seconds(
                lambda id_=id_, columns=columns: store.sql(  # type: ignore[misc]
                    f"SELECT {columns} FROM spans WHERE trace_id = $id", {"id": id_}
                ).arrow()
            )
            for id_ in ids
        ]
        value, spread = middle(times)
        found.append(_result(f"{name}, {rows:,} spans", OURS, value * 1e3, spread * 1e3))
    return found


def clients(store: Store) -> list[Result]:
    """Returns the time of a small query alone, and beside fifteen others that ask for much."""
    small = "SELECT count(*) AS n FROM spans WHERE attributes.user.id = 'user-7'"
    alone = [_seconds(lambda: store.sql(small).arrow()) for _ in range(20)]
    stop = threading.Event()

    def busy() -> None:
        while not stop.is_set():
            store.sql(QUERIES["group by user"], timeout_s=None).arrow()

    threads = [threading.Thread(target=busy) for _ in range(15)]
    for thread in threads:
        thread.start()
    try:
        crowded = [_seconds(lambda: store.sql(small, timeout_s=None).arrow()) for _ in range(20)]
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    return [
        _result(name, OURS, middle(times)[0] * 1e3, middle(times)[1] * 1e3)
        for name, times in (
            ("small query alone", alone),
            ("small query beside 15 clients", crowded),
        )
    ]


def tail_path(folder: Path, rows: int) -> list[Result]:
    """Returns the time of a filter on a rare path, of 200,000."""
    results = []
    with _store(folder / "rare", data.batches(rows, rare=True)) as store:
        for number in (11, 4711, 150_000):
            sql = f"SELECT count(*) AS n FROM spans WHERE attributes.rare.key{number} > 0"
            times = [_seconds(lambda sql=sql: store.sql(sql).arrow()) for _ in range(11)]  # type: ignore[misc]
            value, spread = middle(times[1:])
            workload = f"tail path key{number}, {rows:,} spans, {data.RARE_KEYS:,} keys"
            results.append(_result(workload, OURS, value * 1e3, spread * 1e3))
    return results


def many_segments(folder: Path, segments: int) -> list[Result]:
    """Returns the time to plan over many segments."""
    store = tracestore.open(folder / "segments", background=False, durability="async")
    with store:
        for number, batch in enumerate(data.batches(segments * data.BATCH_ROWS)):
            lines = batch.split(b"\n")[:200]
            store.insert("spans", b"\n".join(lines))
            store.flush()
            if number + 1 >= segments:
                break
        first = data.START_NS
        last_hour = f"WHERE start_ns >= {first + (segments - 1) * data.BATCH_ROWS * 1_000_000}"
        queries = {
            "all times": QUERIES["group"],
            "one segment": QUERIES["group"].replace(" GROUP", f" {last_hour} GROUP"),
        }
        results = []
        for name, sql in queries.items():
            plans = []
            for _ in range(12):
                result = store.sql(sql)
                result.arrow()
                plans.append(result.stats.planning_ms)
            value, spread = middle(plans[2:])
            results.append(_result(f"planning, {segments} segments, {name}", OURS, value, spread))
    return results


def _store(folder: Path, batches: Any) -> Store:
    store = tracestore.open(folder, background=False, durability="async")
    for batch in batches:
        store.insert("spans", batch)
    store.flush()
    store.compact(full=True)
    return store


def _asking(answer: Callable[[str], Any], sql: str) -> Callable[[], Any]:
    return lambda: answer(sql)


def _seconds(work: Callable[[], Any]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def _result(workload: str, system: str, value: float, spread: float, unit: str = "ms") -> Result:
    package = {"clickhouse json": "chdb", OURS: "tracestore"}.get(system, "duckdb")
    return Result(workload, QUESTION, system, version(package), "time", value, unit, spread)


if __name__ == "__main__":
    main()
