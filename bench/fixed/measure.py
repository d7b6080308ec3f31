"""What the questions of this folder share: processor time of a piece of work, and noting what was measured."""

from __future__ import annotations

import time
from collections.abc import Callable
from importlib.metadata import version
from typing import Any

from bench.report import Result, middle

QUESTION = "fixed"
OURS = "tracestore"


def cpu_ms(work: Callable[[], Any]) -> float:
    """Returns the milliseconds of processor time that a piece of work takes, of all threads together."""
    start = time.process_time()
    work()
    return (time.process_time() - start) * 1e3


def note(workload: str, metric: str, values: list[float], unit: str) -> Result:
    """Returns a result: the median of the values and their spread."""
    value, spread = middle(values)
    return Result(workload, QUESTION, OURS, version("tracestore"), metric, value, unit, spread)
