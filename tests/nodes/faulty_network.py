"""A network between nodes and what they share: it can be slow, refuse everything, or answer as a bucket may."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator
from typing import Literal

Mode = Literal["through", "refused", "busy", "slow", "late"]

SLOW_S = 0.3
"""Seconds that each part takes in a slow network."""

_NOTHING = b"\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
_BUSY = b"HTTP/1.1 503 Slow Down" + _NOTHING
_NOT_FOUND = b"HTTP/1.1 404 Not Found" + _NOTHING


class Proxy:
    """A port that leads to another one.

    Attributes:
        port: where it listens.
        mode: `through`; `refused` closes every connection; `busy` answers 503 in HTTP; `slow` delays each part; `late`
            answers 404 to the first connection, and lets what comes then through.
        answers_not_found: how often it answered 404.
    """

    def __init__(self, target: int) -> None:
        self._target = target
        self._mode: Mode = "through"
        self._open: set[socket.socket] = set()
        self._lock = threading.Lock()
        self._changed = threading.Event()
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
                self._pump(client, server)
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

    def _pump(self, source: socket.socket, target: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                if self._mode == "slow":
                    self._changed.wait(SLOW_S)
                target.sendall(data)
        for end in (source, target):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
