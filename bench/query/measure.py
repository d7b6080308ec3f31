"""What the questions about queries share: timing one piece of work, and noting what was measured."""

from __future__ import annotations

import time
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any

import tracestore
from bench.report import Result, middle
from tracestore import Store

QUESTION = "query"
OURS = "tracestore"
TYPED = "hand-typed parquet"
CLICKHOUSE = "clickhouse json"
CLICKHOUSE_CAST = "clickhouse json, cast"


def timed(work: Callable[[], Any]) -> float:
    """Returns the milliseconds of a piece of work."""
    start = time.perf_counter()
    work()
    return (time.perf_counter() - start) * 1e3


def note(workload: str, metric: str, system: str, values: list[float], unit: str) -> Result:
    """Returns a result: the median of the values and their spread."""
    value, spread = middle(values)
    package = {CLICKHOUSE: "chdb", CLICKHOUSE_CAST: "chdb", OURS: "tracestore"}.get(
        system, "duckdb"
    )
    return Result(workload, QUESTION, system, version(package), metric, value, unit, spread)


def stored(folder: Path, batches: Any, **settings: Any) -> Store:
    """Returns a store of NDJSON batches, compacted."""
    store = tracestore.open(folder, background=False, durability="async", **settings)
    for batch in batches:
        store.insert("spans", batch)
    store.flush()
    store.compact(full=True)
    return store
