"""Turns: how many statements run at once, how many wait, and in which order. Fair between callers."""

from __future__ import annotations

import asyncio
from collections import Counter, OrderedDict, deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

MAX_WAIT_S: Final = 10.0
"""Seconds that a statement waits for its turn: who asked is told to ask again while it still listens."""


class NoTurnError(Exception):
    """The refusal of a statement: too many wait already, or it has waited for long enough."""


class Turns:
    """Turns of one kind. Used from one event loop.

    Args:
        running: statements that run at once.
        waiting: statements that wait at most, of all callers.

    A caller may run at most three quarters of them at once and fill at most half of the places to wait, so that
    another finds room. Those who wait are served one caller after the other.
    """

    def __init__(self, running: int, waiting: int) -> None:
        self._running = running
        self._waiting = waiting
        self._share = max(1, running - running // 4)
        self._waiting_share = max(1, waiting // 2)
        self._active: Counter[str] = Counter()
        self._queues: OrderedDict[str, deque[asyncio.Future[None]]] = OrderedDict()

    @property
    def active(self) -> int:
        """Returns how many run."""
        return self._active.total()

    @property
    def queued(self) -> int:
        """Returns how many wait."""
        return sum(len(queue) for queue in self._queues.values())

    @asynccontextmanager
    async def turn(self, caller: str) -> AsyncIterator[None]:
        """Waits for a caller's turn and keeps it; raises NoTurnError where too many wait."""
        if self._may_run(caller) and caller not in self._queues:
            self._active[caller] += 1
        else:
            await self._wait(caller)
        try:
            yield
        finally:
            self._end(caller)

    def _may_run(self, caller: str) -> bool:
        return self.active < self._running and self._active[caller] < self._share

    async def _wait(self, caller: str) -> None:
        queue = self._queues.get(caller, deque())
        if self.queued >= self._waiting or len(queue) >= self._waiting_share:
            raise NoTurnError
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        queue.append(turn)
        self._queues[caller] = queue
        try:
            async with asyncio.timeout(MAX_WAIT_S):
                await turn
        except (asyncio.CancelledError, TimeoutError) as error:
            if turn.done() and not turn.cancelled():
                self._end(caller)
            else:
                self._leave(caller, turn)
            raise (NoTurnError if isinstance(error, TimeoutError) else error) from None

    def _leave(self, caller: str, turn: asyncio.Future[None]) -> None:
        queue = self._queues.get(caller)
        if queue is not None and turn in queue:
            queue.remove(turn)
            if not queue:
                del self._queues[caller]

    def _end(self, caller: str) -> None:
        self._active[caller] -= 1
        if not self._active[caller]:
            del self._active[caller]
        self._call_next()

    def _call_next(self) -> None:
        """Gives free turns away: to the caller that has not been served for the longest time first."""
        for caller in list(self._queues):
            if self.active >= self._running:
                return
            queue = self._queues[caller]
            if not self._may_run(caller):
                continue
            turn = queue.popleft()
            self._queues.move_to_end(caller)
            if not queue:
                del self._queues[caller]
            if not turn.done():
                self._active[caller] += 1
                turn.set_result(None)
