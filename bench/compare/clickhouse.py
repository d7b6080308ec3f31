"""ClickHouse's JSON type, in process by chdb."""

from __future__ import annotations

import importlib
import os
from pathlib import Path as File

import pyarrow as pa

from bench.compare.questions import Path
from bench.compare.system import Rows, System

_KINDS = {"VARCHAR": "String", "BIGINT": "Int64", "DOUBLE": "Float64"}
_FEW = ("name", "service", "experiment")
# Events as ClickHouse's own JSONBench declares them: types of the paths that are asked for, and sorted by them.
_EVENTS = (
    "time_ns Int64, body JSON(max_dynamic_paths = 0, kind LowCardinality(String), "
    "commit.operation LowCardinality(String), commit.collection LowCardinality(String), "
    "did String, time_us UInt64)"
)
_EVENTS_ORDER = "(body.kind, body.commit.operation, body.commit.collection, body.did, body.time_us)"


class ClickhouseJson(System):
    """A MergeTree with JSON columns, read as typed subcolumns."""

    title = "clickhouse json"
    package = "chdb"
    settings = (
        "JSON type with its default of 1,024 dynamic paths, typed subcolumns; wide parts, ordered by time; a bloom "
        "filter on trace_id; OPTIMIZE FINAL; events: the types and the order of JSONBench; evolving: 256 dynamic "
        "paths, as an insert with 1,024 opens more than 20,000 files"
    )

    def load(self, file: File) -> None:
        """Inserts the file at once, and merges."""
        self.open()
        is_events = self.workload.table == "logs"
        columns = _EVENTS if is_events else self._columns()
        order = _EVENTS_ORDER if is_events else "start_ns"
        self._session.query("CREATE DATABASE IF NOT EXISTS b ENGINE = Atomic")
        self._session.query(
            f"CREATE TABLE b.rows ({columns}) ENGINE = MergeTree ORDER BY {order} "
            "SETTINGS min_bytes_for_wide_part = 0"
        )
        self._session.query(
            f"INSERT INTO b.rows SELECT * FROM file('{file}', JSONEachRow, '{self._read()}')"
        )
        self._session.query("OPTIMIZE TABLE b.rows FINAL")
        self.close()

    def open(self) -> None:
        """Opens the session."""
        self._session = importlib.import_module("chdb.session").Session(str(self.folder))
        self._session.query(f"SET max_threads = {os.cpu_count()}")

    def close(self) -> None:
        """Ends the session."""
        self._session.close()

    def ask(self, text: str) -> Rows:
        """Returns the values of the Arrow answer."""
        answer = self._session.query(text, "Arrow")
        table = pa.ipc.open_file(pa.BufferReader(answer.bytes())).read_all()
        return list(zip(*(column.to_pylist() for column in table.columns), strict=True))

    def table(self) -> str:
        """Returns the table."""
        return "b.rows"

    def path(self, name: str, path: Path) -> str:
        """Returns the typed subcolumn."""
        del name
        if not path.keys:
            return path.variant
        dotted = ".".join([path.variant, *path.keys])
        if self.workload.table == "logs":
            return dotted  # declared
        if path.kind == "DOUBLE":
            return f"ifNull({dotted}.:Float64, toFloat64({dotted}.:Int64))"
        return f"{dotted}.:{_KINDS[path.kind]}"

    def messages(self, path: Path) -> str:
        """Joins with the items of the list's `role`."""
        dotted = ".".join([path.variant, *path.keys])
        return f"(SELECT arrayJoin({dotted}[].role.:String) AS role FROM {self.table()})"

    def bucket(self) -> str:
        """Returns the start of five minutes."""
        return "start_ns - start_ns % 300000000000"

    def hour(self) -> str:
        """Returns the hour."""
        return "toInt64(intDiv(body.time_us, 3600000000) % 24)"

    def p95(self) -> str:
        """Returns the exact percentile, as the others do."""
        return "quantileExactInclusive(0.95)(duration_ns)"

    def _texts(self) -> set[str]:
        return {path.variant for path in self.workload.paths.values() if not path.keys}

    def _columns(self) -> str:
        found = []
        for name, kind in self.workload.fixed.items():
            plain = _KINDS[kind]
            if name in _FEW:
                plain = f"LowCardinality(Nullable({plain}))"
            found.append(f"{name} {plain}")
        json = "JSON(max_dynamic_paths = 256)" if self.workload.many_paths else "JSON"
        found += [f"{n} {'String' if n in self._texts() else json}" for n in self.workload.variants]
        return ", ".join([*found, "INDEX by_trace trace_id TYPE bloom_filter(0.01) GRANULARITY 1"])

    def _read(self) -> str:
        found = [f"{name} Nullable({_KINDS[kind]})" for name, kind in self.workload.fixed.items()]
        if self.workload.table == "logs":
            return _EVENTS
        found += [
            f"{n} {'String' if n in self._texts() else 'JSON'}" for n in self.workload.variants
        ]
        return ", ".join(found)
