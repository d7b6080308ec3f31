"""Holds one system in a process of its own, so that its memory is its own; told what to do a JSON line at a time."""

from __future__ import annotations

import contextlib
import json
import os
import resource
import sys
import time
from importlib.metadata import version
from pathlib import Path
from typing import Any

from bench.compare.questions import WORKLOADS
from bench.compare.system import System
from bench.report import peak_bytes, seconds


def system_of(name: str) -> type[System]:
    """Returns a system by name; only its own package is imported."""
    if name == "tracestore":
        from bench.compare.ours import Tracestore  # noqa: PLC0415

        return Tracestore
    if name == "clustered":
        from bench.compare.ours import Clustered  # noqa: PLC0415 - of one system alone

        return Clustered
    if name == "clickhouse":
        from bench.compare.clickhouse import ClickhouseJson  # noqa: PLC0415

        return ClickhouseJson
    if name == "postgres":
        from bench.compare.postgres import PostgresJsonb  # noqa: PLC0415

        return PostgresJsonb
    if name == "polars":
        from bench.compare.polars_frame import PolarsNdjson  # noqa: PLC0415

        return PolarsNdjson
    from bench.compare import duck  # noqa: PLC0415

    return {
        "typed": duck.TypedParquet,
        "json": duck.JsonParquet,
        "variant-parquet": duck.VariantParquet,
        "variant-table": duck.VariantTable,
    }[name]


class Worker:
    """The process that runs one system and obeys the comparison."""

    def __init__(self, system: System) -> None:
        self._system = system

    def about(self) -> dict[str, Any]:
        """Returns what the report says of the system."""
        system = type(self._system)
        return {
            "title": system.title,
            "version": f"{system.package} {version(system.package)}",
            "settings": system.settings,
            "loads": system.loads,
        }

    def load(self, file: str) -> dict[str, Any]:
        """Loads, and returns seconds, CPU seconds, bytes on disk and peak resident bytes."""
        self._system.folder.mkdir(parents=True)
        before = os.times()
        start = time.perf_counter()
        self._system.load(Path(file))
        took = time.perf_counter() - start
        after = os.times()
        self._system.open()
        return {
            "seconds": took,
            "cpu_s": after.user + after.system - before.user - before.system,
            "data_bytes": self._system.data_bytes(),
            "peak_bytes": self.peak()["peak_bytes"],
        }

    def ask(self, question: str) -> dict[str, Any]:
        """Asks once; returns seconds and the answer."""
        rows: list[Any] = []
        text = self._system.question(question)
        took = seconds(lambda: rows.extend(self._system.ask(text)))
        if question.startswith("Q9"):
            rows = [row[:1] for row in rows]  # JSON is spelled in many ways
        return {"seconds": took, "rows": sorted([_plain(value) for value in row] for row in rows)}

    def cold(self, question: str) -> dict[str, Any]:
        """Asks after closing the system and dropping its files from the page cache; returns seconds."""
        self._system.close()
        os.sync()
        for file in self._system.folder.rglob("*"):
            if file.is_file():
                with file.open("rb") as opened:
                    os.posix_fadvise(opened.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
        self._system.open()
        asked = self.ask(question)
        return {"seconds": asked["seconds"]}

    def peak(self) -> dict[str, Any]:
        """Returns the peak resident bytes so far."""
        return {"peak_bytes": peak_bytes()}

    def end(self) -> dict[str, Any]:
        """Lets go of the system."""
        self._system.close()
        end = getattr(self._system, "end", None)
        if end is not None:
            end()
        return {}


def _plain(value: Any) -> str:
    """Returns a value as text, doubles to nine digits; ClickHouse has an empty text for NULL where it is declared."""
    if value is None:
        return ""
    if isinstance(value, bytes):
        return value.decode()
    if isinstance(value, float) or type(value).__name__ == "Decimal":
        number = float(value)
        return str(int(number)) if number.is_integer() else f"{number:.9g}"
    return str(value)


def allow_open_files() -> None:
    """Raises the bound on open files as far as it goes: ClickHouse opens one a path while it inserts."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def main() -> None:
    """Serves until told to end: `worker SYSTEM WORKLOAD FOLDER TRACE`."""
    name, workload, folder, trace = sys.argv[1:]
    allow_open_files()
    # What libraries print must not stand between the answers.
    with os.fdopen(os.dup(1), "w") as out:
        os.dup2(2, 1)
        worker = Worker(system_of(name)(Path(folder), WORKLOADS[workload], trace))
        for line in sys.stdin:
            do, *arguments = json.loads(line)
            try:
                answer = getattr(worker, do)(*arguments)
            except Exception as error:  # noqa: BLE001 - a rival's failure is a result
                with contextlib.suppress(IndexError):
                    answer = {"cannot": f"{type(error).__name__}: {error}".splitlines()[0][:200]}
            print(json.dumps(answer), file=out, flush=True)
            if do == "end":
                return


if __name__ == "__main__":
    main()
