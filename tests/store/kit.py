"""What the tests of the store share: rows to write, a clock to set, and a plain way to read all rows."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from data.stores import START_NS
from tracestore.segment.read import SegmentFile
from tracestore.segment.tables import SEGMENT_TABLES
from tracestore.store import Clock, Snapshot, Store
from tracestore.variant import OVERFLOW, TABLES


class FakeClock(Clock):
    """A clock that stands still until told."""

    def __init__(self, now_ns: int = START_NS) -> None:
        self.wall_ns = now_ns
        self.run_s = 0.0

    def now_ns(self) -> int:
        return self.wall_ns

    def elapsed_s(self) -> float:
        return self.run_s

    def advance(self, seconds: float) -> None:
        self.wall_ns += int(seconds * 1e9)
        self.run_s += seconds


def open_store(folder: Path, **settings: Any) -> Store:
    """Opens a store without threads of its own, so that tests decide what happens when."""
    return Store.open(folder, **{"background": False, **settings})


def otlp_traces(rows: Iterable[dict[str, Any]], project: str | None = None) -> bytes:
    """Returns an OTLP request of spans made by `span`."""
    request = ExportTraceServiceRequest()
    _add_resource(request.resource_spans.add(), rows, project, _add_span)
    return bytes(request.SerializeToString())


def otlp_many(projects: dict[str | None, list[dict[str, Any]]]) -> bytes:
    """Returns an OTLP request of one resource a project."""
    request = ExportTraceServiceRequest()
    for project, rows in projects.items():
        _add_resource(request.resource_spans.add(), rows, project, _add_span)
    return bytes(request.SerializeToString())


def otlp_logs(rows: Iterable[dict[str, Any]]) -> bytes:
    """Returns an OTLP request of log records made by `log`."""
    request = ExportLogsServiceRequest()
    scoped = request.resource_logs.add().scope_logs.add()
    for row in rows:
        record = scoped.log_records.add(time_unix_nano=row["time_ns"])
        record.body.string_value = row["body"]
    return bytes(request.SerializeToString())


def _add_resource(
    group: Any, rows: Iterable[dict[str, Any]], project: str | None, add: Any
) -> None:
    if project is not None:
        pair = group.resource.attributes.add(key="tracestore.project")
        pair.value.string_value = project
    scoped = group.scope_spans.add()
    for row in rows:
        add(scoped, row)


def _add_span(scoped: Any, row: dict[str, Any]) -> None:
    made = scoped.spans.add(
        trace_id=bytes.fromhex(row["trace_id"]),
        span_id=bytes.fromhex(row["span_id"]),
        name=row["name"],
        start_time_unix_nano=row["start_ns"],
        end_time_unix_nano=row["start_ns"] + row["duration_ns"],
    )
    for key, value in row.get("attributes", {}).items():
        pair = made.attributes.add(key=key)
        if isinstance(value, str):
            pair.value.string_value = value
        else:
            pair.value.int_value = value


def tables_of(snapshot: Snapshot, table: str) -> list[pa.Table]:
    """Returns all tables of a snapshot: segments read by the store's own reader, then memtables."""
    view = snapshot.tables[table]
    tables: list[pa.Table] = []
    for segment in view.segments:
        with SegmentFile(Path(segment.uri)) as file:
            rows = pa.concat_tables([file.schema.empty_table(), *file.slices()])
        counts = np.isin(np.arange(len(rows)), segment.replaced, invert=True)
        tables.append(rows.filter(pa.array(counts)))
    return tables + list(view.memtable)


def read_rows(store: Store, table: str = "spans", **choice: Any) -> list[dict[str, Any]]:
    """Returns all rows as {stored column or leaf: value}, sorted; where a value is kept does not show.

    Values of leaves in `_overflow` are read back from their JSON.
    """
    with store.snapshot((table,), **choice) as snapshot:
        rows = [row for part in tables_of(snapshot, table) for row in flat_rows(part, table)]
    return sorted(rows, key=lambda row: json.dumps(row, sort_keys=True, default=str))


def flat_rows(part: pa.Table, table: str) -> list[dict[str, Any]]:
    """Returns a shredded table's rows as {stored column or leaf: value} without missing values."""
    derived = SEGMENT_TABLES[table].derived
    names = [name for name in part.column_names if name not in derived]
    rows = []
    for row in part.select(names).to_pylist():
        overflow = row.pop(OVERFLOW, None)
        flat = {name: _as_json(name, value) for name, value in row.items() if value is not None}
        flat.update(json.loads(overflow) if overflow else {})
        rows.append(flat)
    return rows


def _as_json(name: str, value: Any) -> Any:
    """Returns a leaf column's value as `_overflow` would hold it."""
    if name.endswith(":json"):
        return json.loads(value)
    if name.endswith(":json[]"):
        return [json.loads(element) for element in value]
    return base64.b64encode(value).decode() if isinstance(value, bytes) else value


def span_ids(store: Store, **choice: Any) -> list[str]:
    """Returns the ids of all spans, sorted, repeated ones repeated."""
    return sorted(row["span_id"] for row in read_rows(store, **choice))


def expected_ids(numbers: Iterable[int]) -> list[str]:
    """Returns the ids of the spans made by `span`, sorted."""
    return sorted(f"{number + 1:016x}" for number in numbers)


def stored_columns(table: str) -> list[str]:
    """Returns the fixed columns that segments store."""
    return [name for name in TABLES[table].columns if name not in SEGMENT_TABLES[table].derived]


def segment_files(folder: Path) -> list[Path]:
    """Returns the segment files of a store, tails that older versions wrote left out, sorted."""
    found = (folder / "segments").rglob("*.parquet")
    return sorted(path for path in found if not path.name.endswith(".tail.parquet"))
