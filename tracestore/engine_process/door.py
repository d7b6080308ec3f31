"""The door to the engine process: an ASGI application that has a request answered there."""

from __future__ import annotations

import asyncio
import hashlib
import itertools
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from tracestore.engine_process.lane import Frame, Lane, LaneBrokenError
from tracestore.engine_process.process import EngineProcess
from tracestore.engine_process.supervisor import EngineUnavailableError, Supervisor
from tracestore.engine_process.turns import NoTurnError, Turns

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

RETRY_AFTER_S: Final = 1
"""What a client is told to wait: a process is there again in less."""

MAX_SUSPECTS: Final = 1000
SUSPECT_S: Final = 600.0
"""Requests that ended the engine are remembered, and for how long."""

MAX_CRASHES: Final = 2
"""Ends of the process at which a request may be the only one; after them it is not run again."""

MAX_ATTEMPTS: Final = 2
"""Times that a request is run where its process ends: it reads alone, so that running it again changes nothing."""

_FORWARDED: Final = frozenset({b"accept", b"content-type", b"accept-encoding", b"if-none-match"})
"""Headers that routes of the engine look at; keys stay in the serving process."""


class EngineDoor:
    """An application that answers in the engine process.

    Args:
        supervisor: keeps the process.
        turns: for statements.
        streams: for answers that are read over a long time, by the beginning of their path.
    """

    def __init__(self, supervisor: Supervisor, turns: Turns, streams: dict[str, Turns]) -> None:
        self._supervisor = supervisor
        self._turns = turns
        self._streams = streams
        self._numbers = itertools.count(1)
        self._suspects: OrderedDict[bytes, list[float]] = OrderedDict()

    def gauges(self) -> dict[str, tuple[str, Callable[[], float]]]:
        """Returns what is measured of the engine process, by name: what it is, and what gives it."""
        supervisor, turns = self._supervisor, self._turns
        return {
            "tracestore_engine_restarts": (
                "Engine processes started in place of one that ended.",
                lambda: supervisor.restarts,
            ),
            "tracestore_engine_killed": (
                "Engine processes ended because they did not stop.",
                lambda: supervisor.killed,
            ),
            "tracestore_engine_up": (
                "Whether an engine process answers.",
                lambda: supervisor.pid is not None,
            ),
            "tracestore_queries_running": ("Statements that run.", lambda: turns.active),
            "tracestore_queries_queued": ("Statements that wait.", lambda: turns.queued),
        }

    def close(self) -> None:
        """Closes what no request uses; on the event loop, after the last request."""
        self._supervisor.close_lanes()

    async def __call__(self, scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        """Answers one request."""
        request = Request(scope, receive)
        body = await request.body()
        state = scope.get("state", {})
        caller = state.get("caller", "")
        turns = next(
            (each for path, each in self._streams.items() if scope["path"].startswith(path)),
            self._turns,
        )
        try:
            async with turns.turn(caller):
                await self._answer(scope, body, receive, send)
        except NoTurnError:
            refusal = _busy("too many statements run and wait already; ask again")
            await refusal(scope, receive, send)

    async def _answer(
        self, scope: MutableMapping[str, Any], body: bytes, receive: Receive, send: Send
    ) -> None:
        name = _name_of(scope, body)
        if self._is_suspect(name):
            refusal = _failed(
                "it was all that the engine did each time it ended; it is not run again for ten minutes"
            )
            await refusal(scope, receive, send)
            return
        started = False

        async def sending(message: Message) -> None:
            nonlocal started
            started = True
            await send(message)

        refused = None
        for _ in range(MAX_ATTEMPTS):
            try:
                process = await self._supervisor.ready()
            except EngineUnavailableError:
                refused = _busy("the engine is being started; ask again")
                break
            number = next(self._numbers)
            process.under_way.add(number)
            try:
                await self._forward(process, number, scope, body, receive, sending)
            except LaneBrokenError:
                if started:
                    # The peer must not take what it has for the whole answer: the connection ends without an end.
                    raise
                # Its end may not have been noticed yet, and no other request shall be given to it.
                process.ended = True
                refused = self._why(process, number, name)
                if number in process.overdue:
                    break
            else:
                return
            finally:
                process.under_way.discard(number)
        if refused is not None:
            await refused(scope, receive, send)

    async def _forward(
        self,
        process: EngineProcess,
        number: int,
        scope: MutableMapping[str, Any],
        body: bytes,
        receive: Receive,
        send: Send,
    ) -> None:
        lane = await process.lane()
        left = asyncio.ensure_future(_watch(receive, lane))
        whole = False
        try:
            await lane.send(_head(scope, number), body)
            whole = await _pass_on(lane, scope, send)
        except LaneBrokenError:
            if not left.done():
                raise
            # The client has gone away: its statement is stopped by the end of the lane.
        finally:
            left.cancel()
            if whole:
                process.give_back(lane)
            else:
                lane.close()

    def _why(self, process: EngineProcess, number: int, name: bytes) -> Response:
        """Returns the answer of a request whose process has ended."""
        if process.victims is None:
            process.victims = frozenset(process.under_way)
        if number in process.overdue:
            return _problem(
                408,
                "QueryTimeoutError",
                "cannot finish query: it ran longer than its time and did not stop; add a time range "
                "(start_time >= ...) or raise timeout_s",
            )
        if process.victims != {number} or process.overdue:
            return _busy("the engine ended while it answered; ask again")
        self._suspects.setdefault(name, []).append(time.monotonic())
        while len(self._suspects) > MAX_SUSPECTS:
            self._suspects.popitem(last=False)
        return _failed("the engine ended over it")

    def _is_suspect(self, name: bytes) -> bool:
        since = time.monotonic() - SUSPECT_S
        crashes = [when for when in self._suspects.get(name, ()) if when > since]
        if not crashes:
            self._suspects.pop(name, None)
        return len(crashes) >= MAX_CRASHES


async def _watch(receive: Receive, lane: Lane) -> None:
    """Closes the lane when the client goes away."""
    while (await receive())["type"] != "http.disconnect":
        pass
    lane.close()


async def _pass_on(lane: Lane, scope: MutableMapping[str, Any], send: Send) -> bool:
    """Sends an answer on as it comes, and notes which route has made it; returns True at its end."""
    while True:
        frame = await lane.receive()
        if "status" in frame.head:
            scope["engine_route"] = frame.head.get("route")
            await send(_start(frame))
        more = frame.head.get("more") is True
        await send({"type": "http.response.body", "body": frame.body, "more_body": more})
        if not more:
            return True


def _start(frame: Frame) -> Message:
    """Returns the start of an answer; the engine is not trusted to have made a right one."""
    status, headers = frame.head["status"], frame.head.get("headers", [])
    if not isinstance(status, int) or not 200 <= status <= 599 or not isinstance(headers, list):
        raise LaneBrokenError("cannot pass an answer on: it has no status")
    return {
        "type": "http.response.start",
        "status": status,
        "headers": [
            (str(name).encode("latin-1"), str(value).encode("latin-1")) for name, value in headers
        ],
    }


def _head(scope: MutableMapping[str, Any], number: int) -> dict[str, Any]:
    state = scope.get("state", {})
    projects = state.get("projects")
    return {
        "number": number,
        "method": scope["method"],
        "path": scope["path"],
        "query": scope["query_string"].decode("latin-1"),
        "headers": [
            (name.decode("latin-1"), value.decode("latin-1"))
            for name, value in scope["headers"]
            if name in _FORWARDED
        ],
        "projects": None if projects is None else sorted(projects),
        "request_id": state.get("request_id", ""),
    }


def _name_of(scope: MutableMapping[str, Any], body: bytes) -> bytes:
    """Returns what tells a request from others; its parts have their lengths before them."""
    digest = hashlib.blake2b(digest_size=16)
    for part in (scope["path"].encode(), scope["query_string"], body):
        digest.update(len(part).to_bytes(8, "little") + part)
    return digest.digest()


def _busy(detail: str) -> Response:
    return _problem(503, "Busy", detail, {"Retry-After": str(RETRY_AFTER_S)})


def _failed(detail: str) -> Response:
    return _problem(422, "QueryFailedError", f"cannot run query: {detail}")


def _problem(
    status: int, title: str, detail: str, headers: dict[str, str] | None = None
) -> Response:
    text, _, hint = detail.partition("; ")
    body = {
        "type": f"urn:tracestore:{title}",
        "title": title,
        "status": status,
        "detail": text,
        "hint": hint or None,
    }
    return JSONResponse(body, status, headers, media_type="application/problem+json")
