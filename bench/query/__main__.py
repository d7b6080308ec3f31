"""Measures queries: `python -m bench.query [--rows N] [--point-rows N] [--quick]`."""

from __future__ import annotations

import argparse
import shutil
import statistics
import tempfile
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

from bench.query import answers, baselines, clients, data, points, shapes
from bench.query.measure import CLICKHOUSE, CLICKHOUSE_CAST, OURS, TYPED, note, stored
from bench.report import Result, interleaved, keep, middle, show

QUERIES = {
    "group": shapes.GROUP,
    "group and sum": shapes.SUM,
    "filter numbers": (
        "SELECT count(*) AS n FROM spans WHERE attributes.gen_ai.usage.input_tokens > 5000 "
        "AND attributes.http.response.status_code = 200"
    ),
    "filter text": "SELECT count(*) AS n FROM spans WHERE attributes.user.id = 'user-77'",
    "top 10": (
        "SELECT span_id, attributes.gen_ai.usage.output_tokens AS t FROM spans "
        "ORDER BY t DESC, span_id LIMIT 10"
    ),
    "group by user": (
        "SELECT attributes.user.id AS u, avg(attributes.gen_ai.request.temperature) AS a, count(*) AS n "
        "FROM spans WHERE attributes.retry.reason = 'rate' GROUP BY 1 ORDER BY n DESC, u LIMIT 10"
    ),
    "percentile by minute": (
        "SELECT time_bucket(INTERVAL 1 MINUTE, start_time) AS b, quantile_cont(duration, 0.95) AS q "
        "FROM spans WHERE attributes.cache.hit GROUP BY 1"
    ),
}


def main() -> None:
    """Runs all questions and prints what they gave."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--point-rows", type=int, default=10_000_000)
    parser.add_argument("--quick", action="store_true", help="20,000 rows: shows that it runs")
    chosen = parser.parse_args()
    warnings.simplefilter("ignore", UserWarning)  # duckdb's about copies of answers of a few rows
    rows = 20_000 if chosen.quick else chosen.rows
    rounds = 3 if chosen.quick else 11
    folder = Path(tempfile.mkdtemp(prefix="tracestore-bench-"))
    try:
        results = [
            *against_others(folder, rows, rounds),
            *shapes.tail_path(folder, rows),
            *shapes.rare_keys(folder, rows // 5, rounds),
            *shapes.odd_row(folder, rows // 2, rounds),
            *shapes.outside(folder, rows // 5, rounds),
            *shapes.many_segments(folder, 50 if chosen.quick else 500),
            *points.trace_by_id(folder, 50_000 if chosen.quick else chosen.point_rows),
        ]
    finally:
        shutil.rmtree(folder)
    keep(results, "query", quick=chosen.quick)
    show(results)


def against_others(folder: Path, rows: int, rounds: int) -> list[Result]:
    """Returns the time of each query here and elsewhere, and the ratios. All must give the same answers."""
    batches = list(data.batches(rows))
    workload = f"{rows:,} spans"
    results: list[Result] = []
    with stored(folder / "main", batches) as store:
        systems: dict[str, Callable[[str], Any]] = {
            OURS: lambda sql: store.sql(sql, timeout_s=None).arrow(),
            TYPED: baselines.typed_parquet(store, folder),
            "json parquet": baselines.json_parquet(store, folder),
            "duckdb variant": baselines.variant_table(store, folder),
        }
        clickhouse = baselines.clickhouse_json(folder, batches)
        if clickhouse is None:
            print("ClickHouse JSON is left out: chdb is not installed\n")
        else:
            systems[CLICKHOUSE], systems[CLICKHOUSE_CAST] = clickhouse
        ratios: dict[str, list[float]] = {name: [] for name in systems}
        for name, sql in QUERIES.items():
            answers.require_same({system: answer(sql) for system, answer in systems.items()}, name)
            works = {system: _asking(answer, sql) for system, answer in systems.items()}
            times = interleaved(works, rounds)
            ours = middle(times[OURS])[0]
            for system, measured in times.items():
                results.append(
                    note(workload, name, system, [seconds * 1e3 for seconds in measured], "ms")
                )
                ratios[system].append(middle(measured)[0] / ours)
        for system, found in ratios.items():
            if system != OURS:
                mean = statistics.geometric_mean(found)
                metric = "all queries, geometric mean"
                results.append(note(workload, metric, system, [mean], "x ours"))
        results.append(shapes.smallest(store))
        results += clients.together(store, rows, seconds=1.0 if rounds < 5 else 5.0)
    return results


def _asking(answer: Callable[[str], Any], sql: str) -> Callable[[], Any]:
    return lambda: answer(sql)


if __name__ == "__main__":
    main()
