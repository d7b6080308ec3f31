"""How fast do answers come over Flight SQL, and as Arrow over HTTP? `python -m bench.service.flight [--seconds 10]`."""

from __future__ import annotations

import argparse
import socket
import tempfile
from collections.abc import Callable, Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

import adbc_driver_flightsql.dbapi as flight
import httpx
import pyarrow as pa

from bench.datagen import workloads
from bench.report import Result, interleaved, keep, middle, show
from bench.service.server import served

ROUNDS: Final = 10
NDJSON: Final = {"content-type": "application/x-ndjson"}
SPANS: Final = 50_000
STATEMENTS: Final = {
    "3 numbers, 1 M rows": "SELECT range AS a, range * 0.5 AS b, range % 1000 AS c FROM range(1000000)",
    "texts of 1 kB, 100,000 rows": "SELECT repeat('x', 1000) AS text FROM range(100000)",
    "spans, typed paths": "SELECT name, start_time, duration, attributes.user.id AS user FROM spans",
    "whole spans": "SELECT * FROM spans LIMIT 10000",
    "the smallest": "SELECT 1 AS one",
}


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--seconds", type=float, default=10.0)
    quick = parser.parse_args().seconds < 10
    results: list[Result] = []
    port = _free_port()
    with (
        tempfile.TemporaryDirectory() as folder,
        served(Path(folder) / "store", {"TRACESTORE_FLIGHT_PORT": str(port)}) as (url, _),
        httpx.Client(base_url=url, timeout=600) as http,
        flight.connect(f"grpc://127.0.0.1:{port}", autocommit=True) as connection,
    ):
        for part in workloads.ndjson("llm", SPANS // 10 if quick else SPANS):
            # Ten thousand chats are more than one request may hold.
            for rows in batched_lines(part, 1000):
                http.post("/api/import", content=rows, headers=NDJSON).raise_for_status()
        for name, sql in STATEMENTS.items():
            works: dict[str, Callable[[], pa.Table]] = {
                "Arrow over HTTP": _over_http(http, sql),
                "Flight SQL": _over_flight(connection, sql),
            }
            size = works["Flight SQL"]().nbytes
            for system, times in interleaved(works, 2 if quick else ROUNDS).items():
                value, spread = middle([taken * 1000 for taken in times])
                rate = size / 1e6 / (value / 1000)
                results += [
                    _result(name, system, "answer", value, "ms", spread),
                    _result(name, system, "rate", rate, "MB/s", 0.0),
                ]
    keep(results, "flight", quick=quick)
    show(results)


def batched_lines(data: bytes, count: int) -> Iterator[bytes]:
    """Yields lines in batches."""
    lines = data.splitlines(keepends=True)
    for begin in range(0, len(lines), count):
        yield b"".join(lines[begin : begin + count])


def _result(name: str, system: str, metric: str, value: float, unit: str, spread: float) -> Result:
    return Result("answers", name, system, version("tracestore"), metric, value, unit, spread)


def _over_http(http: httpx.Client, sql: str) -> Callable[[], pa.Table]:
    def work() -> pa.Table:
        headers = {"accept": "application/vnd.apache.arrow.stream"}
        with http.stream("POST", "/api/query", json={"sql": sql}, headers=headers) as answer:
            answer.raise_for_status()
            data = b"".join(answer.iter_raw())
        return pa.ipc.open_stream(data).read_all()

    return work


def _over_flight(connection: Any, sql: str) -> Callable[[], pa.Table]:
    def work() -> pa.Table:
        with connection.cursor() as cursor:
            cursor.execute(sql)
            return cursor.fetch_arrow_table()

    return work


def _free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port: int = taken.getsockname()[1]
        return port


if __name__ == "__main__":
    main()
