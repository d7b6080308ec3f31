"""What does the engine process cost, and its end: `python -m bench.service.apart [--seconds 10]`."""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from importlib.metadata import version
from pathlib import Path

import httpx

from bench.report import Result, interleaved, keep, middle, show
from bench.service.server import served

STREAM = "SELECT range AS a, range * 0.5 AS b, range % 1000 AS c FROM range({})"
ENDLESS = "WITH RECURSIVE t(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM t) SELECT count(*) FROM t"
KINDS = {
    "Arrow": ("application/vnd.apache.arrow.stream", 1_000_000),
    "NDJSON": ("application/x-ndjson", 100_000),
}
"""Formats that are streamed: media type and rows."""
SMALLEST_ROUNDS, STREAM_ROUNDS = 300, 80
ENDLESS_STATEMENTS = 44


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--seconds", type=float, default=10.0)
    seconds = parser.parse_args().seconds
    results: list[Result] = []

    def note(system: str, metric: str, value: float, unit: str, spread: float = 0.0) -> None:
        package = version("tracestore")
        results.append(Result("service", "apart", system, package, metric, value, unit, spread))

    _measure_queries(note)
    with tempfile.TemporaryDirectory() as folder, served(Path(folder) / "store") as (url, pid):
        quiet = _acknowledgements(url, seconds, 1, lambda: None)
        ended = _acknowledgements(url, seconds, 2, lambda: os.kill(_engine_of(pid), signal.SIGKILL))
        note("apart", "acknowledgement, p99, engine stays", quiet, "ms")
        note("apart", "acknowledgement, p99, engine killed each second", ended, "ms")
        store_ms, ask_ms = _beside_endless_statements(url)
        note("apart", "acknowledgement beside 44 endless statements, slowest", store_ms, "ms")
        note("apart", "another's statement beside 44 endless ones, slowest", ask_ms, "ms")
    keep(results, "service", quick=seconds < 10)
    show(results)


def _measure_queries(note: Callable[..., None]) -> None:
    """Compares the smallest statement and a stream, asked of both servers in turns."""
    with contextlib.ExitStack() as stack:
        clients = {
            "apart": stack.enter_context(_client({"TRACESTORE_ENGINE_PROCESS": "true"})),
            "one process": stack.enter_context(_client({"TRACESTORE_ENGINE_PROCESS": "false"})),
        }
        smallest = {name: _asking(client, "SELECT 1") for name, client in clients.items()}
        for name, times in interleaved(smallest, SMALLEST_ROUNDS).items():
            value, spread = middle([taken * 1000 for taken in times])
            note(name, "smallest query, p50", value, "ms", spread)
        for kind, (media_type, rows) in KINDS.items():
            streams = {
                name: _asking(client, STREAM.format(rows), {"accept": media_type})
                for name, client in clients.items()
            }
            for name, times in interleaved(streams, STREAM_ROUNDS).items():
                value, spread = middle([rows / taken / 1e6 for taken in times])
                note(name, f"streamed as {kind}", value, "million rows/s", spread)


@contextlib.contextmanager
def _client(environment: dict[str, str]) -> Iterator[httpx.Client]:
    with (
        tempfile.TemporaryDirectory() as folder,
        served(Path(folder) / "store", environment) as (url, _),
        httpx.Client(base_url=url, timeout=60) as client,
    ):
        yield client


def _asking(
    client: httpx.Client, sql: str, headers: dict[str, str] | None = None
) -> Callable[[], None]:
    def ask() -> None:
        with client.stream("POST", "/api/query", json={"sql": sql}, headers=headers) as answer:
            answer.raise_for_status()
            for _ in answer.iter_raw():
                pass

    return ask


def _acknowledgements(
    url: str, seconds: float, seed: int, each_second: Callable[[], None]
) -> float:
    """Returns the p99 of acknowledgements in milliseconds, while statements are asked and something happens."""
    command = [sys.executable, "-m", "bench.service.sender", url, str(seconds), str(seed)]
    over = threading.Event()

    def ask() -> None:
        with httpx.Client(base_url=url, timeout=60) as client:
            while not over.is_set():
                client.post("/api/query", json={"sql": "SELECT count(*) FROM spans"})

    with ThreadPoolExecutor(1) as pool:
        asking = pool.submit(ask)
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as sender:
            try:
                while True:
                    try:
                        printed, _ = sender.communicate(timeout=1.0)
                        break
                    except subprocess.TimeoutExpired:
                        each_second()
            finally:
                over.set()
        asking.result()
    taken_ms: list[float] = json.loads(printed)["ack_ms"]
    return statistics.quantiles(taken_ms, n=100)[98]


def _engine_of(pid: int) -> int:
    """Returns the engine process of a server: the child of its fork server."""
    while True:
        with contextlib.suppress(OSError, IndexError):
            fork_server = _children(pid)[0]
            return _children(fork_server)[0]


def _children(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def _beside_endless_statements(url: str) -> tuple[float, float]:
    """Returns the slowest acknowledgement and answer of another caller, in milliseconds, beside endless statements."""

    def endless() -> None:
        httpx.post(f"{url}/api/query", json={"sql": ENDLESS, "timeout_s": 8}, timeout=60)

    stores: list[float] = []
    asks: list[float] = []
    elsewhere = httpx.HTTPTransport(local_address="127.0.0.2")
    with (
        ThreadPoolExecutor(ENDLESS_STATEMENTS) as pool,
        httpx.Client(base_url=url, transport=elsewhere, timeout=60) as other,
    ):
        statements = [pool.submit(endless) for _ in range(ENDLESS_STATEMENTS)]
        while not all(each.done() for each in statements):
            for times, path, body in (
                (stores, "/api/import", {"name": "meanwhile"}),
                (asks, "/api/query", {"sql": "SELECT 1"}),
            ):
                started = time.perf_counter()
                other.post(path, json=body).raise_for_status()
                times.append((time.perf_counter() - started) * 1000)
    return max(stores), max(asks)


if __name__ == "__main__":
    main()
