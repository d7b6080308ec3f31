"""Opens one store and plans questions, in a process of its own: `python -m bench.scale.measure FOLDER [CATALOG]`."""

from __future__ import annotations

import datetime
import json
import statistics
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import tracestore
from bench.scale.filling import LAST_DAY, PROJECTS
from tracestore_query.engine import Engine
from tracestore_query.execute.execution import Execution
from tracestore_query.planner import Planner, Request

ROUNDS: Final = 21

_EPOCH: Final = datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC)

_FIELDS: Final = "attributes.service3.field003, attributes.service1.field015"


def resident_bytes() -> int:
    """Returns the memory that this process holds now."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) * 1024
    raise AssertionError("BUG: the kernel tells what a process holds")


def _between(hours: float, round_number: int, day: int = LAST_DAY) -> str:
    """Returns a condition on the last hours of a day; another one each round, so that no plan is used again."""
    stop = _EPOCH + datetime.timedelta(days=day, hours=24, seconds=-60 * round_number - 1)
    start = stop - datetime.timedelta(hours=hours)
    return f"start_time >= TIMESTAMPTZ '{start}' AND start_time < TIMESTAMPTZ '{stop}'"


def texts(round_number: int) -> dict[str, tuple[str, Sequence[str] | None]]:
    """Returns the questions by name: their SQL, and the projects that they see."""
    hour, day = _between(1, round_number), _between(24, 0, LAST_DAY - 100 - round_number)
    trace = f"{round_number + 1:032x}"
    group = f"SELECT {_FIELDS}, count(*) AS spans FROM spans WHERE"
    return {
        "last hour of a project": (f"{group} {hour} GROUP BY ALL", PROJECTS[:1]),
        "last hour of all projects": (f"{group} {hour} GROUP BY ALL", None),
        "a project's day": (f"{group} {day} GROUP BY ALL", PROJECTS[1:2]),
        "a trace within a day": (
            f"SELECT span_id, name, {_FIELDS} FROM spans WHERE trace_id = '{trace}' AND {day}",
            PROJECTS[2:3],
        ),
    }


def measured(folder: Path, catalog: str | None) -> dict[str, float]:
    """Returns what opening takes, and planning by question: the first time, and the middle of many."""
    before = resident_bytes()
    start_s = time.perf_counter()
    store = tracestore.open(folder, "r", catalog_url=catalog)
    results = {"open_s": time.perf_counter() - start_s}
    results["open_bytes"] = resident_bytes() - before
    with store:
        engine = Engine([str(folder)], "1GB", None, None, None)
        try:
            planner = Planner(store, engine)
            _plan(planner, engine, "SELECT 1", None)
            times: dict[str, list[tuple[float, float]]] = {}
            for round_number in range(ROUNDS):
                for name, (sql, projects) in texts(round_number).items():
                    times.setdefault(name, []).append(_plan(planner, engine, sql, projects))
            planner.close()
        finally:
            engine.close()
        for name, values in times.items():
            results[f"{name}, first"] = values[0][0]
            results[name] = statistics.median(wall for wall, _ in values[1:])
            results[f"{name}, processor"] = statistics.median(cpu for _, cpu in values[1:])
    results["bytes"] = resident_bytes() - before
    return results


def _plan(
    planner: Planner, engine: Engine, sql: str, projects: Sequence[str] | None
) -> tuple[float, float]:
    """Returns the milliseconds that planning takes, and those of the processor; without the snapshot's end.

    As EXPLAIN plans: groups of segments that queries keep are looked for, not computed, which is a part of an answer.
    """
    execution = Execution(engine, None)
    try:
        start_s, start_cpu_s = time.perf_counter(), time.thread_time()
        planner.plan(Request(f"EXPLAIN {sql}", None, projects), execution)
        return (time.perf_counter() - start_s) * 1e3, (time.thread_time() - start_cpu_s) * 1e3
    finally:
        execution.close()


if __name__ == "__main__":
    print(json.dumps(measured(Path(sys.argv[1]), sys.argv[2] if len(sys.argv) > 2 else None)))
