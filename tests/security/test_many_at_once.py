"""Senders that are slow, large or many, and statements without an end, from real sockets with a key of their own:
the memory of the server stays within its bounds, and who holds another key is served meanwhile."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

import tracestore
from data import processes
from tracestore.store import KeyRing
from tracestore_ingest.admission import MAX_BYTES_IN_FLIGHT

MIB = 1024 * 1024
BLOCK = b"100000\r\n" + b" " * MIB + b"\r\n"
ENDLESS = "WITH RECURSIVE t(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM t) SELECT count(*) FROM t"

BASE_BYTES = 512 * MIB
"""Of a server that has imported everything and stored some rows, with room to spare; it has some 180 MiB."""


@dataclass(frozen=True, slots=True)
class Attacked:
    """A server, the key of who attacks it and that of somebody else."""

    served: processes.Served
    attacker: str
    other: str

    def connected(self, stack: contextlib.ExitStack) -> socket.socket:
        """Returns a connection that is closed with the stack."""
        url = httpx.URL(self.served.url)
        made = socket.create_connection((url.host, url.port or 80), timeout=processes.HANG_S)
        return stack.enter_context(made)

    def post(self, path: str, key: str, **more: object) -> httpx.Response:
        headers = {"Authorization": f"Bearer {key}"}
        return httpx.post(
            self.served.url + path,
            headers=headers,
            timeout=processes.HANG_S,
            **more,  # type: ignore[arg-type] # whatever httpx takes
        )

    def serves_another(self) -> None:
        """Stores a row and answers a statement of somebody else."""
        answer = self.post("/api/import", self.other, content=b'{"name":"meanwhile"}')
        assert answer.status_code == 200, answer.text
        answer = self.post("/api/query", self.other, json={"sql": "SELECT count(*) FROM spans"})
        assert answer.status_code == 200, answer.text

    def peak_bytes(self) -> int:
        """Returns the most memory that the serving process has had."""
        status = Path(f"/proc/{self.served.process.pid}/status").read_text()
        return int(status.partition("VmHWM:")[2].split()[0]) * 1024


@pytest.fixture
def attacked(server: Attacked) -> Attacked:
    """Gives the server, whose most memory counts from now on."""
    Path(f"/proc/{server.served.process.pid}/clear_refs").write_text("5")
    return server


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Attacked]:
    folder = tmp_path_factory.mktemp("attacked") / "store"
    tracestore.open(folder, background=False).close()
    with contextlib.closing(KeyRing(folder)) as ring:
        attacker, other = (
            ring.create(name, ("ingest", "read"))[1] for name in ("attacker", "other")
        )
    environment = {"TRACESTORE_REQUIRE_KEYS": "true", "TRACESTORE_MAX_CONNECTIONS": "128"}
    with processes.serving(folder, "--grpc-port", "-1", environment=environment) as served:
        given = Attacked(served, attacker, other)
        given.serves_another()
        yield given


def head(path: str, key: str) -> bytes:
    lines = (
        f"POST {path} HTTP/1.1",
        "Host: localhost",
        f"Authorization: Bearer {key}",
        "Transfer-Encoding: chunked",
    )
    return "\r\n".join(lines).encode() + b"\r\n\r\n"


def test_forty_slow_senders(attacked: Attacked) -> None:
    with contextlib.ExitStack() as stack:
        senders = [attacked.connected(stack) for _ in range(40)]
        for sender in senders:
            sender.sendall(head("/v1/traces", attacked.attacker))
        for _ in range(16):
            for sender in senders:
                sender.sendall(BLOCK)
        attacked.serves_another()
        assert attacked.peak_bytes() < BASE_BYTES + MAX_BYTES_IN_FLIGHT


def test_three_hundred_half_sent_headers(attacked: Attacked) -> None:
    with contextlib.ExitStack() as stack:
        for _ in range(300):
            attacked.connected(stack).sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nX: ")
        attacked.serves_another()
        assert attacked.peak_bytes() < BASE_BYTES


@pytest.mark.parametrize("path", ["/api/export", "/v1/traces", "/api/import"])
def test_a_body_of_gigabytes(attacked: Attacked, path: str) -> None:
    with contextlib.ExitStack() as stack:
        sender = attacked.connected(stack)
        sender.sendall(head(path, attacked.attacker))
        # The rest is dropped for some seconds, and then the connection ends.
        with contextlib.suppress(ConnectionError):
            for _ in range(2400):
                sender.sendall(BLOCK)
        attacked.serves_another()
        assert attacked.peak_bytes() < BASE_BYTES + MAX_BYTES_IN_FLIGHT


def test_forty_four_endless_statements_of_one_key(attacked: Attacked) -> None:
    def endless() -> int:
        body = {"sql": ENDLESS, "timeout_s": 12}
        return attacked.post("/api/query", attacked.attacker, json=body).status_code

    def running() -> float:
        headers = {"Authorization": f"Bearer {attacked.other}"}
        text = httpx.get(f"{attacked.served.url}/metrics", headers=headers).text
        name = "tracestore_queries_running "
        return float(next(x for x in text.splitlines() if x.startswith(name)).split()[1])

    with ThreadPoolExecutor(44) as pool:
        statements = [pool.submit(endless) for _ in range(44)]
        while running() < 6:
            pass
        attacked.serves_another()
        assert attacked.peak_bytes() < BASE_BYTES
        # What waits and does not get its turn in ten seconds is told to ask again.
        assert {each.result() for each in statements} <= {408, 503}
