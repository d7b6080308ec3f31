"""A network between nodes and what they share: it can be slow, refuse everything, or answer as a bucket may."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator
from typing import Literal

Mode = Literal["through", "refused", "busy", "slow", "late", "late_read"]

SLOW_S = 0.3
"""Seconds that each part takes in a slow network."""

_NOTHING = b"\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
_BUSY = b"HTTP/1.1 503 Slow Down" + _NOTHING
_NOT_FOUND = b"HTTP/1.1 404 Not Found" + _NOTHING
_NO_SUCH_KEY_TEXT = (
    b'<?xml version="1.0" encoding="UTF-8"?>\n'
    b"<Error><Code>NoSuchKey</Code><Message>There is none.</Message></Error>"
)
_NO_SUCH_KEY = (
    b"HTTP/1.1 404 Not Found\r\nContent-Type: application/xml\r\n"
    + b"Content-Length: %d\r\n\r\n%s" % (len(_NO_SUCH_KEY_TEXT), _NO_SUCH_KEY_TEXT)
)


class Proxy:
    """A port that leads to another one.

    Attributes:
        port: where it listens.
        mode: `through`; `refused` closes every connection; `busy` answers 503 in HTTP; `slow` delays each part; `late`
            answers 404 to the first connection, and lets what comes then through; `late_read` answers 404 to the first
            GET, as a bucket does.
        answers_not_found: how often it answered 404.
        lost: answers that did not come back.
    """

    def __init__(self, target: int) -> None:
        self._target = target
        self._mode: Mode = "through"
        self._open: set[socket.socket] = set()
        self._lock = threading.Lock()
        self._changed = threading.Event()
        self._fatal: tuple[bytes, bytes] | None = None
        self._stays_away = False
        self.lost = 0
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.answers_not_found = 0
        self.port: int = self._listener.getsockname()[1]
        self._threads = [threading.Thread(target=self._accept, daemon=True)]
        self._threads[0].start()

    @property
    def mode(self) -> Mode:
        """Returns how the network is."""
        return self._mode

    @mode.setter
    def mode(self, mode: Mode) -> None:
        self._mode = mode
        if mode in ("refused", "busy", "late"):
            self._cut()

    def lose_answer(self, after: str, words: str, *, stays_away: bool) -> None:
        """Passes on the next request with some words, and ends its connection without the answer.

        Args:
            after: what an earlier request of the connection has.
            words: what the request has.
            stays_away: whether every connection is refused from then on.
        """
        self._fatal, self._stays_away = (after.encode(), words.encode()), stays_away

    def close(self) -> None:
        """Ends every connection and thread."""
        self._mode = "refused"
        self._changed.set()
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._cut()
        for thread in self._threads:
            thread.join()

    def _cut(self) -> None:
        with self._lock:
            ends = list(self._open)
        for end in ends:
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            thread = threading.Thread(target=self._serve, args=(client,), daemon=True)
            self._threads.append(thread)
            thread.start()

    def _serve(self, client: socket.socket) -> None:
        with client:
            if self._mode == "refused":
                return
            if self._mode in ("busy", "late"):
                answer = _BUSY
                if self._mode == "late":
                    self._mode, answer = "through", _NOT_FOUND
                    self.answers_not_found += 1
                with contextlib.suppress(OSError):
                    client.recv(65536)
                    client.sendall(answer)
                return
            try:
                server = socket.create_connection(("127.0.0.1", self._target))
            except OSError:
                return
            with server, self._known(client, server):
                back = threading.Thread(target=self._pump, args=(server, client), daemon=True)
                back.start()
                self._pump(client, server, is_request=True)
                back.join()

    @contextlib.contextmanager
    def _known(self, *ends: socket.socket) -> Iterator[None]:
        with self._lock:
            self._open.update(ends)
        try:
            yield
        finally:
            with self._lock:
                self._open.difference_update(ends)

    def _pump(
        self, source: socket.socket, target: socket.socket, *, is_request: bool = False
    ) -> None:
        is_after = False
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                if self._mode == "slow":
                    self._changed.wait(SLOW_S)
                if is_request and self._fatal is not None:
                    after, words = self._fatal
                    if is_after and words in data:
                        self._lose(source, target, data)
                        break
                    is_after = is_after or after in data
                if is_request and self._mode == "late_read" and data.startswith(b"GET "):
                    self._mode = "through"
                    self.answers_not_found += 1
                    source.sendall(_NO_SUCH_KEY)
                    continue
                target.sendall(data)
        for end in (source, target):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def _lose(self, client: socket.socket, server: socket.socket, data: bytes) -> None:
        """Passes on a request whose answer reaches nobody: the client's end is shut before it is sent."""
        self._fatal = None
        self.lost += 1
        if self._stays_away:
            self._mode = "refused"
        client.shutdown(socket.SHUT_RDWR)
        server.sendall(data)
        if self._stays_away:
            self._cut()
