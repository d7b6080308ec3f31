"""The same spans through HTTP and into other databases: `python -m bench.service.inserts [--spans 100000]`.

Every system takes the batches that an exporter sends (512 spans) from two threads; each is synced to disk and visible
before its thread sends the next. tracestore gets OTLP protobuf over HTTP in a process of its own; the others get the
same spans as lines of JSON that were made before, in this process, which spares them a server. `--batch` gives the
others larger batches.
"""

from __future__ import annotations

import argparse
import importlib
import json
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import duckdb
import httpx
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from bench.datagen.spans import SPANS_PER_REQUEST, small_spans
from bench.report import Result, keep, middle, show
from bench.service.server import served

THREADS = 2
COLUMNS = "trace_id String, span_id String, name String, start_ns Int64, duration_ns Int64, attributes JSON"


def main() -> None:
    """Runs every system and prints the rates."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--spans", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--batch", type=int, default=SPANS_PER_REQUEST)
    chosen = parser.parse_args()
    bodies = small_spans(chosen.spans)
    lines = lines_of(bodies, chosen.batch)
    systems: dict[str, Callable[[Path], float]] = {
        "tracestore": lambda folder: through_http(folder, bodies),
        "clickhouse json": lambda folder: into_clickhouse(folder, lines),
        "duckdb variant": lambda folder: into_variant(folder, lines),
    }
    packages = {"tracestore": "tracestore", "clickhouse json": "chdb", "duckdb variant": "duckdb"}
    times: dict[str, list[float]] = {name: [] for name in systems}
    for _ in range(chosen.rounds):
        for name, work in systems.items():
            with tempfile.TemporaryDirectory() as folder:
                times[name].append(work(Path(folder)))
    results = []
    ours = middle(times["tracestore"])[0]
    for name, found in times.items():
        value, spread = middle([chosen.spans / seconds for seconds in found])
        workload = f"{chosen.spans:,} small spans"
        package = version(packages[name])
        results.append(
            Result(workload, "ingest", name, package, "ingest", value, "spans/s", spread)
        )
        if name != "tracestore":
            ratio = middle(found)[0] / ours
            results.append(Result(workload, "ingest", name, package, "time", ratio, "x ours", 0.0))
    keep(results, "inserts", quick=chosen.spans < 50_000)
    show(results)


def lines_of(bodies: Sequence[bytes], batch: int) -> list[str]:
    """Returns the spans of requests as NDJSON, `batch` of them a text."""
    found = []
    for body in bodies:
        request = ExportTraceServiceRequest.FromString(body)
        for span in request.resource_spans[0].scope_spans[0].spans:
            row = {
                "trace_id": span.trace_id.hex(),
                "span_id": span.span_id.hex(),
                "name": span.name,
                "start_ns": span.start_time_unix_nano,
                "duration_ns": span.end_time_unix_nano - span.start_time_unix_nano,
                "attributes": {
                    pair.key: getattr(pair.value, str(pair.value.WhichOneof("value")))
                    for pair in span.attributes
                },
            }
            found.append(json.dumps(row))
    return ["\n".join(found[at : at + batch]) for at in range(0, len(found), batch)]


def in_threads(parts: Sequence[Any], send: Callable[[Any], None]) -> float:
    """Returns the seconds in which threads send all parts, each its own share."""

    def share(number: int) -> None:
        for part in parts[number::THREADS]:
            send(part)

    threads = [threading.Thread(target=share, args=(number,)) for number in range(THREADS)]
    started = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return time.perf_counter() - started


def through_http(folder: Path, bodies: Sequence[bytes]) -> float:
    """Returns the seconds until a server has acknowledged all requests."""
    headers = {"content-type": "application/x-protobuf"}
    with served(folder / "store") as (url, _), httpx.Client(base_url=url, timeout=60) as http:

        def send(body: bytes) -> None:
            http.post("/v1/traces", content=body, headers=headers).raise_for_status()

        taken = in_threads(bodies, send)
        count = http.post("/api/query", json={"sql": "SELECT count(*) AS n FROM spans"}).json()
    spans = sum(
        len(ExportTraceServiceRequest.FromString(body).resource_spans[0].scope_spans[0].spans)
        for body in bodies
    )
    if count["rows"] != [[spans]]:
        raise AssertionError(f"BUG: {count['rows']} spans of {spans} are there")
    return taken


def into_clickhouse(folder: Path, lines: Sequence[str]) -> float:
    """Returns the seconds until ClickHouse has every batch in a part that is synced."""
    connection: Any = importlib.import_module("chdb.session").Session(str(folder / "chdb"))
    connection.query("CREATE DATABASE b ENGINE = Atomic")
    connection.query(
        f"CREATE TABLE b.spans ({COLUMNS}) ENGINE = MergeTree ORDER BY start_ns "
        "SETTINGS fsync_after_insert = 1, fsync_part_directory = 1"
    )
    lock = threading.Lock()

    def send(text: str) -> None:
        # A session takes one statement at a time.
        with lock:
            connection.query(f"INSERT INTO b.spans FORMAT JSONEachRow {text}")

    taken = in_threads(lines, send)
    connection.close()
    return taken


def into_variant(folder: Path, lines: Sequence[str]) -> float:
    """Returns the seconds until a DuckDB file has every batch committed, which syncs its log."""
    connection = duckdb.connect(str(folder / "variant.db"))
    connection.execute(
        "CREATE TABLE spans (trace_id VARCHAR, span_id VARCHAR, name VARCHAR, start_ns BIGINT, "
        "duration_ns BIGINT, attributes VARIANT)"
    )

    def send(text: str) -> None:
        rows = "[" + text.replace("\n", ",") + "]"
        with connection.cursor() as cursor:
            cursor.execute(
                "INSERT INTO spans SELECT r.trace_id, r.span_id, r.name, r.start_ns, r.duration_ns, "
                "r.attributes::JSON::VARIANT FROM (SELECT unnest(from_json($rows::JSON, "
                '\'[{"trace_id":"VARCHAR","span_id":"VARCHAR","name":"VARCHAR","start_ns":"BIGINT",'
                '"duration_ns":"BIGINT","attributes":"JSON"}]\')) AS r)',
                {"rows": rows},
            )

    taken = in_threads(lines, send)
    connection.close()
    return taken


if __name__ == "__main__":
    main()
