"""Loads a server from two processes: `python -m bench.service [--seconds 60] [--server TREE]`."""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

import httpx

from bench.report import Result, keep, middle, peak_bytes, show
from bench.service.server import cpu_seconds, resident_bytes, served

SENDERS = 2
PATIENCE_S = 300.0
"""Seconds for one answer of the server."""


def percentile(values: list[float], share: float) -> float:
    """Returns the value below which a share of the values lies."""
    return sorted(values)[min(len(values) - 1, int(len(values) * share))]


def main() -> None:
    """Runs the load and prints its results."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument(
        "--server", type=Path, help="a checkout whose code serves; this one by default"
    )
    chosen = parser.parse_args()
    results: list[Result] = []

    def note(metric: str, value: float, unit: str, spread: float = 0.0) -> None:
        package = version("tracestore")
        results.append(
            Result("small spans", "service", "tracestore", package, metric, value, unit, spread)
        )

    with (
        tempfile.TemporaryDirectory() as folder,
        served(Path(folder) / "store", tree=chosen.server) as (url, pid),
        # Not the client of this tree: a server of another one may answer it in another form.
        httpx.Client(base_url=url, timeout=PATIENCE_S) as client,
    ):
        idle = [ask(client, "SELECT 1") for _ in range(200)]
        note("smallest query, idle, p50", statistics.median(idle), "ms", middle(idle)[1])
        before_s = cpu_seconds(pid)
        load = run_load(client, url, pid, chosen.seconds, Path(folder))
        cpu_s = cpu_seconds(pid) - before_s
        note("ingest", load.spans / load.seconds, "spans/s")
        note("processor time of the server", cpu_s / load.spans * 1e6, "us/span")
        note("acknowledgement, p50", statistics.median(load.acks_ms), "ms")
        note("acknowledgement, p99", percentile(load.acks_ms, 0.99), "ms")
        note(
            "smallest query under load, p50",
            statistics.median(load.asked_ms),
            "ms",
            middle(load.asked_ms)[1],
        )
        note("peak resident memory", peak_bytes(pid) / 1e6, "MB")
        quarter = len(load.resident_bytes) // 4
        if quarter:
            early, late = load.resident_bytes[quarter : 2 * quarter], load.resident_bytes[-quarter:]
            grown = statistics.median(late) / statistics.median(early)
            note("resident memory, last quarter of second", grown, "x")
        amplification = written_for_kept(url)
        if amplification is not None:
            note("bytes written for a byte kept", amplification, "B")
        note("segments", load.segments, "")
        rows, ids = answer(client, "SELECT count(*), count(DISTINCT span_id) FROM spans")
        note("lost", load.spans - ids, "spans")
        note("doubled", rows - ids, "spans")
    keep(results, "service", quick=chosen.seconds < 10 or chosen.server is not None)
    show(results)


@dataclass(frozen=True, slots=True)
class Load:
    """What the senders and the server did under load.

    Attributes:
        spans, seconds: sent and acknowledged, and how long it took.
        acks_ms: how long each acknowledgement took.
        asked_ms: how long each of the smallest queries took meanwhile.
        resident_bytes: memory of the server, once a look.
        segments: at the end.
    """

    spans: int
    seconds: float
    acks_ms: list[float]
    asked_ms: list[float]
    resident_bytes: list[int]
    segments: int


def run_load(client: httpx.Client, url: str, pid: int, seconds: float, folder: Path) -> Load:
    """Sends from two processes until the time is up, and asks meanwhile."""
    sender = [sys.executable, "-m", "bench.service.sender", url, str(seconds)]
    # Into files: a sender's answer is longer than a pipe that nobody reads yet.
    files = [folder / f"sender{number}.json" for number in range(SENDERS)]
    senders = []
    for number, file in enumerate(files):
        with file.open("wb") as answer:
            senders.append(subprocess.Popen([*sender, str(number)], stdout=answer))
    asked_ms: list[float] = []
    held: list[int] = []
    while any(each.poll() is None for each in senders):
        asked_ms.append(ask(client, "SELECT 1"))
        held.append(resident_bytes(pid))
        time.sleep(0.02)
    answers = [json.loads(file.read_text()) for file in files]
    return Load(
        spans=sum(answer["spans"] for answer in answers),
        seconds=max(answer["seconds"] for answer in answers),
        acks_ms=[ms for answer in answers for ms in answer["ack_ms"]],
        asked_ms=asked_ms,
        resident_bytes=held,
        segments=int(counters(url).get("tracestore_segments", 0)),
    )


def counters(url: str) -> dict[str, float]:
    """Returns the server's counts by name, those with labels left out."""
    lines = httpx.get(f"{url}/metrics").text.splitlines()
    pairs = [line.split() for line in lines if not line.startswith("#") and "{" not in line]
    return {pair[0].removesuffix("_total"): float(pair[1]) for pair in pairs if len(pair) == 2}


def written_for_kept(url: str) -> float | None:
    """Returns the bytes of segments that flushes and merges wrote for each that is left; None where nobody counts."""
    counts = counters(url)
    if "tracestore_flushed_bytes" not in counts:
        return None
    written = counts["tracestore_flushed_bytes"] + counts["tracestore_written_bytes"]
    kept = written - counts["tracestore_merged_bytes"]
    return written / kept if kept else None


def answer(client: httpx.Client, sql: str) -> list[int]:
    """Returns the first row of a query's answer."""
    told = client.post("/api/query", json={"sql": sql, "timeout_s": PATIENCE_S}).raise_for_status()
    row: list[int] = told.json()["rows"][0]
    return row


def ask(client: httpx.Client, sql: str) -> float:
    """Returns the milliseconds that a query took."""
    started = time.perf_counter()
    try:
        answer(client, sql)
    except httpx.HTTPError:
        return float("nan")
    return (time.perf_counter() - started) * 1000


if __name__ == "__main__":
    main()
