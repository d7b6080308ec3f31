"""The HTTP server: uvicorn, with what belongs to its event loop."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable

import uvicorn

from tracestore.engine_process.door import EngineDoor
from tracestore.errors import QueryError


class HttpServer(uvicorn.Server):
    """Uvicorn, with the engine's door closed on the event loop that it was used on.

    Args:
        config: uvicorn's own.
        door: the engine's door.
        close: closes what else was used on the loop.

    Attributes:
        door: the engine's door, None where statements run in this process.
    """

    def __init__(
        self,
        config: uvicorn.Config,
        door: EngineDoor | None,
        close: Callable[[], Awaitable[None]] | None = None,
    ) -> None:
        super().__init__(config)
        self.door = door
        self._close = close
        self._loop: asyncio.AbstractEventLoop | None = None

    def loop(self) -> asyncio.AbstractEventLoop:
        """Returns the event loop that requests are answered on.

        Raises:
            QueryError: where it does not run yet.
        """
        if self._loop is None:
            raise QueryError("cannot look: the server is starting")
        return self._loop

    @property
    def running_loop(self) -> asyncio.AbstractEventLoop | None:
        """Returns the event loop that requests are answered on, None where it does not run yet."""
        return self._loop

    async def serve(self, sockets: list[socket.socket] | None = None) -> None:
        """Serves until it is told to end."""
        self._loop = asyncio.get_running_loop()
        try:
            await super().serve(sockets)
        finally:
            if self._close is not None:
                await self._close()
            if self.door is not None:
                self.door.close()
