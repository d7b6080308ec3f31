"""Time as the store sees it, so that tests can set it."""

from __future__ import annotations

import time


class Clock:
    """A source of wall time and of elapsed time. Wall time may jump either way; elapsed time does not."""

    def now_ns(self) -> int:
        """Returns nanoseconds since 1970."""
        return time.time_ns()

    def elapsed_s(self) -> float:
        """Returns seconds since an arbitrary moment, never going backwards."""
        return time.monotonic()
