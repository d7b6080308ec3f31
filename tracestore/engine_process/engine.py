"""The engine process itself: a store that follows the writer, and an application that answers requests over lanes."""

from __future__ import annotations

import asyncio
import functools
import json
import os
import socket
import threading
import time
from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import dataclass
from typing import Any, Final

import pyarrow.compute  # noqa: F401 - the fork server loads it once, for all engine processes

from tracestore.embedded import Store
from tracestore.engine_process import bounds
from tracestore.engine_process.lane import PART_BYTES, Frame, Lane, LaneBrokenError
from tracestore.engine_process.overdue import REQUEST, Work
from tracestore.engine_process.process import STOP
from tracestore.engine_process.state_channel import StateClient
from tracestore.engine_process.timed_query import TimedQuery
from tracestore.limits import OBJECT_CACHE_BYTES
from tracestore.store import Follower
from tracestore_query import Query

App = Callable[..., Awaitable[None]]
Message = MutableMapping[str, Any]

BEAT_S: Final = 0.25
"""Seconds between two signs of life. What is overdue is told with them."""

ENGINE_CACHE: Final = "cache/engine"
"""Copies of segments, below the store's folder: apart from those of the writer, since each has a bound and a list of
its own."""

OUT_OF_MEMORY: Final = 12
"""The status with which a process ends that has no memory to go on: ENOMEM."""

IDLE_S: Final = 5.0
"""Seconds between two looks at the writer's version, which let it remove files that nobody reads."""


@dataclass(frozen=True, slots=True)
class EngineSettings:
    """What an engine process is told at its start.

    Attributes:
        folder: the store's.
        catalog_url: of the catalog's database where it is not in the folder.
        segments_url: of the segments where they are not in the folder.
        query_memory: of all statements together, as the engine counts it.
        data_bytes: private memory of the process, as the operating system counts it.
        spill_folder: where statements write what does not fit into memory.
        spill_bytes: of it, all statements together; None for a share of what is free.
        cache_bytes: of copies of segments where these are in a bucket.
        retire_after_s: seconds from which on it ends where it has nearly all of its memory and nothing to do. A store
            whose index alone needs so much would have it end at once, again and again.
    """

    folder: str
    catalog_url: str | None
    segments_url: str | None
    query_memory: str
    data_bytes: int
    spill_folder: str
    spill_bytes: int | None
    cache_bytes: int = OBJECT_CACHE_BYTES
    retire_after_s: float = 60.0


def run(
    settings: EngineSettings,
    control: socket.socket,
    state: socket.socket,
    make_app: Callable[[Store, threading.Event], App],
) -> None:
    """Serves until the serving process goes."""
    bounds.apply(settings.data_bytes)
    client = StateClient(state)
    work = Work()
    store = EngineStore.open(
        settings.folder,
        "r",
        catalog_url=settings.catalog_url,
        segments_url=settings.segments_url,
        cache_folder=ENGINE_CACHE,
        object_cache_bytes=settings.cache_bytes,
        follows=True,
    )
    store.tell(settings, work)
    follower = store.follow(client.change, client.version)
    stopping = threading.Event()
    app = make_app(store, stopping)
    lanes = Lanes(app)
    retire_s = time.monotonic() + settings.retire_after_s
    beat = functools.partial(_beat, control, work, follower, lanes, retire_s)
    threading.Thread(target=beat, daemon=True).start()
    asyncio.run(_serve(control, lanes, store, stopping))


class EngineStore(Store):
    """A store that follows its writer, with statements that are watched."""

    def tell(self, settings: EngineSettings, work: Work) -> None:
        """Tells how much statements may take, and who watches them."""
        self._settings = settings
        self._work = work

    def _make_query(self) -> Query:
        settings = self._settings
        return TimedQuery(
            self,
            work=self._work,
            memory_limit=settings.query_memory,
            spill_bytes=settings.spill_bytes,
            spill_folder=settings.spill_folder,
        )


