"""What a program costs before it does anything: processor time of commands and of imports."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import tracestore
from bench.fixed.measure import note
from bench.report import Result

PYTHON = sys.executable
COMMAND = [PYTHON, "-c", "from tracestore.cli import main; main()"]


def commands(folder: Path, rounds: int) -> Iterator[Result]:
    """Yields the processor time of each start, less that of Python itself for an import."""
    data = folder / "starts"
    with tracestore.open(data) as store:
        store.insert("spans", [{"name": "one"}])
    # Modules are compiled once, as those of an installed package are, whatever this process was told.
    compiled = {"PYTHONPYCACHEPREFIX": str(folder / "compiled"), "PYTHONDONTWRITEBYTECODE": ""}
    environment = {**os.environ, **compiled, "TRACESTORE_DATA": str(data)}
    works = {
        "python": [PYTHON, "-c", "pass"],
        "import": [PYTHON, "-c", "import tracestore"],
        "client": [PYTHON, "-c", "from tracestore import Client"],
        "help": [*COMMAND, "--help"],
        "query": [*COMMAND, "query", "SELECT 1"],
    }
    for work in works.values():
        cpu_s(work, environment)  # warm: compiled modules, files in memory
    times: dict[str, list[float]] = {name: [] for name in works}
    for _ in range(rounds):
        for name, work in works.items():
            times[name].append(cpu_s(work, environment))
    for name, metric in (("import", "import tracestore"), ("client", "import of the client")):
        less = [(own - bare) * 1e3 for own, bare in zip(times[name], times["python"], strict=True)]
        yield note("one process", metric, less, "ms")
    yield note("one process", "tracestore --help", times["help"], "s")
    yield note("one process", 'tracestore query "SELECT 1"', times["query"], "s")


def cpu_s(command: Sequence[str], environment: Mapping[str, str]) -> float:
    """Returns the seconds of processor time of a process that must succeed."""
    process = subprocess.Popen(command, env=dict(environment), stdout=subprocess.DEVNULL)
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"cannot measure {command}: it ended with {process.returncode}")
    return used.ru_utime + used.ru_stime
