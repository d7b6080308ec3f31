"""Requests that are large, slow or many take a bounded amount of memory, and others are answered meanwhile."""

from __future__ import annotations

import contextlib
import select
import socket
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from data import processes
from tracestore.limits import MAX_PAYLOAD_BYTES
from tracestore.server import Server, ServerSettings
from tracestore_ingest.admission import MAX_BYTES_IN_FLIGHT, Admission, Busy

MIB = 1024 * 1024
BLOCK = b"100000\r\n" + b" " * MIB + b"\r\n"


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    chosen = ServerSettings(
        data=tmp_path / "store", port=0, grpc_port=-1, max_connections=64, header_timeout_s=30
    )
    with Server(chosen) as running:
        yield running


def connected(stack: contextlib.ExitStack, server: Server) -> socket.socket:
    made = socket.create_connection(("127.0.0.1", server.http_port), timeout=processes.HANG_S)
    return stack.enter_context(made)


def head(path: str, kind: str) -> bytes:
    lines = (
        f"POST {path} HTTP/1.1",
        "Host: localhost",
        f"Content-Type: {kind}",
        "Transfer-Encoding: chunked",
    )
    return "\r\n".join(lines).encode() + b"\r\n\r\n"


ROUTES = [
    ("/v1/traces", "application/x-protobuf", MAX_PAYLOAD_BYTES),
    ("/api/import", "application/x-ndjson", MAX_PAYLOAD_BYTES),
    ("/api/datasets/rows?name=d", "application/x-ndjson", MAX_PAYLOAD_BYTES),
    ("/api/patch", "application/json", MAX_PAYLOAD_BYTES),
    ("/api/export", "application/json", 4 * MIB),
    ("/api/query", "application/json", 4 * MIB),
    ("/api/experiments?name=e", "application/json", 4 * MIB),
    ("/api/datasets/query?name=d", "application/json", 4 * MIB),
]


@pytest.mark.parametrize(("path", "kind", "bound"), ROUTES)
def test_a_body_beyond_its_bound_is_refused_while_it_comes(
    server: Server, path: str, kind: str, bound: int
) -> None:
    with contextlib.ExitStack() as stack:
        sender = connected(stack, server)
        sender.sendall(head(path, kind))
        for _ in range(bound // MIB + 1):
            sender.sendall(BLOCK)
        # The body has not ended: the answer comes all the same, and what is sent on is dropped.
        assert sender.recv(65536).startswith(b"HTTP/1.1 413")
        for _ in range(16):
            sender.sendall(BLOCK)
    assert httpx.get(f"{server.url}/healthz").status_code == 200


def test_a_length_beyond_the_bound_is_refused_before_the_body(server: Server) -> None:
    with contextlib.ExitStack() as stack:
        sender = connected(stack, server)
        lines = (
            "POST /api/export HTTP/1.1\r\nHost: localhost\r\nContent-Length: 99999999999\r\n\r\n"
        )
        sender.sendall(lines.encode())
        assert sender.recv(65536).startswith(b"HTTP/1.1 413")


def test_slow_senders_hold_half_of_the_room_and_others_store_rows(server: Server) -> None:
    busy = 0
    with contextlib.ExitStack() as stack:
        senders = [connected(stack, server) for _ in range(20)]
        for sender in senders:
            sender.sendall(head("/v1/traces", "application/x-protobuf"))
            for _ in range(16):
                sender.sendall(BLOCK)
        while busy < 10:
            ready, _, _ = select.select(senders, [], [], processes.HANG_S)
            assert ready
            for sender in ready:
                assert sender.recv(65536).startswith(b"HTTP/1.1 503")
                senders.remove(sender)
                busy += 1
        assert server.admission.bytes_in_flight <= MAX_BYTES_IN_FLIGHT // 2
        elsewhere = stack.enter_context(
            httpx.Client(transport=httpx.HTTPTransport(local_address="127.0.0.2"))
        )
        answer = elsewhere.post(f"{server.url}/api/import", content=b'{"name":"x"}')
        assert answer.status_code == 200


def test_half_sent_headers_give_way_to_others(server: Server) -> None:
    with contextlib.ExitStack() as stack:
        for _ in range(200):
            connected(stack, server).sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nX: ")
        assert httpx.get(f"{server.url}/healthz").status_code == 200


# --- the count itself ------------------------------------------------------------------------------


def test_bytes_are_admitted_as_they_come_and_given_back() -> None:
    admission = Admission(100)
    with admission.arrival("a") as first, admission.arrival("b") as other:
        first.add(40)
        other.add(30)
        with pytest.raises(Busy):
            first.add(31)
        assert admission.bytes_in_flight == 70
    assert admission.bytes_in_flight == 0


def test_one_caller_holds_half_with_what_has_not_come_whole() -> None:
    admission = Admission(100)
    with admission.arrival("a") as first, admission.arrival("a") as second:
        first.add(40)
        with pytest.raises(Busy):
            second.add(20)
        first.complete()
        second.add(20)
        with admission.arrival("b") as other:
            other.add(40)
            with pytest.raises(Busy):
                other.add(1)


def test_one_request_alone_is_always_admitted() -> None:
    admission = Admission(100)
    with admission.arrival("a") as only:
        only.add(90)
        only.add(90)
    assert admission.bytes_in_flight == 0
