"""How much later does a model's first byte come through the gateway? `python -m bench.service.gateway [--seconds 20]`.

A provider that answers at once, in a process of its own, is asked directly and through a server, in turns, over
connections that stay open: what lies between is the gateway's.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from multiprocessing.connection import Connection
from pathlib import Path
from statistics import median, quantiles
from typing import Any, Final

import httpx

import tracestore
from bench.report import Result, keep, middle, show
from bench.service.server import served

PATH: Final = "/v1/chat/completions"
ALLOWED_MS: Final = 5.0
"""Milliseconds that the gateway may add to the first byte, at the median."""

WARM_UP: Final = 50
WORDS: Final = 60
"""Of an answer: each is an event of the stream."""

QUESTION: Final = {
    "model": "gpt-4o-mini",
    "stream": True,
    "messages": [
        {"role": "system", "content": "You help customers of a shop. " * 40},
        {"role": "user", "content": "Where is my parcel?"},
    ],
}


class _Model(BaseHTTPRequestHandler):
    """A provider that begins to answer at once."""

    protocol_version = "HTTP/1.1"
    # An answer's head and its first event are small: they do not wait for each other.
    disable_nagle_algorithm = True

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["content-length"]))
        self.send_response(200)
        self.send_header("content-type", "text/event-stream")
        self.send_header("transfer-encoding", "chunked")
        self.end_headers()
        for number in range(WORDS):
            delta = {"choices": [{"index": 0, "delta": {"content": f" word {number}"}}]}
            self._write(f"data: {json.dumps(delta)}\n\n".encode())
        self._write(b"data: [DONE]\n\n")
        self.wfile.write(b"0\r\n\r\n")

    def _write(self, part: bytes) -> None:
        self.wfile.write(f"{len(part):x}\r\n".encode() + part + b"\r\n")

    def log_message(self, *_: Any) -> None:
        """Says nothing."""


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--seconds", type=float, default=20.0)
    seconds = parser.parse_args().seconds
    with tempfile.TemporaryDirectory() as folder, _provider() as url:
        settings = {
            "TRACESTORE_GATEWAY_USD_PER_DAY": "1000000",
            "TRACESTORE_PROVIDERS": json.dumps(
                {"openai": {"kind": "openai", "base_url": f"{url}/v1"}}
            ),
        }
        with (
            served(Path(folder) / "store", settings) as (server, _),
            httpx.Client(timeout=60) as http,
        ):
            ways = {
                "directly": f"{url}{PATH}",
                "through the gateway": f"{server}/gateway/openai{PATH}",
            }
            times = _measured(http, ways, seconds)
    results = [_result(way, "p50", *_middle(taken)) for way, taken in times.items()]
    results += [
        _result(way, "p95", quantiles(taken, n=20)[-1] * 1000, 0.0) for way, taken in times.items()
    ]
    added = (median(times["through the gateway"]) - median(times["directly"])) * 1000
    results.append(_result("the gateway", "adds, p50", added, 0.0))
    show(results)
    print(
        f"{len(times['directly'])} calls each way; the gateway adds {added:.2f} ms, allowed are {ALLOWED_MS:g}"
    )
    keep(results, "gateway", quick=seconds < 10)
    if added > ALLOWED_MS:
        raise SystemExit(1)


def _middle(times: list[float]) -> tuple[float, float]:
    return middle([taken * 1000 for taken in times])


def _result(way: str, metric: str, value: float, spread: float) -> Result:
    return Result(
        "a stream of a model",
        "first byte",
        way,
        tracestore.__version__,
        metric,
        value,
        "ms",
        spread,
    )


def _measured(http: httpx.Client, ways: dict[str, str], seconds: float) -> dict[str, list[float]]:
    """Returns the seconds until the first byte, asked in turns."""
    for _ in range(WARM_UP):
        for url in ways.values():
            _first_byte(http, url)
    times: dict[str, list[float]] = {way: [] for way in ways}
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        for way, url in ways.items():
            times[way].append(_first_byte(http, url))
    return times


def _first_byte(http: httpx.Client, url: str) -> float:
    started = time.perf_counter()
    with http.stream("POST", url, json=QUESTION) as answer:
        answer.raise_for_status()
        parts = answer.iter_raw()
        next(parts)
        taken = time.perf_counter() - started
        for _ in parts:
            pass
    return taken


@contextmanager
def _provider() -> Iterator[str]:
    ours, theirs = multiprocessing.get_context("spawn").Pipe()
    process = multiprocessing.get_context("spawn").Process(target=_serve, args=(theirs,))
    process.start()
    try:
        yield f"http://127.0.0.1:{ours.recv()}"
    finally:
        process.terminate()
        process.join()


def _serve(pipe: Connection) -> None:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Model)
    pipe.send(server.server_port)
    server.serve_forever()


if __name__ == "__main__":
    main()
