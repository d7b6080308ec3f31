"""The engine process itself: a store that follows the writer, and an application that answers requests over lanes."""

from __future__ import annotations

import asyncio
import json
import os
import socket
import threading
import time
from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import dataclass
from typing import Any, Final

from tracestore.embedded import Store
from tracestore.engine_process import bounds
from tracestore.engine_process.lane import PART_BYTES, Frame, Lane, LaneBrokenError
from tracestore.engine_process.overdue import REQUEST, Work
from tracestore.engine_process.process import STOP
from tracestore.engine_process.state_channel import StateClient
from tracestore.engine_process.timed_query import TimedQuery
from tracestore.store import Follower
from tracestore_query import Query

App = Callable[..., Awaitable[None]]
Message = MutableMapping[str, Any]

BEAT_S: Final = 0.25
"""Seconds between two signs of life. What is overdue is told with them."""

IDLE_S: Final = 5.0
"""Seconds between two looks at the writer's version, which let it remove files that nobody reads."""


@dataclass(frozen=True, slots=True)
class EngineSettings:
    """What an engine process is told at its start.

    Attributes:
        folder: the store's.
        query_memory: of all statements together, as the engine counts it.
        data_bytes: private memory of the process, as the operating system counts it.
        spill_folder: where statements write what does not fit into memory.
        spill_bytes: of it, all statements together; None for a share of what is free.
    """

    folder: str
    query_memory: str
    data_bytes: int
    spill_folder: str
    spill_bytes: int | None


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
    store = EngineStore.open(settings.folder, "r")
    store.tell(settings, work)
    follower = store.follow(client.change, client.version)
    stopping = threading.Event()
    app = make_app(store, stopping)
    threading.Thread(target=_beat, args=(control, work, follower), daemon=True).start()
    asyncio.run(_serve(control, app, store, stopping))


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


def _beat(control: socket.socket, work: Work, follower: Follower) -> None:
    """Tells the serving process that this one is alive, and which requests do not end in time."""
    beats = 0
    try:
        control.sendall(b'{"ready":true}\n')
        while True:
            time.sleep(BEAT_S)
            control.sendall(json.dumps({"overdue": work.overdue()}).encode() + b"\n")
            beats += 1
            if beats % int(IDLE_S / BEAT_S) == 0:
                follower.idle()
    except OSError:
        os._exit(0)  # the serving process is gone


async def _serve(control: socket.socket, app: App, store: Store, stopping: threading.Event) -> None:
    loop = asyncio.get_running_loop()
    lanes: set[asyncio.Task[None]] = set()
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
            task = loop.create_task(_serve_lane(socket.socket(fileno=descriptor), app))
            lanes.add(task)
            task.add_done_callback(lanes.discard)

    # The thread that beats writes to the same socket; what it writes is small.
    loop.add_reader(control, added)
    await ended
    store.close()
    os._exit(0)  # threads of statements under way would keep the interpreter


async def _serve_lane(connected: socket.socket, app: App) -> None:
    lane = await Lane.over(connected)
    try:
        while True:
            await _answer(lane, await lane.receive(), app)
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
