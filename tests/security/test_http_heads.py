"""What stands around bodies is bounded as they are, and bytes of one connection are told apart as HTTP says."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from data import processes
from tracestore.server import Server, ServerSettings
from tracestore.serving.http.connections import MAX_HEADER_BYTES
from tracestore.store import KeyRing

PIECE = b"x" * 4096
CHUNKED = (
    b"POST /api/query HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
    b"Transfer-Encoding: chunked\r\n\r\n"
)
ASKED = b'{"sql": "SELECT 1"}'


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("heads") / "store"
    with Server(ServerSettings(data=folder, port=0, grpc_port=-1)) as running:
        yield running


@pytest.fixture
def connection(server: Server) -> Iterator[socket.socket]:
    with socket.create_connection(("127.0.0.1", server.http_port), processes.HANG_S) as made:
        yield made


def read_answer(connection: socket.socket) -> tuple[int, bytes]:
    """Returns the status and the body of the next answer, which tells its length."""
    told = b""
    while b"\r\n\r\n" not in told:
        told += connection.recv(1)
    head, _, _ = told.partition(b"\r\n\r\n")
    lengths = [line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length")]
    left = int(lengths[0].partition(b":")[2]) if lengths else 0
    body = b""
    while len(body) < left:
        body += connection.recv(left - len(body))
    return int(head.split()[1]), body


@pytest.mark.parametrize(
    "start",
    [
        pytest.param(b"GET /", id="a path"),
        pytest.param(b"GET / HTTP/1.1\r\nHost: localhost\r\nX: ", id="a header"),
        pytest.param(b"GET / HTTP/1.1\r\nHost: localhost\r\n", id="a name of a header"),
        pytest.param(CHUNKED + b"1;", id="what stands behind the size of a chunk"),
        pytest.param(CHUNKED + b"1\r\n{\r\n0\r\nX: ", id="a trailer"),
    ],
)
def test_what_never_ends_is_cut(server: Server, connection: socket.socket, start: bytes) -> None:
    connection.sendall(start)
    sent = 0
    # What the two kernels hold between them may be sent after the end.
    with contextlib.suppress(ConnectionError):
        while sent < 64 * 1024 * 1024:
            connection.sendall(PIECE)
            sent += len(PIECE)
    assert sent < 64 * 1024 * 1024
    assert httpx.get(f"{server.url}/healthz").status_code == 200


@pytest.mark.parametrize(
    "lines",
    [
        pytest.param(b"X: " + PIECE * 24 + b"\r\n", id="one header"),
        pytest.param(b"".join(b"X%d: %b\r\n" % (i, PIECE) for i in range(24)), id="many"),
    ],
)
def test_long_headers_are_refused_in_one_piece_too(connection: socket.socket, lines: bytes) -> None:
    assert len(lines) > MAX_HEADER_BYTES
    connection.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n" + lines + b"\r\n")
    assert connection.recv(12) == b"HTTP/1.1 400"


@pytest.mark.parametrize("hosts", [b"", b"Host: localhost\r\nHost: elsewhere\r\n"])
def test_a_request_names_one_host(connection: socket.socket, hosts: bytes) -> None:
    connection.sendall(b"GET /healthz HTTP/1.1\r\n" + hosts + b"\r\n")
    assert connection.recv(12) == b"HTTP/1.1 400"


def test_a_trailer_is_no_header(tmp_path: Path) -> None:
    data = tmp_path / "store"
    data.mkdir()
    _, secret = KeyRing(data).create("reader", ["admin"])
    key = f"Authorization: Bearer {secret}\r\n".encode()
    start, body = CHUNKED.removesuffix(b"\r\n"), b"%x\r\n%b\r\n0\r\n" % (len(ASKED), ASKED)
    with Server(ServerSettings(data=data, port=0, grpc_port=-1, require_keys=True)) as server:
        for header, trailer, status in ((key, b"", 200), (b"", key, 401)):
            with socket.create_connection(("127.0.0.1", server.http_port)) as connection:
                connection.sendall(start + header + b"\r\n" + body + trailer + b"\r\n")
                assert connection.recv(12) == b"HTTP/1.1 %d" % status


def test_requests_one_behind_the_other_are_answered_in_turn(connection: socket.socket) -> None:
    paths = (b"/healthz", b"/nowhere", b"/healthz")
    connection.sendall(b"".join(b"GET %b HTTP/1.1\r\nHost: localhost\r\n\r\n" % p for p in paths))
    assert [read_answer(connection)[0] for _ in paths] == [200, 404, 200]


def test_an_upgrade_that_is_not_to_be_had_is_answered_as_if_not_asked(
    connection: socket.socket,
) -> None:
    """As Java's client asks for HTTP/2 on each new connection."""
    asking = (
        b"POST /v1/traces HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade, HTTP2-Settings\r\n"
        b"Upgrade: h2c\r\nHTTP2-Settings: AAEAAEAAAAIAAAAAAAMAAAAAAAQBAAAAAAUAAEAAAAYABgAA\r\n"
        b"Content-Type: application/json\r\nContent-Length: 2\r\n\r\n{}"
    )
    for _ in range(2):
        connection.sendall(asking)
        assert read_answer(connection)[0] == 200


def test_a_sender_that_asks_whether_it_may_is_told(connection: socket.socket) -> None:
    connection.sendall(
        b"POST /v1/traces HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
        b"Expect: 100-continue\r\nContent-Length: 2\r\n\r\n"
    )
    assert read_answer(connection)[0] == 100
    connection.sendall(b"{}")
    assert read_answer(connection)[0] == 200
