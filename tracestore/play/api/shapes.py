"""What the routes of Play share: parameters, statuses, events, and who asks."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Annotated, Any, Final

from fastapi import Path, Query, Request
from fastapi.responses import StreamingResponse
from pydantic import BaseModel, Field

from tracestore.play.prompts.body import LABEL, SLUG
from tracestore.play.providers.settings import NAME
from tracestore_query.api.answers import ERRORS
from tracestore_query.api.documents import CONFLICT

EVENTS: Final = "text/event-stream"

QUIET_S: Final = 10.0
"""Seconds without an event after which a comment is sent, so that nothing between takes the stream for dead."""

Slug = Annotated[str, Path(pattern=SLUG, description="The prompt.")]
Label = Annotated[str, Path(pattern=LABEL, description="The label.")]
ProviderName = Annotated[str, Path(pattern=NAME, description="The provider.")]
AsLabelled = Annotated[
    str | None, Query(pattern=LABEL, description="The version that a label stands at.")
]

CHANGES: Final[dict[int | str, dict[str, Any]]] = {**CONFLICT, **ERRORS}

ASKS: Final[dict[int | str, dict[str, Any]]] = {
    **ERRORS,
    502: {**ERRORS[400], "description": "The provider of the model refused, or did not answer."},
}
"""Statuses of a route that asks a model."""


class Values(BaseModel):
    """The values that a prompt's templates name."""

    input: Any = None
    expected: Any = None
    metadata: Any = None


class Usage(BaseModel):
    """The tokens of a run."""

    prompt_tokens: int
    completion_tokens: int
    tokens: int
    prompt_cached_tokens: int = 0
    prompt_cache_creation_tokens: int = 0
    completion_reasoning_tokens: int = 0


class Change(BaseModel):
    """A place at which two versions differ, and what stands there in each."""

    path: list[str | int]
    before: Any = None
    after: Any = None


class Gone(BaseModel):
    """What is gone, by its name."""

    name: str = Field(description="Its name.")


def event(name: str, data: Any) -> bytes:
    """Returns one server-sent event."""
    return f"event: {name}\ndata: {json.dumps(data, ensure_ascii=False)}\n\n".encode(
        "utf-8", "surrogatepass"
    )


def streamed(events: AsyncIterator[bytes]) -> StreamingResponse:
    """Returns events as an answer; a comment stands where there are none for long."""
    return StreamingResponse(
        _kept_alive(events),
        media_type=EVENTS,
        headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"},
    )


async def _kept_alive(events: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    waiting: asyncio.Task[bytes] | None = None
    try:
        while True:
            waiting = waiting or asyncio.ensure_future(anext(events))
            done, _ = await asyncio.wait({waiting}, timeout=QUIET_S)
            if not done:
                yield b": quiet\n\n"
                continue
            try:
                part = waiting.result()
            except StopAsyncIteration:
                return
            waiting = None
            yield part
    finally:
        if waiting is not None:
            waiting.cancel()
            await asyncio.gather(waiting, return_exceptions=True)
        close = getattr(events, "aclose", None)
        if close is not None:
            await close()


def is_admin(request: Request) -> bool:
    """Returns whether the caller may change what belongs to the server."""
    return bool(getattr(request.state, "key_is_admin", True))
