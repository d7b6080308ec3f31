"""Times alternatives against each other and prints a table and JSON lines."""

from __future__ import annotations

import gc
import json
import statistics
import time
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


@dataclass(frozen=True, slots=True)
class Result:
    """One measured number; spread is the distance between the quartiles, in the same unit."""

    workload: str
    question: str
    system: str
    version: str
    metric: str
    value: float
    unit: str
    spread: float


def seconds(work: Callable[[], Any]) -> float:
    """Returns how long a piece of work takes, the collector being off."""
    gc.collect()
    gc.disable()
    try:
        start = time.perf_counter()
        work()
        return time.perf_counter() - start
    finally:
        gc.enable()


def interleaved(works: Mapping[str, Callable[[], Any]], rounds: int) -> dict[str, list[float]]:
    """Returns the seconds of each work, run A B C A B C ... so that drift hits all alike."""
    for work in works.values():
        work()  # warm: imports, caches, allocator
    times: dict[str, list[float]] = {name: [] for name in works}
    for _ in range(rounds):
        for name, work in works.items():
            times[name].append(seconds(work))
    return times


def middle(values: list[float]) -> tuple[float, float]:
    """Returns the median and the distance between the quartiles."""
    if len(values) < 2:
        return values[0], 0.0
    low, median, high = statistics.quantiles(values, n=4, method="inclusive")
    return median, high - low


def show(results: list[Result]) -> None:
    """Prints a table for people, then one JSON object a line for programs."""
    header = ("workload", "system", "metric", "value", "spread", "unit")
    rows = [
        (r.workload, r.system, r.metric, f"{r.value:,.1f}", f"{r.spread:,.1f}", r.unit)
        for r in results
    ]
    widths = [max(len(row[i]) for row in [header, *rows]) for i in range(len(header))]
    for row in [header, tuple("-" * width for width in widths), *rows]:
        cells = [
            cell.rjust(width) if i in {3, 4} else cell.ljust(width)
            for i, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        print("  ".join(cells).rstrip())
    print()
    for result in results:
        print(json.dumps(asdict(result)))
