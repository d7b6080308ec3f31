"""Threads that store what is sent: a number of their own, whatever else the server does."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, TypeVar

import anyio.to_thread
from anyio import CapacityLimiter

THREADS: Final = 40
"""Requests that are stored at once: most of them wait for one sync of the log, which they share."""

Outcome = TypeVar("Outcome")


class IngestThreads:
    """The threads of one server's ingest. What else works off the event loop takes none of them."""

    def __init__(self) -> None:
        self._limiter = CapacityLimiter(THREADS)

    async def run(self, work: Callable[[], Outcome]) -> Outcome:
        """Returns what work returns that one of the threads does; waits for a thread where all are taken."""
        return await anyio.to_thread.run_sync(work, limiter=self._limiter)
