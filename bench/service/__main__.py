"""Loads a server from two processes: `python -m bench.service [--seconds 60]`."""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from importlib.metadata import version
from pathlib import Path

import httpx

from bench.report import Result, keep, middle, peak_bytes, show
from bench.service.server import served
from tracestore.client import Client

SENDERS = 2


def percentile(values: list[float], share: float) -> float:
    """Returns the value below which a share of the values lies."""
    return sorted(values)[min(len(values) - 1, int(len(values) * share))]


def main() -> None:
    """Runs the load and prints its results."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--seconds", type=float, default=60.0)
    seconds = parser.parse_args().seconds
    results: list[Result] = []

    def note(metric: str, value: float, unit: str, spread: float = 0.0) -> None:
        package = version("tracestore")
        results.append(
            Result("small spans", "service", "tracestore", package, metric, value, unit, spread)
        )

    with (
        tempfile.TemporaryDirectory() as folder,
        served(Path(folder) / "store") as (url, pid),
        Client(url) as client,
    ):
        idle = [ask(client, "SELECT 1") for _ in range(200)]
        note("smallest query, idle, p50", statistics.median(idle), "ms", middle(idle)[1])
        sender = [sys.executable, "-m", "bench.service.sender", url, str(seconds)]
        # Into files: a sender's answer is longer than a pipe that nobody reads yet.
        files = [Path(folder) / f"sender{number}.json" for number in range(SENDERS)]
        senders = []
        for number, file in enumerate(files):
            with file.open("wb") as answer:
                senders.append(subprocess.Popen([*sender, str(number)], stdout=answer))
        busy: list[float] = []
        while any(each.poll() is None for each in senders):
            busy.append(ask(client, "SELECT 1"))
            time.sleep(0.02)
        answers = [json.loads(file.read_text()) for file in files]
        sent = sum(answer["spans"] for answer in answers)
        acks = [ms for answer in answers for ms in answer["ack_ms"]]
        note("ingest", sent / max(answer["seconds"] for answer in answers), "spans/s")
        note("acknowledgement, p50", statistics.median(acks), "ms")
        note("acknowledgement, p99", percentile(acks, 0.99), "ms")
        note("smallest query under load, p50", statistics.median(busy), "ms", middle(busy)[1])
        note("peak resident memory", peak_bytes(pid) / 1e6, "MB")
        counted = client.sql(
            "SELECT count(*) AS rows, count(DISTINCT span_id) AS ids FROM spans",
            timeout_s=300,
        ).rows()[0]
        lost, doubled = sent - counted["ids"], counted["rows"] - counted["ids"]
        note("lost", lost, "spans")
        note("doubled", doubled, "spans")
    keep(results, "service", quick=seconds < 10)
    show(results)


def ask(client: Client, sql: str) -> float:
    """Returns the milliseconds that a query took."""
    started = time.perf_counter()
    try:
        client.sql(sql)
    except httpx.HTTPError:
        return float("nan")
    return (time.perf_counter() - started) * 1000


if __name__ == "__main__":
    main()
