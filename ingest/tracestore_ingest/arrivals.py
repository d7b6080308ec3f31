"""Calls over gRPC whose message has not come whole: each may take so long, and one sender may have so many."""

from __future__ import annotations

import itertools
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from tracestore_ingest.admission import Busy


class Arrivals:
    """The calls whose message is awaited; a thread ends those that take too long. Thread-safe; to be closed.

    Args:
        timeout_s: seconds in which a message must come whole.
        most_of_one: calls of one sender that wait at once.
    """

    def __init__(self, timeout_s: float, most_of_one: int) -> None:
        self._timeout_s = timeout_s
        self._most_of_one = most_of_one
        self._numbers = itertools.count()
        # In the order in which they are due: all have the same time.
        self._awaited: dict[int, tuple[float, Callable[[], object]]] = {}
        self._of_sender: Counter[str] = Counter()
        self._closed = False
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._watch, name="otlp-grpc-arrivals", daemon=True)
        self._thread.start()

    @contextmanager
    def awaited(self, sender: str, end: Callable[[], object]) -> Iterator[None]:
        """Waits for a message inside; raises Busy where a sender has too many that wait.

        Args:
            sender: who sends.
            end: ends the call from another thread, where its time is over.
        """
        number = next(self._numbers)
        with self._changed:
            if self._of_sender[sender] >= self._most_of_one:
                raise Busy
            self._of_sender[sender] += 1
            self._awaited[number] = (time.monotonic() + self._timeout_s, end)
            if len(self._awaited) == 1:
                self._changed.notify()
        try:
            yield
        finally:
            with self._changed:
                self._awaited.pop(number, None)
                self._of_sender[sender] -= 1
                if not self._of_sender[sender]:
                    del self._of_sender[sender]

    def close(self) -> None:
        """Ends the thread."""
        with self._changed:
            self._closed = True
            self._changed.notify()
        self._thread.join()

    def _watch(self) -> None:
        while True:
            with self._changed:
                if self._closed:
                    return
                number, (due_s, end) = next(iter(self._awaited.items()), (-1, (0.0, None)))
                if end is None:
                    self._changed.wait()
                    continue
                left_s = due_s - time.monotonic()
                if left_s > 0:
                    self._changed.wait(left_s)
                    continue
                del self._awaited[number]
            end()
