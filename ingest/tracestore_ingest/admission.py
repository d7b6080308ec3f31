"""Backpressure: how many bytes of requests may be under way at once, of all callers and of one."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final, Self

MAX_BYTES_IN_FLIGHT: Final = 256 * 1024 * 1024
"""Four bodies of the largest size; each is held once as received and once shredded."""

ARRIVING_SHARE: Final = 0.5
"""Share of these bytes that the unfinished bodies of one caller may hold: slow senders leave room for others."""

RETRY_AFTER_SECONDS: Final = 2
"""What a client is told to wait: a flush of a memtable takes about this long."""


class Busy(Exception):  # noqa: N818 - a state, not a fault
    """A request that came while too much was under way; the client should wait and send it again."""


class Admission:
    """The count of bytes in flight. Thread-safe."""

    def __init__(self, max_bytes: int = MAX_BYTES_IN_FLIGHT) -> None:
        self._max_bytes = max_bytes
        self._max_arriving = int(max_bytes * ARRIVING_SHARE)
        self._bytes = 0
        self._arriving: dict[str, int] = {}
        self._lock = threading.Lock()

    @property
    def bytes_in_flight(self) -> int:
        """Returns the bytes of requests under way."""
        return self._bytes

    @contextmanager
    def hold(self, size: int) -> Iterator[None]:
        """Admits a request of a size, or raises Busy; an idle server admits any one request."""
        with self._lock:
            if self._bytes and self._bytes + size > self._max_bytes:
                raise Busy
            self._bytes += size
        try:
            yield
        finally:
            with self._lock:
                self._bytes -= size

    def arrival(self, caller: str) -> Arrival:
        """Returns what counts the body of one request of a caller as it arrives; to be closed."""
        return Arrival(self, caller)

    def admit(self, caller: str, size: int, before: int) -> None:
        """Counts bytes of a body that holds `before` bytes already; raises Busy where there is no room."""
        with self._lock:
            arriving = self._arriving.get(caller, 0)
            others = self._bytes - before
            if others and self._bytes + size > self._max_bytes:
                raise Busy
            if arriving > before and arriving + size > self._max_arriving:
                raise Busy
            self._bytes += size
            self._arriving[caller] = arriving + size

    def settle(self, caller: str, size: int) -> None:
        """Notes that a caller's body of a size is whole."""
        with self._lock:
            left = self._arriving.get(caller, 0) - size
            if left > 0:
                self._arriving[caller] = left
            else:
                self._arriving.pop(caller, None)

    def release(self, size: int) -> None:
        """Lets go of bytes that were admitted."""
        with self._lock:
            self._bytes -= size


class Arrival:
    """The bytes of one request, counted as they arrive; a context manager. One thread at a time.

    Attributes:
        size: bytes so far.
    """

    def __init__(self, admission: Admission, caller: str) -> None:
        self._admission = admission
        self._caller = caller
        self._complete = False
        self.size = 0

    def add(self, size: int) -> None:
        """Counts bytes before they are kept; raises Busy where there is no room for them."""
        self._admission.admit(self._caller, size, self.size)
        self.size += size

    def complete(self) -> None:
        """Notes that the body is whole: its sender has nothing left to be slow with."""
        if not self._complete:
            self._complete = True
            self._admission.settle(self._caller, self.size)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.complete()
        self._admission.release(self.size)
        self.size = 0
