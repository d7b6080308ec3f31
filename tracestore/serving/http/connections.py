"""Connections: how many there may be, how long headers may take, and for how long a peer may not listen.

Uvicorn bounds the time between requests; the rest is here, on its own protocol class. Its parser keeps what it has of a
header until the header is whole.
"""

from __future__ import annotations

import asyncio
import enum
import ipaddress
import resource
import socket
from collections.abc import Iterator
from typing import Any, ClassVar, Final

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

KEEP_ALIVE_S: Final = 65
"""Seconds between requests: exporters send every five, and scrapers once a minute."""

LINGER_S: Final = 10.0
"""Seconds for which the body of a refused request is read on and dropped: a sender that is cut off at once may
never see the answer."""

MAX_WRITE_STALL_S: Final = 120.0
"""Seconds in which a peer must read something of an answer; until then it holds a query."""

MAX_HEADER_BYTES: Final = 64 * 1024
"""Bytes of a request's line and headers, and of the trailers behind a body."""

MAX_HEADERS: Final = 100
"""Headers of a request; proxies and browsers send some thirty."""


def file_bound(wanted: int) -> int:
    """Returns how many connections there may be: as wanted, and at most half of the files the process may open."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return wanted if soft == resource.RLIM_INFINITY else max(1, min(wanted, soft // 2))


def raise_file_limit() -> None:
    """Takes as many open files as the system lets this process have."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


class Phase(enum.Enum):
    """What the next byte of a connection belongs to."""

    BETWEEN = enum.auto()
    HEAD = enum.auto()
    BODY = enum.auto()


class Connection(HttpToolsProtocol):
    """One connection of a server.

    Attributes:
        max_connections: connections at once.
        header_timeout_s: seconds in which the headers of a request must come.
        waiting: connections of the same server that no request is under way on, the longest first.
    """

    max_connections: ClassVar[int]
    header_timeout_s: ClassVar[float]
    waiting: ClassVar[dict[Connection, None]]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._phase = Phase.BETWEEN
        # Since the last byte of a body: headers, trailers and sizes of chunks, which the parser keeps whole.
        self._head_bytes = 0
        self._timer: asyncio.TimerHandle | None = None
        self._stall: asyncio.TimerHandle | None = None

    # --- the event loop's side ---

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override] # as uvicorn
        """Takes a connection; closes another where there are too many."""
        super().connection_made(transport)
        if len(self.connections) > self.max_connections:
            oldest = next(iter(self.waiting), self)
            self.waiting.pop(oldest, None)
            oldest.transport.abort()
            if oldest is self:
                return
        self._wait(self.header_timeout_s)

    def data_received(self, data: bytes) -> None:
        """Takes bytes; the time for headers runs from their first byte on, not from the last."""
        self._head_bytes += len(data)
        super().data_received(data)
        if self.transport.is_closing():
            return
        if self._head_bytes > MAX_HEADER_BYTES:
            self.send_400_response("Request headers are too long.")
        elif not self._is_waiting():
            self._go_on()
        elif self not in self.waiting or self._timer is None:
            self._wait(self.header_timeout_s)

    def connection_lost(self, exc: Exception | None) -> None:
        """Forgets the connection."""
        self._stop_timer()
        self.resume_writing()
        self.waiting.pop(self, None)
        super().connection_lost(exc)

    def pause_writing(self) -> None:
        """Waits for a peer that does not read, for so long."""
        super().pause_writing()
        self._stall = self.loop.call_later(MAX_WRITE_STALL_S, self.transport.abort)

    def resume_writing(self) -> None:
        """Goes on writing."""
        if self._stall is not None:
            self._stall.cancel()
            self._stall = None
        super().resume_writing()

    def send_400_response(self, msg: str) -> None:
        """Refuses what is no HTTP, and closes; an answer that has begun ends there."""
        if self._is_answered() or not self.cycle.response_started:
            super().send_400_response(msg)
        else:
            self.transport.abort()

    # --- the parser's side ---

    def on_message_begin(self) -> None:
        """Begins a request."""
        self._phase = Phase.HEAD
        super().on_message_begin()

    def on_header(self, name: bytes, value: bytes) -> None:
        """Takes a header. Those behind a body are dropped: what a request may do was settled before it."""
        if self._phase is Phase.HEAD:
            super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """Starts the answer."""
        if len(self.url) + sum(len(n) + len(v) for n, v in self.headers) > MAX_HEADER_BYTES:
            raise ValueError("headers are too long")
        hosts = sum(name == b"host" for name, _ in self.headers)
        # What is refused by its host must have one, and the one that a proxy in front sees.
        if hosts > 1 or (hosts == 0 and self.parser.get_http_version() == "1.1"):
            raise ValueError("want one Host")
        self._phase = Phase.BODY
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """Takes a part of the body."""
        self._head_bytes = 0
        super().on_body(body)

    def on_message_complete(self) -> None:
        """Ends a request."""
        self._phase = Phase.BETWEEN
        self._head_bytes = 0
        super().on_message_complete()

    def on_response_complete(self) -> None:
        """Waits for the next request, or drops what is left of one that was refused."""
        super().on_response_complete()
        if self.transport.is_closing() or not self._is_answered():
            return
        if self._phase is Phase.BODY:
            self._start_timer(LINGER_S)
        else:
            # Uvicorn's own timer closes an idle connection; ours begins with the next byte.
            self._stop_timer()
            self.waiting.pop(self, None)
            self.waiting[self] = None

    def _is_waiting(self) -> bool:
        return self._is_answered() and self._phase is not Phase.BODY

    def _wait(self, seconds: float) -> None:
        self.waiting[self] = None
        self._start_timer(seconds)

    def _go_on(self) -> None:
        self.waiting.pop(self, None)
        if not self._is_answered():
            self._stop_timer()

    def _is_answered(self) -> bool:
        # There is no cycle before the first request.
        return getattr(self.cycle, "response_complete", True)

    def _start_timer(self, seconds: float) -> None:
        self._stop_timer()
        self._timer = self.loop.call_later(seconds, self.transport.abort)

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


def protocol_class(max_connections: int, header_timeout_s: float) -> type[Connection]:
    """Returns the protocol of one server's connections.

    Args:
        max_connections: at once. Beyond it the one that has waited longest for a request is closed, and where
            all are busy, the new one.
        header_timeout_s: seconds in which the headers of a request must come.
    """
    bounds = {
        "max_connections": max_connections,
        "header_timeout_s": header_timeout_s,
        "waiting": {},
    }
    return type("BoundConnection", (Connection,), bounds)


def is_local(host: str) -> bool:
    """Tells whether a host is this machine to all who connect."""
    return all(ipaddress.ip_address(address).is_loopback for address in _addresses(host))


def _addresses(host: str) -> Iterator[str]:
    for info in socket.getaddrinfo(host or "0.0.0.0", None, type=socket.SOCK_STREAM):  # noqa: S104 - what "" means
        yield str(info[4][0])


def listening(host: str, port: int) -> socket.socket:
    """Returns a socket that listens.

    Raises:
        OSError: where the port cannot be had.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # The protocol is named, since asyncio turns Nagle's delay off only where it sees TCP.
    made = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        made.bind((host, port))
    except OSError as error:
        made.close()
        raise OSError(
            f"cannot listen on {host}:{port}: {error.strerror}; choose another --port"
        ) from None
    made.listen(1024)
    return made
