"""Measures questions on Spark beside ours: `PYTHONPATH=tests python -m bench.spark [--rows N] [--quick]`."""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

from pyspark.sql import DataFrame, SparkSession

import tracestore
import tracestore_spark
from bench.query.data import BATCH_ROWS, batches
from bench.report import Result, interleaved, keep, middle, show
from spark.local import local_spark  # tests/ has what starts one, and what asks for its metrics
from spark.reading import collected
from tracestore import Store

GROUP = (
    "SELECT attributes.gen_ai.request.model AS model, count(*) AS calls, "
    "sum(attributes.gen_ai.usage.input_tokens)::BIGINT AS tokens, avg(duration) AS seconds "
    "FROM spans WHERE status_code = 'OK' GROUP BY ALL"
)
JOIN = (
    "WITH busy AS (SELECT attributes.user.id AS id, count(*) AS n FROM spans "
    "WHERE status_code = 'ERROR' GROUP BY ALL) "
    "SELECT s.name, count(*) AS calls, sum(busy.n)::BIGINT AS errors FROM spans s "
    "JOIN busy ON busy.id = s.attributes.user.id GROUP BY ALL"
)
QUESTIONS = {"group": GROUP, "join": JOIN}

FLUSH_ROWS = 1_000_000


def main() -> None:
    """Fills a store, asks both, and prints what they took."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--rows", type=int, default=10_000_000)
    parser.add_argument("--memory", default="4g", help="of Spark")
    parser.add_argument("--quick", action="store_true", help="50,000 rows: shows that it runs")
    chosen = parser.parse_args()
    rows = 50_000 if chosen.quick else chosen.rows
    with tempfile.TemporaryDirectory(prefix="tracestore-bench-") as name:
        folder = Path(name)
        with (
            local_spark(folder, cores="*", memory=chosen.memory, settings={}) as spark,
            filled(folder / "store", rows) as store,
        ):
            results = asked(spark, store, f"{rows:,} spans", 2 if chosen.quick else 5)
    keep(results, "spark", quick=chosen.quick)
    show(results)


def filled(folder: Path, rows: int) -> Store:
    """Returns a store with the rows in merged segments."""
    store = tracestore.open(folder, background=False, durability="async")
    waiting = 0
    for batch in batches(rows):
        store.insert("spans", batch)
        waiting += BATCH_ROWS
        if waiting >= FLUSH_ROWS:
            store.flush()
            waiting = 0
    store.flush()
    store.compact()
    return store


def asked(spark: SparkSession, store: Store, workload: str, rounds: int) -> list[Result]:
    """Returns the seconds of each question on both, and what Spark reads for it."""
    results: list[Result] = []
    held = stored_bytes(store)
    with tracestore_spark.connect(spark, store) as connection:
        for name, sql in QUESTIONS.items():
            check(name, rows_of(store, sql), spark_rows(connection.sql(sql)))
            works: dict[str, Callable[[], Any]] = {
                "tracestore": lambda sql=sql: rows_of(store, sql),  # type: ignore[misc]
                "Spark": lambda sql=sql: spark_rows(connection.sql(sql)),  # type: ignore[misc]
            }
            for system, times in interleaved(works, rounds).items():
                results.append(result(workload, name, system, times))
            results += read_by_spark(workload, name, connection.sql(sql), held)
    return results


def rows_of(store: Store, sql: str) -> list[tuple[Any, ...]]:
    """Returns the rows of our answer, in an order."""
    with store.sql(sql, timeout_s=None) as answer:
        return sorted(tuple(row.values()) for row in answer.rows())


def spark_rows(frame: DataFrame) -> list[tuple[Any, ...]]:
    """Returns the rows of Spark's answer, in an order."""
    return sorted(tuple(row) for row in frame.collect())


def check(name: str, ours: list[tuple[Any, ...]], theirs: list[tuple[Any, ...]]) -> None:
    """Stops where the two answers differ by more than rounding."""
    if [rounded(row) for row in ours] != [rounded(row) for row in theirs]:
        raise SystemExit(f"answers differ on {name}: {ours[:3]} and {theirs[:3]}")


def rounded(row: tuple[Any, ...]) -> tuple[Any, ...]:
    """Returns a row with doubles to nine digits: sums of doubles depend on their order."""
    return tuple(f"{value:.9g}" if isinstance(value, float) else value for value in row)


def read_by_spark(workload: str, name: str, frame: DataFrame, held: int) -> Iterator[Result]:
    """Yields what Spark's own metrics say that it read for a question; a note names the columns."""
    _, reading = collected(frame)
    columns = result(
        workload, name, "Spark", [float(len(reading.columns))], "columns read", "columns"
    )
    yield replace(columns, note=", ".join(sorted(reading.columns)))
    for scan in reading.scans:
        rows = result(workload, name, "Spark", [float(scan.rows)], "rows of a scan", "rows")
        yield replace(rows, note=f"{scan.files} files, columns {', '.join(sorted(scan.columns))}")
    yield result(workload, name, "Spark", [reading.bytes / 1e6], "read", "MB")
    yield result(workload, name, "Spark", [reading.bytes / held * 100], "read of the files", "%")


def stored_bytes(store: Store) -> int:
    """Returns the bytes of all rows' files."""
    with store.snapshot(("spans",)) as snapshot:
        return sum(segment.row.bytes for segment in snapshot.tables["spans"].segments)


def result(
    workload: str,
    question: str,
    system: str,
    values: list[float],
    metric: str = "time",
    unit: str = "s",
) -> Result:
    """Returns a result of several runs."""
    value, spread = middle(values)
    of = version("pyspark") if system == "Spark" else tracestore.__version__
    return Result(workload, question, system, of, metric, value, unit, spread)


if __name__ == "__main__":
    main()