def _beat(
    control: socket.socket, work: Work, follower: Follower, lanes: Lanes, retire_s: float
) -> None:
    """Tells the serving process that this one is alive, and which requests do not end in time.

    Ends the process where it has nearly all of its memory and nothing to do: the next one begins with none.
    """
    beats = 0
    try:
        control.sendall(b'{"ready":true}\n')
        while True:
            time.sleep(BEAT_S)
            control.sendall(json.dumps({"overdue": work.overdue()}).encode() + b"\n")
            beats += 1
            if beats % int(IDLE_S / BEAT_S) == 0:
                follower.idle()
            idle = lanes.under_way == 0 and time.monotonic() > retire_s
            if idle and bounds.is_nearly_full():
                os._exit(0)
    except OSError:
        os._exit(0)  # the serving process is gone


async def _serve(
    control: socket.socket, lanes: Lanes, store: Store, stopping: threading.Event
) -> None:
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(_end_without_memory)
    ended = loop.create_future()

    def added() -> None:
        try:
            data, descriptors, _, _ = socket.recv_fds(control, 1, 1)
        except OSError:
            data, descriptors = b"", []
        if data == STOP:
            stopping.set()
        if not data:
            loop.remove_reader(control)
            ended.set_result(None)
        for descriptor in descriptors:
            lanes.add(socket.socket(fileno=descriptor))

    # The thread that beats writes to the same socket; what it writes is small.
    loop.add_reader(control, added)
    await ended
    store.close()
    os._exit(0)  # threads of statements under way would keep the interpreter


def _end_without_memory(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """Ends the process where the loop itself found no memory: which of its steps was left out, nobody knows."""
    if isinstance(context.get("exception"), MemoryError):
        os._exit(OUT_OF_MEMORY)
    loop.default_exception_handler(context)


class Lanes:
    """The lanes of the process, each served by a task.

    Attributes:
        under_way: requests that are being answered.
    """

    def __init__(self, app: App) -> None:
        self._app = app
        self._tasks: set[asyncio.Task[None]] = set()
        self.under_way = 0

    def add(self, connected: socket.socket) -> None:
        """Serves one more lane; on the event loop."""
        task = asyncio.get_running_loop().create_task(self._serve(connected))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _serve(self, connected: socket.socket) -> None:
        lane = await Lane.over(connected)
        try:
            while True:
                request = await lane.receive()
                self.under_way += 1
                try:
                    await _answer(lane, request, self._app)
                finally:
                    self.under_way -= 1
        except LaneBrokenError:
            return
        finally:
            # Also where the application fails amid an answer: its reader must not take it for whole.
            lane.close()


async def _answer(lane: Lane, request: Frame, app: App) -> None:
    """Runs the application for one request."""
    head: dict[str, Any] | None = None
    taken = False
    scope = _scope(request.head)

    async def receive() -> Message:
        nonlocal taken
        if not taken:
            taken = True
            return {"type": "http.request", "body": bytes(request.body), "more_body": False}
        await lane.wait_closed()
        return {"type": "http.disconnect"}

    async def send(message: Message) -> None:
        nonlocal head
        if message["type"] == "http.response.start":
            # Waits for the first part of the body, so that a short answer is one frame.
            head = {
                "status": message["status"],
                "route": getattr(scope.get("route"), "path", None),
                "headers": [
                    (name.decode("latin-1"), value.decode("latin-1"))
                    for name, value in message.get("headers", ())
                ],
            }
            return
        body, more = message.get("body", b""), bool(message.get("more_body", False))
        for start in range(0, max(len(body), 1), PART_BYTES):
            part = body if len(body) <= PART_BYTES else body[start : start + PART_BYTES]
            if not part and more:
                return
            last = not more and start + PART_BYTES >= len(body)
            await lane.send({**(head or {}), "more": not last}, part)
            head = None

    REQUEST.set(request.head["number"])
    await app(scope, receive, send)


def _scope(head: dict[str, Any]) -> dict[str, Any]:
    return {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": "1.1",
        "method": head["method"],
        "scheme": "http",
        "path": head["path"],
        "raw_path": head["path"].encode(),
        "root_path": "",
        "query_string": head["query"].encode("latin-1"),
        "headers": [
            (name.encode("latin-1"), value.encode("latin-1")) for name, value in head["headers"]
        ],
        "client": None,
        "server": None,
        "state": {
            "projects": None if head["projects"] is None else frozenset(head["projects"]),
            "request_id": head["request_id"],
        },
    }
