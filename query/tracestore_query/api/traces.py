"""Traces over HTTP: a skeleton of a trace's spans first, payloads of one span or of all on demand."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Annotated, Any, Final

from fastapi import APIRouter, Path, Query, Request
from fastapi.responses import Response, StreamingResponse
from starlette.concurrency import run_in_threadpool

from tracestore.errors import TraceStoreError
from tracestore.scopes import needs
from tracestore_query.answer.json_texts import json_lines
from tracestore_query.answer.result import Result
from tracestore_query.api.answers import ERRORS, not_found, problem, projects_of, streamed
from tracestore_query.query import Query as QueryLayer

MAX_TRACE_SPANS: Final = 100_000
"""Spans of one trace that are given, the earliest first; a person reads none of the others."""

WHOLE: Final = "SELECT * FROM spans WHERE trace_id = $id ORDER BY start_ns LIMIT $most"
SKELETON: Final = """
    SELECT span_id, parent_span_id, name, kind, type, service, start_time, start_ns, duration_ns,
           status_code, status_message
    FROM spans WHERE trace_id = $id ORDER BY start_ns LIMIT $most"""
ONE: Final = "SELECT * FROM spans WHERE trace_id = $id AND span_id = $span LIMIT 1"

TraceId = Annotated[str, Path(pattern="^[0-9a-fA-F]{32}$", description="32 hex digits.")]
SpanId = Annotated[str, Path(pattern="^[0-9a-fA-F]{16}$", description="16 hex digits.")]


def traces_router(query: QueryLayer) -> APIRouter:
    """Returns the routes of traces over a store."""
    router = APIRouter(prefix="/api/traces", tags=["traces"])

    @router.get("/{trace_id}", responses=ERRORS)
    @needs("read")
    async def trace(
        request: Request,
        trace_id: TraceId,
        payloads: Annotated[
            bool, Query(description="Whether attributes and payloads are wanted.")
        ] = False,
    ) -> Any:
        """Gives a trace's spans in order of time: a skeleton, or whole with `payloads`."""
        named = {"id": trace_id.lower(), "most": MAX_TRACE_SPANS}
        sql = WHOLE if payloads else SKELETON
        try:
            result = await run_in_threadpool(query.sql, sql, named, projects=projects_of(request))
            parts = _document(trace_id.lower(), result)
            first = await run_in_threadpool(next, parts, None)
        except TraceStoreError as error:
            return problem(error)
        if first is None:
            return not_found(f"no trace {trace_id}")
        return StreamingResponse(
            streamed(result, _again(first, parts)), media_type="application/json"
        )

    @router.get("/{trace_id}/spans/{span_id}", responses=ERRORS)
    @needs("read")
    async def span(request: Request, trace_id: TraceId, span_id: SpanId) -> Any:
        """Gives one span whole."""
        named = {"id": trace_id.lower(), "span": span_id.lower()}
        try:
            result = await run_in_threadpool(query.sql, ONE, named, projects=projects_of(request))
            lines = await run_in_threadpool(lambda: b"".join(_lines(result)))
        except TraceStoreError as error:
            return problem(error)
        if not lines:
            return not_found(f"no span {span_id} in trace {trace_id}")
        return Response(lines.rstrip(b"\n"), media_type="application/json")

    return router


def _lines(result: Result) -> Iterator[bytes]:
    """Yields an answer's rows as JSON objects, a line each."""
    for batch in result:
        if batch.num_rows:
            yield json_lines(batch, result.schema.names, result.types)


def _document(trace_id: str, result: Result) -> Iterator[bytes]:
    """Yields `{"trace_id": …, "spans": […]}`, or nothing where there is no span."""
    before = b'{"trace_id":' + json.dumps(trace_id).encode() + b',"spans":['
    with result:
        for lines in _lines(result):
            yield before + lines.rstrip(b"\n").replace(b"\n", b",")
            before = b","
    if before == b",":
        yield b'],"warnings":' + json.dumps(result.warnings).encode() + b"}"


def _again(first: bytes, rest: Iterator[bytes]) -> Iterator[bytes]:
    yield first
    yield from rest
