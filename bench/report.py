"""Times alternatives against each other and prints a table and JSON lines."""

from __future__ import annotations

import gc
import json
import os
import platform
import statistics
import subprocess
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


@dataclass(frozen=True, slots=True)
class Result:
    """One measured number; spread is the distance between the quartiles, in the same unit.

    `note` says why there is no number, or what should be known of it.
    """

    workload: str
    question: str
    system: str
    version: str
    metric: str
    value: float
    unit: str
    spread: float
    note: str = ""


def seconds(work: Callable[[], Any]) -> float:
    """Returns how long a piece of work takes, the collector being off.

    Collecting first walks what is new alone: walking all that modules hold would push what the work needs
    out of the processor's caches, the more the more Python a system is made of.
    """
    gc.collect()
    gc.freeze()
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


def peak_bytes(process: int | str = "self") -> int:
    """Returns the most resident memory that a process had.

    Not ru_maxrss: that begins at what the process that started it held.
    """
    for line in Path(f"/proc/{process}/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024
    raise AssertionError("BUG: the system does not tell a process's peak memory")


RESULTS = Path(__file__).parent / "results"

NOT_KEPT: Final = "TRACESTORE_BENCH_NOT_KEPT"
"""The variable of the environment that has a run keep nothing, since another program keeps what it prints."""


def keep(results: list[Result], name: str, *, quick: bool) -> None:
    """Writes results as JSON lines into results/, after a line on the machine; those of a quick run are no results."""
    if quick or NOT_KEPT in os.environ:
        return
    where = Result("all", "machine", "", "", "machine", 0.0, "", 0.0, machine())
    RESULTS.mkdir(exist_ok=True)
    lines = [json.dumps(asdict(result)) + "\n" for result in (where, *results)]
    (RESULTS / f"{name}.jsonl").write_text("".join(lines))


def machine() -> str:
    """Returns what the numbers were measured on: machine, its load, Python, commit."""
    commit = subprocess.run(
        ["git", "rev-parse", "--short=12", "HEAD"], capture_output=True, text=True, check=False
    ).stdout.strip()
    cores, python = os.cpu_count(), platform.python_version()
    load = os.getloadavg()[1]
    return (
        f"{cores} cores of {platform.machine()} (load {load:.1f} in the last five minutes), "
        f"Python {python}, commit {commit or 'unknown'}"
    )


def _shown(result: Result) -> tuple[str, str]:
    if result.note and not result.unit:
        return result.note[:60], ""
    return f"{result.value:,.1f}", f"{result.spread:,.1f}"


def show(results: list[Result]) -> None:
    """Prints a table for people, then one JSON object a line for programs."""
    header = ("workload", "question", "system", "metric", "value", "spread", "unit")
    rows = [(r.workload, r.question, r.system, r.metric, *_shown(r), r.unit) for r in results]
    widths = [max(len(row[i]) for row in [header, *rows]) for i in range(len(header))]
    for row in [header, tuple("-" * width for width in widths), *rows]:
        cells = [
            cell.rjust(width) if i in {4, 5} else cell.ljust(width)
            for i, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        print("  ".join(cells).rstrip())
    print()
    for result in results:
        print(json.dumps(asdict(result)))
