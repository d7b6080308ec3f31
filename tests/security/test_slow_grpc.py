"""Calls over gRPC that send nothing, or come without end, are ended or refused; others are stored meanwhile."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import grpc
import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

import tracestore
from data import processes
from tracestore.server import Server, ServerSettings
from tracestore.store import KeyRing
from tracestore_ingest.otlp_grpc import THREADS

TRACES = "/opentelemetry.proto.collector.trace.v1.TraceService/Export"


def body() -> bytes:
    request = ExportTraceServiceRequest()
    span = request.resource_spans.add().scope_spans.add().spans.add()
    span.trace_id, span.span_id, span.name = b"\1" * 16, b"\2" * 8, "a span"
    span.start_time_unix_nano = 1
    message: bytes = request.SerializeToString()
    return message


class Silent:
    """Messages of a call that do not come until the test is over."""

    def __init__(self) -> None:
        self.over = threading.Event()

    def __iter__(self) -> Iterator[bytes]:
        self.over.wait()
        yield from ()


@pytest.fixture
def silent() -> Iterator[Silent]:
    messages = Silent()
    yield messages
    messages.over.set()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    tracestore.open(tmp_path / "store").close()
    return tmp_path / "store"


def served(folder: Path, **settings: object) -> Server:
    chosen = {"data": folder, "port": 0, "grpc_port": 0, **settings}
    return Server(ServerSettings(**chosen))  # type: ignore[arg-type] # as they are named


def metadata(key: str) -> list[tuple[str, str]]:
    return [("authorization", f"Bearer {key}")]


def test_a_call_without_a_key_is_refused_before_its_message(folder: Path, silent: Silent) -> None:
    with contextlib.closing(KeyRing(folder)) as ring:
        ring.create("somebody", ["ingest"])
    with (
        served(folder, require_keys=True) as server,
        grpc.insecure_channel(f"127.0.0.1:{server.grpc_port}") as channel,
    ):
        with pytest.raises(grpc.RpcError) as caught:
            channel.stream_unary(TRACES)(iter(silent), timeout=processes.HANG_S)
        assert caught.value.code() == grpc.StatusCode.UNAUTHENTICATED
        silent.over.set()


def test_a_message_that_does_not_come_ends_its_call(folder: Path, silent: Silent) -> None:
    with (
        served(folder, body_timeout_s=0.2) as server,
        grpc.insecure_channel(f"127.0.0.1:{server.grpc_port}") as channel,
    ):
        with pytest.raises(grpc.RpcError) as caught:
            channel.stream_unary(TRACES)(iter(silent), timeout=processes.HANG_S)
        assert caught.value.code() == grpc.StatusCode.CANCELLED
        channel.unary_unary(TRACES)(body(), timeout=processes.HANG_S)
        silent.over.set()


def test_slow_senders_hold_half_of_the_threads_and_others_store_spans(
    folder: Path, silent: Silent
) -> None:
    with contextlib.closing(KeyRing(folder)) as ring:
        slow, other = (ring.create(name, ["ingest"])[1] for name in ("slow", "other"))
    with (
        served(folder, require_keys=True) as server,
        grpc.insecure_channel(f"127.0.0.1:{server.grpc_port}") as channel,
    ):
        send = channel.stream_unary(TRACES)
        calls = [send.future(iter(silent), metadata=metadata(slow)) for _ in range(2 * THREADS)]
        channel.unary_unary(TRACES)(body(), metadata=metadata(other), timeout=processes.HANG_S)
        assert server.store.sql("SELECT count(*) AS n FROM spans").rows() == [{"n": 1}]
        silent.over.set()
        codes = [call.code() for call in calls]
        # Half of the threads waited; whoever came later was told to send again.
        assert codes.count(grpc.StatusCode.UNAVAILABLE) == 2 * THREADS - THREADS // 2


def test_connections_are_bounded_and_those_that_say_nothing_are_closed(folder: Path) -> None:
    with served(folder, max_connections=16, header_timeout_s=0.5) as server:
        assert server.grpc_port is not None
        address = ("127.0.0.1", server.grpc_port)
        silent = [socket.create_connection(address, processes.HANG_S) for _ in range(40)]
        try:
            for connection in silent:
                while connection.recv(4096):  # what the server says first
                    pass
        finally:
            for connection in silent:
                connection.close()
        with grpc.insecure_channel(f"127.0.0.1:{server.grpc_port}") as channel:
            channel.unary_unary(TRACES)(body(), timeout=processes.HANG_S)
