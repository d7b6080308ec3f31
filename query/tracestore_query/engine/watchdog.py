"""One thread that calls functions at their time unless they are called off: a thread a query would cost more."""

from __future__ import annotations

import heapq
import itertools
import threading
import time
from collections.abc import Callable


class Watchdog:
    """A thread that calls functions at their time. Thread-safe; it starts with the first and ends with `close`."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._numbers = itertools.count()
        self._due: list[tuple[float, int]] = []
        self._calls: dict[int, Callable[[], float | None]] = {}
        self._thread: threading.Thread | None = None
        self._closed = False

    def call_at(self, when_s: float, call: Callable[[], float | None]) -> int:
        """Calls a function at a time of the monotonic clock; returns what calls it off.

        The function returns after how many seconds it is called again, None for never.
        """
        with self._changed:
            number = next(self._numbers)
            self._calls[number] = call
            heapq.heappush(self._due, (when_s, number))
            if self._thread is None:
                self._thread = threading.Thread(
                    target=self._run, name="query-watchdog", daemon=True
                )
                self._thread.start()
            elif self._due[0][1] == number:
                self._changed.notify()
            return number

    def call_off(self, number: int) -> None:
        """Calls a function off; when this returns it has been called whole or will not be."""
        with self._changed:
            self._calls.pop(number, None)
            # Most queries end long before their time: what they leave is cleared in bulk.
            if len(self._due) > 64 and len(self._due) > 2 * len(self._calls):
                self._due = [each for each in self._due if each[1] in self._calls]
                heapq.heapify(self._due)

    def close(self) -> None:
        """Ends the thread; functions that are not due yet are not called."""
        with self._changed:
            self._closed = True
            self._changed.notify()
        if self._thread is not None:
            self._thread.join()

    def _run(self) -> None:
        with self._changed:
            while not self._closed:
                now = time.monotonic()
                while self._due and self._due[0][0] <= now:
                    _, number = heapq.heappop(self._due)
                    call = self._calls.get(number)
                    again_s = call() if call is not None else None
                    if again_s is None:
                        self._calls.pop(number, None)
                    else:
                        heapq.heappush(self._due, (now + again_s, number))
                self._changed.wait(self._due[0][0] - now if self._due else None)
