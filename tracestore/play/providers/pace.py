"""The pace of one provider's calls: how many at once, how many a minute, and when it may be asked again."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Final

MINUTE_S: Final = 60.0


class Pace:
    """The turns of calls, on one event loop. `async with` waits for one and gives it back.

    Args:
        concurrency: calls at once.
        per_minute: calls that begin within a minute, None for no bound.
    """

    def __init__(self, concurrency: int, per_minute: int | None) -> None:
        self._places = asyncio.Semaphore(concurrency)
        self._per_minute = per_minute
        self._begun: deque[float] = deque()
        self._resume_s = 0.0

    async def __aenter__(self) -> None:
        await self._places.acquire()
        try:
            await self._until_due()
        except BaseException:
            self._places.release()
            raise

    async def __aexit__(self, *error: object) -> None:
        self._places.release()

    def pause(self, seconds: float) -> None:
        """Lets no call begin for some seconds, since the provider asks for that."""
        self._resume_s = max(self._resume_s, asyncio.get_running_loop().time() + seconds)

    async def again(self) -> None:
        """Waits until a call that has its turn may ask once more."""
        await self._until_due()

    async def _until_due(self) -> None:
        loop = asyncio.get_running_loop()
        while (wait_s := self._wait_s(loop.time())) > 0:  # noqa: ASYNC110 - the clock is waited for
            await asyncio.sleep(wait_s)
        if self._per_minute is not None:
            self._begun.append(loop.time())

    def _wait_s(self, now_s: float) -> float:
        wait_s = self._resume_s - now_s
        if self._per_minute is not None:
            while self._begun and self._begun[0] <= now_s - MINUTE_S:
                self._begun.popleft()
            if len(self._begun) >= self._per_minute:
                wait_s = max(wait_s, self._begun[0] + MINUTE_S - now_s)
        return wait_s
