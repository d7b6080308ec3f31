"""What the routes of the API share: errors as problem documents, who may see what, bodies, streams."""

from __future__ import annotations

import itertools
from collections.abc import AsyncIterator, Iterator
from typing import Any, Final

from fastapi import Request
from fastapi.responses import JSONResponse, Response, StreamingResponse
from pydantic import BaseModel, Field
from starlette.concurrency import iterate_in_threadpool, run_in_threadpool

from tracestore.errors import (
    CodeError,
    DatasetError,
    DocumentConflictError,
    DocumentError,
    ExperimentError,
    LimitExceededError,
    NothingStoredError,
    OutboundRefusedError,
    PatchError,
    PathSyntaxError,
    PlayError,
    ProjectForbiddenError,
    ProviderError,
    QueryError,
    TemplateError,
    TraceStoreError,
    UnknownDatasetError,
    UnknownDocumentError,
    UnknownKeyError,
    UnknownProviderError,
    UnknownToolError,
)
from tracestore.limits import MAX_PAYLOAD_BYTES
from tracestore_query.answer.result import Result
from tracestore_query.errors import (
    QueryForbiddenError,
    QueryMemoryError,
    QueryTimeoutError,
)

PROBLEM_JSON: Final = "application/problem+json"

MAX_TIMEOUT_S: Final = 600.0
DEFAULT_TIMEOUT_S: Final = 60.0


class Problem(BaseModel):
    """An error (RFC 9457), with a hint where there is one."""

    type: str
    title: str
    status: int
    detail: str
    hint: str | None = None
    errors: list[dict[str, Any]] | None = Field(
        default=None, description="What is wrong with which part of a request."
    )


_STATUS: tuple[tuple[type[Exception], int], ...] = (
    (QueryForbiddenError, 403),
    (ProjectForbiddenError, 403),
    (QueryTimeoutError, 408),
    (QueryMemoryError, 422),
    (LimitExceededError, 413),
    (QueryError, 400),
    (UnknownDatasetError, 404),
    (UnknownDocumentError, 404),
    (UnknownKeyError, 404),
    (UnknownProviderError, 404),
    (UnknownToolError, 404),
    (ProviderError, 502),
    (PlayError, 400),
    (CodeError, 422),
    (OutboundRefusedError, 403),
    (TemplateError, 400),
    (DocumentConflictError, 409),
    (DocumentError, 400),
    (DatasetError, 400),
    (ExperimentError, 400),
    (PatchError, 400),
    (PathSyntaxError, 400),
    (NothingStoredError, 400),
    (TraceStoreError, 503),
)


def problem(error: Exception) -> JSONResponse:
    """Returns an error as problem+json."""
    status = next((status for kind, status in _STATUS if isinstance(error, kind)), 500)
    name = type(error).__name__
    detail, _, hint = str(error).partition("; ")
    body = Problem(
        type=f"urn:tracestore:{name}", title=name, status=status, detail=detail, hint=hint or None
    )
    return JSONResponse(body.model_dump(), status, media_type=PROBLEM_JSON)


_WORDS: Final = {
    400: "The request cannot be carried out as it is written.",
    403: "The request asks for what is not allowed.",
    404: "What is asked for is not there.",
    408: "The request took too long.",
    411: "The request does not say its length.",
    413: "The request is too large.",
    422: "The request is not what this document says, or needs too much memory.",
    503: "The store cannot take the request now.",
}

ERRORS: Final[dict[int | str, dict[str, Any]]] = {
    status: {
        "description": words,
        "content": {PROBLEM_JSON: {"schema": {"$ref": "#/components/schemas/Problem"}}},
    }
    for status, words in _WORDS.items()
}
"""Statuses that any route may answer with, for OpenAPI."""


def not_found(what: str) -> JSONResponse:
    """Returns the answer for something that is not there."""
    body = Problem(type="about:blank", title="Not Found", status=404, detail=what)
    return JSONResponse(body.model_dump(), 404, media_type=PROBLEM_JSON)


def not_now(detail: str) -> JSONResponse:
    """Returns the answer where there is no room now."""
    body = Problem(type="about:blank", title="Busy", status=503, detail=detail)
    return JSONResponse(body.model_dump(), 503, media_type=PROBLEM_JSON)


def projects_of(request: Request) -> frozenset[str] | None:
    """Returns the projects that the request's key is bound to, None for all."""
    projects: frozenset[str] | None = getattr(request.state, "projects", None)
    return projects


def narrowed(request: Request, project: str | None) -> frozenset[str] | None:
    """Returns the projects that a request reads: one of its choice, or all that its key is bound to.

    A project that the key may not see reads as one without rows, as it does in SQL.
    """
    bound = projects_of(request)
    if project is None:
        return bound
    return frozenset({project}) if bound is None or project in bound else frozenset()


async def bounded_body(request: Request) -> bytes:
    """Returns a request's body; raises LimitExceededError for one that is too large."""
    parts: list[bytes] = []
    size = 0
    async for part in request.stream():
        size += len(part)
        if size > MAX_PAYLOAD_BYTES:
            raise LimitExceededError(
                f"cannot read rows: more than {MAX_PAYLOAD_BYTES} bytes; send them in parts"
            )
        parts.append(part)
    return b"".join(parts)


GATHERED_BYTES: Final = 64 * 1024
"""Bytes of an answer that are made before any of it is sent: what fails until then is told by a status."""


async def answer_of(result: Result, parts: Iterator[bytes], media_type: str) -> Response:
    """Returns a result's bytes as an answer: whole where it is short, else as a stream.

    A short answer costs one change of threads, a stream one for each part.
    """
    try:
        first, ended = await run_in_threadpool(_gather, parts)
    except TraceStoreError as error:
        result.close()
        return problem(error)
    except BaseException:
        result.cancel()
        result.close()
        raise
    if ended:
        result.close()
        return Response(first, media_type=media_type)
    return StreamingResponse(
        streamed(result, itertools.chain([first], parts)), media_type=media_type
    )


def _gather(parts: Iterator[bytes]) -> tuple[bytes, bool]:
    """Returns the first parts joined, and whether there are no others."""
    gathered: list[bytes] = []
    size = 0
    for part in parts:
        gathered.append(part)
        size += len(part)
        # The first part may be no more than the names of columns.
        if size >= GATHERED_BYTES and len(gathered) > 1:
            return b"".join(gathered), False
    return b"".join(gathered), True


async def streamed(result: Result, parts: Iterator[bytes]) -> AsyncIterator[bytes]:
    """Yields a result's bytes; cancels the query when the client goes away."""
    finished = False
    try:
        async for part in iterate_in_threadpool(parts):
            yield part
        finished = True
    finally:
        if not finished:
            result.cancel()
        result.close()
