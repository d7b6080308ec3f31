"""Measures questions on Spark beside ours: `python -m bench.spark [--rows N] [--quick]`."""

from __future__ import annotations

import argparse
import os
import re
import shutil
import sys
import tempfile
from collections.abc import Callable
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

from pyspark.sql import DataFrame, SparkSession

import tracestore
import tracestore_spark
from bench.query.data import BATCH_ROWS, batches
from bench.report import Result, interleaved, keep, middle, show
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
    folder = Path(tempfile.mkdtemp(prefix="tracestore-bench-"))
    spark = session(folder, chosen.memory)
    try:
        with filled(folder / "store", rows) as store:
            results = asked(spark, store, f"{rows:,} spans", 2 if chosen.quick else 5)
    finally:
        spark.stop()
        shutil.rmtree(folder, ignore_errors=True)
    keep(results, "spark", quick=chosen.quick)
    show(results)


def session(folder: Path, memory: str) -> SparkSession:
    """Returns Spark in one process on all cores."""
    os.environ |= {"SPARK_LOCAL_IP": "127.0.0.1", "SPARK_LOCAL_HOSTNAME": "localhost"}
    os.environ["PYSPARK_PYTHON"] = sys.executable
    settings = {
        "spark.driver.memory": memory,
        "spark.driver.host": "127.0.0.1",
        "spark.ui.enabled": "false",
        # A plan is asked for the names of all columns that it reads.
        "spark.sql.maxMetadataStringLength": "10000",
        "spark.sql.warehouse.dir": str(folder / "warehouse"),
        "spark.local.dir": str(folder / "local"),
    }
    builder = SparkSession.builder.master("local[*]").appName("bench.spark")
    for name, value in settings.items():
        builder = builder.config(name, value)
    spark = builder.getOrCreate()
    spark.sparkContext.setLogLevel("ERROR")
    return spark


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
    with tracestore_spark.connect(spark, store) as connection:
        for name, sql in QUESTIONS.items():
            check(name, rows_of(store, sql), spark_rows(connection.sql(sql)))
            works: dict[str, Callable[[], Any]] = {
                "tracestore": lambda sql=sql: rows_of(store, sql),  # type: ignore[misc]
                "Spark": lambda sql=sql: spark_rows(connection.sql(sql)),  # type: ignore[misc]
            }
            for system, times in interleaved(works, rounds).items():
                results.append(result(workload, name, system, times))
            results.append(columns_read(workload, name, connection.sql(sql)))
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


def columns_read(workload: str, name: str, frame: DataFrame) -> Result:
    """Returns how many columns Spark's plan reads of the files; the note names them."""
    plan: Any = frame
    text = plan._jdf.queryExecution().executedPlan().toString()  # noqa: SLF001 - nothing else tells
    read = {
        column
        for schema in re.findall(r"ReadSchema: struct<(.*?)>\s*$", text, re.MULTILINE)
        for column in schema.split(",")
    }
    made = result(workload, name, "Spark", [float(len(read))], "columns read", "columns")
    return replace(made, note=", ".join(sorted(read)))


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
