"""Who looks at a play: each gets what happens, and the whole again where it is too slow."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from typing import Any, Final

from tracestore.store import Document

MAX_WAITING: Final = 2000
"""Events that wait for one viewer; beyond them it gets the whole state instead."""

Happened = tuple[str, Any]
"""The name of an event, and what it says."""

_END: Final[Happened] = ("", None)


class Viewers:
    """The viewers of one play, on one event loop.

    Attributes:
        sequence: the number of the last event.
    """

    def __init__(self) -> None:
        self._queues: set[asyncio.Queue[Happened]] = set()
        self._slow: set[asyncio.Queue[Happened]] = set()
        self._ended = False
        self.sequence = 0

    def __bool__(self) -> bool:
        """Returns whether somebody looks."""
        return bool(self._queues)

    def publish(self, name: str, data: Any) -> None:
        """Tells every viewer of an event."""
        self.sequence += 1
        for waiting in self._queues:
            if waiting in self._slow:
                continue
            try:
                waiting.put_nowait((name, data))
            except asyncio.QueueFull:
                self._slow.add(waiting)

    def publish_edits(
        self,
        document: Document,
        edits: Sequence[Mapping[str, Any]],
        author: str | None,
        client: str | None,
    ) -> int:
        """Tells every viewer of edits that made a version of the play; returns the event's number.

        Args:
            document: the version.
            edits: those that were not ignored.
            author: whose they are.
            client: what the author calls the window that they come from.
        """
        told = {
            "sequence": self.sequence + 1,
            "version": document.version,
            "edits": edits,
            "name": document.name,
            "author": author,
            "client": client,
        }
        self.publish("edit", told)
        return self.sequence

    def end(self) -> None:
        """Ends every stream, after the events that wait for its viewer."""
        self._ended = True
        for waiting in self._queues:
            while waiting.full():
                waiting.get_nowait()
            waiting.put_nowait(_END)

    async def watched(self, state: Callable[[], Awaitable[Any]]) -> AsyncGenerator[Happened]:
        """Yields the state, then events as they come; the state again where there were too many.

        Args:
            state: gives the state of now; events that come while it is asked come after it.
        """
        own: asyncio.Queue[Happened] = asyncio.Queue(MAX_WAITING)
        self._queues.add(own)
        try:
            yield "state", await state()
            while not (self._ended and own.empty()):
                if own in self._slow and own.empty():
                    self._slow.discard(own)
                    yield "state", await state()
                    continue
                happened = await own.get()
                if happened is _END:
                    return
                yield happened
        finally:
            self._queues.discard(own)
            self._slow.discard(own)
