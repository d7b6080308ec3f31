"""Live arrival over HTTP: `/api/explore/tail`, as server-sent events."""

from __future__ import annotations

import asyncio
import functools
import json
import threading
from collections.abc import AsyncIterator
from typing import Annotated, Any, Final

from fastapi import APIRouter, Query, Request
from fastapi.responses import StreamingResponse
from starlette.concurrency import run_in_threadpool

from tracestore.errors import TraceStoreError
from tracestore.scopes import needs
from tracestore_query.api.answers import ERRORS, narrowed, not_now, problem
from tracestore_query.explore.live_tail import LOOK_S, LiveTail
from tracestore_query.explore.selection import MAX_CONDITION_CHARACTERS
from tracestore_query.query import Query as QueryLayer

MAX_WATCHERS: Final = 32
"""Streams at once: each asks a query several times a second."""

MAX_COLUMNS: Final = 32
"""Further columns of a stream."""

QUIET_LOOKS: Final = 40
"""Looks without a span after which a comment is sent, so that nothing between takes the stream for dead."""

EVENTS: Final = "text/event-stream"

_STREAM: Final = {
    "description": "Events `spans` (a JSON array, newest first), `dropped` (a count) and `problem`.",
    "content": {EVENTS: {}},
}


def tail_router(query: QueryLayer, stopping: threading.Event) -> APIRouter:
    """Returns the route of live arrival.

    Args:
        query: the door of SQL.
        stopping: is set when the server stops; every stream ends then.
    """
    router = APIRouter(prefix="/api/explore", tags=["explore"])
    places = threading.BoundedSemaphore(MAX_WATCHERS)

    @router.get("/tail", responses={200: _STREAM, **ERRORS})
    @needs("read")
    async def tail(
        request: Request,
        where: Annotated[str, Query(max_length=MAX_CONDITION_CHARACTERS)] = "",
        project: Annotated[
            str | None, Query(max_length=1024, description="Reads this project alone.")
        ] = None,
        column: Annotated[
            list[str] | None,
            Query(max_length=MAX_COLUMNS, description="Further columns, each `name=expression`."),
        ] = None,
    ) -> Any:
        """Sends matching spans as they come, at most a second after they were acknowledged."""
        run = functools.partial(query.sql, projects=narrowed(request, project))
        named = dict(_named(text) for text in column or ())
        try:
            watching = LiveTail(run, where, named)
        except TraceStoreError as error:
            return problem(error)
        if not places.acquire(blocking=False):
            return not_now(f"{MAX_WATCHERS} pages watch already; close one")
        return StreamingResponse(
            _events(watching, stopping, places),
            media_type=EVENTS,
            headers={"Cache-Control": "no-store"},
        )

    return router


def _named(text: str) -> tuple[str, str]:
    name, equals, expression = text.partition("=")
    return (name, expression) if equals else (text, text)


async def _events(
    watching: LiveTail, stopping: threading.Event, places: threading.BoundedSemaphore
) -> AsyncIterator[bytes]:
    quiet = 0
    try:
        yield b": watching\n\n"
        while not stopping.is_set():
            spans, left_out = await run_in_threadpool(watching.look)
            quiet = 0 if spans else quiet + 1
            if spans:
                yield _event("spans", json.dumps(spans, default=str))
            if left_out:
                yield _event("dropped", str(left_out))
            if quiet >= QUIET_LOOKS:
                quiet = 0
                yield b": quiet\n\n"
            await asyncio.sleep(LOOK_S)
    except TraceStoreError as error:
        yield _event("problem", json.dumps({"detail": str(error)}))
    finally:
        places.release()


def _event(name: str, data: str) -> bytes:
    return f"event: {name}\ndata: {data}\n\n".encode()
