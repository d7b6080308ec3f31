"""The API of this process, asked from threads that are not its event loop: an answer comes part by part."""

from __future__ import annotations

import asyncio
import concurrent.futures
import json
import queue
from collections.abc import Awaitable, Callable, Iterator, Mapping, MutableMapping
from typing import Any, Final, Self

from tracestore.errors import TraceStoreError

ROOM: Final = 4
"""Parts of an answer that wait for their reader; then the one who writes them waits."""

Message = MutableMapping[str, Any]
App = Callable[
    [Message, Callable[[], Awaitable[Message]], Callable[[Message], Awaitable[None]]],
    Awaitable[None],
]


class RefusedError(TraceStoreError):
    """A request that the API has refused.

    Attributes:
        status: of HTTP.
        kind: the name of the error's type.
    """

    def __init__(self, status: int, body: bytes) -> None:
        try:
            problem = json.loads(body)
        except ValueError:
            problem = {}
        detail = str(problem.get("detail") or f"the server answered {status}")
        hint = problem.get("hint")
        super().__init__(f"{detail}; {hint}" if hint else detail)
        self.status = status
        self.kind = str(problem.get("title", ""))


class BrokenError(TraceStoreError):
    """An answer that ended before its end."""


class Answer:
    """One answer under way; iterating gives its body once. A context manager: leaving it ends the request.

    Args:
        app: answers.
        loop: the event loop that it answers on.
        path: of the route, which is asked by POST.
        body: the request's.
        headers: the caller's; the API asks for their key.
        client: the caller's address.
    """

    def __init__(
        self,
        app: App,
        loop: asyncio.AbstractEventLoop,
        path: str,
        body: Mapping[str, Any],
        headers: Mapping[str, str],
        client: str,
    ) -> None:
        self._app = app
        self._loop = loop
        sent = json.dumps(body).encode()
        self._scope = _scope(path, headers, client, len(sent))
        self._given = [sent]
        self._parts: queue.SimpleQueue[Message | None] = queue.SimpleQueue()
        self._room = asyncio.Semaphore(ROOM)
        self._left = asyncio.Event()
        self._ended = False
        self._work: concurrent.futures.Future[None] = asyncio.run_coroutine_threadsafe(
            self._run(), loop
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def close(self) -> None:
        """Ends the request as a client does that goes away; from any thread, and as often as one likes."""
        self._loop.call_soon_threadsafe(self._leave)

    def _leave(self) -> None:
        self._left.set()
        for _ in range(ROOM):
            self._room.release()

    def __iter__(self) -> Iterator[bytes]:
        """Yields the body.

        Raises:
            RefusedError: where the API has refused the request.
            BrokenError: where the answer ends before its end.
        """
        start = self._next()
        status = start["status"] if start is not None else 500
        parts = self._body()
        if status != 200:
            raise RefusedError(status, b"".join(parts))
        yield from parts

    def _body(self) -> Iterator[bytes]:
        more = True
        while more:
            message = self._next()
            if message is None:
                raise BrokenError("cannot go on: the answer has ended before its end; ask again")
            more = message.get("more_body", False)
            if message.get("body"):
                yield message["body"]

    def _next(self) -> Message | None:
        if self._ended:
            return None
        message = self._parts.get()
        self._ended = message is None
        self._loop.call_soon_threadsafe(self._room.release)
        return message

    async def _run(self) -> None:
        try:
            await self._app(self._scope, self._receive, self._send)
        finally:
            self._parts.put(None)

    async def _receive(self) -> Message:
        if self._given:
            return {"type": "http.request", "body": self._given.pop(), "more_body": False}
        await self._left.wait()
        return {"type": "http.disconnect"}

    async def _send(self, message: Message) -> None:
        if not self._left.is_set():
            await self._room.acquire()
        # As a server does whose client has gone away: who writes hears of it by receiving.
        if not self._left.is_set():
            self._parts.put(message)


def _scope(path: str, headers: Mapping[str, str], client: str, size: int) -> Message:
    kept = [(name, headers[name]) for name in ("authorization", "x-api-key") if name in headers]
    sent = [
        *kept,
        ("host", "localhost"),
        ("content-length", str(size)),
        ("content-type", "application/json"),
        ("accept", "application/vnd.apache.arrow.stream"),
    ]
    return {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": "POST",
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "root_path": "",
        "query_string": b"",
        "headers": [(name.encode("latin-1"), value.encode("latin-1")) for name, value in sent],
        "client": (client, 0),
        "server": None,
        "state": {},
    }
