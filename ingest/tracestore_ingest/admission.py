"""Backpressure: how many bytes of requests may be under way at once."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

MAX_BYTES_IN_FLIGHT: Final = 256 * 1024 * 1024
"""Four bodies of the largest size; each is held once as received and once shredded."""

RETRY_AFTER_SECONDS: Final = 2
"""What a client is told to wait: a flush of a memtable takes about this long."""


class Busy(Exception):  # noqa: N818 - a state, not a fault
    """Says that too much is under way; the client should wait and send again."""


class Admission:
    """Counts bytes in flight. Thread-safe."""

    def __init__(self, max_bytes: int = MAX_BYTES_IN_FLIGHT) -> None:
        self._max_bytes = max_bytes
        self._bytes = 0
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
