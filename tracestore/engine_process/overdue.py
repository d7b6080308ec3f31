"""Which requests work on after their time: an engine that does not stop when it is asked cannot be stopped at all."""

from __future__ import annotations

import contextlib
import contextvars
import itertools
import threading
import time
from collections.abc import Iterator
from typing import Final

GRACE_S: Final = 2.0
"""Seconds that a statement has to stop after its time is over."""

REQUEST: Final[contextvars.ContextVar[int]] = contextvars.ContextVar("request", default=0)
"""The number of the request that is answered; threads that work for it inherit it."""


class Work:
    """The work under way, each with the time by which it must have stopped. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._numbers = itertools.count()
        self._due: dict[int, tuple[int, float]] = {}

    @contextlib.contextmanager
    def until(self, deadline_s: float) -> Iterator[None]:
        """Notes work of the current request that must stop by a time of the monotonic clock."""
        number = next(self._numbers)
        with self._lock:
            self._due[number] = (REQUEST.get(), deadline_s + GRACE_S)
        try:
            yield
        finally:
            with self._lock:
                del self._due[number]

    def overdue(self) -> list[int]:
        """Returns the requests that work on though their time and the grace are over."""
        now = time.monotonic()
        with self._lock:
            return sorted({request for request, due_s in self._due.values() if due_s < now})
