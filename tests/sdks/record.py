"""Records what SDKs send: `python -P -m sdks.record NAME ...` (with PYTHONPATH=tests), for programs beside this file.

The requests of a program's run become one of each signal in `tests/data/sdks`. Paths of this machine in stack traces
are written as /srv/app. Then `python -m sdks.golden`, and look at what it stores.
"""

from __future__ import annotations

import contextlib
import gzip
import socket
import sys
import tempfile
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Final

from google.protobuf.message import Message
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from data import recordings
from kernels import reference_otlp
from sdks import running, stub_models

SIGNALS: Final[dict[str, Any]] = {
    "traces": ExportTraceServiceRequest,
    "logs": ExportLogsServiceRequest,
}


class _Collector(BaseHTTPRequestHandler):
    """One connection of an exporter: its requests are merged into one of each signal."""

    merged: dict[str, Any]
    lock: threading.Lock

    def do_POST(self) -> None:
        length = self.headers.get("content-length")
        body = b"".join(self._chunks()) if length is None else self.rfile.read(int(length))
        if self.headers.get("content-encoding") == "gzip":
            body = gzip.decompress(body)
        signal = self.path.rpartition("/")[2]
        if signal in SIGNALS:
            as_json = self.headers.get_content_type() == "application/json"
            decode = reference_otlp.decode_json if as_json else reference_otlp.decode
            request = decode(body, signal)
            with self.lock:
                self.merged[signal].MergeFrom(request)
        self.send_response(200)
        self.send_header("content-type", str(self.headers.get_content_type()))
        self.send_header("content-length", "0")
        self.end_headers()

    def _chunks(self) -> Iterator[bytes]:
        """Yields the body of a request that does not say how long it is."""
        while size := int(self.rfile.readline(), 16):
            yield self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()

    def log_message(self, *_: object) -> None:
        """Says nothing."""


@contextlib.contextmanager
def collecting() -> Iterator[tuple[str, dict[str, Any]]]:
    """Runs a collector in a thread; gives its URL and what came so far."""
    merged = {signal: kind() for signal, kind in SIGNALS.items()}
    handler = type("Handler", (_Collector,), {"merged": merged, "lock": threading.Lock()})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", merged
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def scrubbed(message: Message, names: dict[str, str]) -> None:
    """Replaces names of this machine in all texts of a message."""
    for field, value in message.ListFields():
        if field.type == field.TYPE_STRING and not field.is_repeated:
            text = value
            for found, wanted in names.items():
                text = text.replace(found, wanted)
            setattr(message, field.name, text)
        elif field.type == field.TYPE_MESSAGE:
            for each in value if field.is_repeated else [value]:
                scrubbed(each, names)


def record(name: str) -> None:
    """Runs a program and keeps what it sent."""
    with (
        tempfile.TemporaryDirectory() as home,
        stub_models.serving() as models,
        collecting() as (url, merged),
    ):
        running.run(name, models, url, Path(home))
        names = {
            str(running.ENVIRONMENT): "/srv/app/env",
            str(running.PROGRAMS): "/srv/app",
            sys.base_prefix: "/usr",
            home: "/srv/app",
            socket.gethostname(): "app",
        }
    for signal, request in merged.items():
        scrubbed(request, names)
        body = request.SerializeToString(deterministic=True)
        if not body:
            continue
        recordings.write(name.replace("_", "-"), signal, body)
        print(f"{name}: {signal}, {len(body)} bytes")  # noqa: T201


if __name__ == "__main__":
    for each in sys.argv[1:] or running.NAMES:
        record(each)
