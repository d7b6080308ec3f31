"""Bulk export over HTTP: `/api/export` streams an answer as Arrow, and with every batch how to go on after it."""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import Any, Final

import pyarrow as pa
from fastapi import APIRouter, Request
from fastapi.responses import StreamingResponse
from pydantic import BaseModel, ConfigDict, Field
from starlette.concurrency import run_in_threadpool

from tracestore.errors import TraceStoreError
from tracestore.scopes import needs
from tracestore_query.answer import formats
from tracestore_query.answer.result import Result
from tracestore_query.api.answers import ERRORS, answer_of, problem, projects_of
from tracestore_query.query import Query

MAX_TIMEOUT_S: Final = 24 * 3600.0
"""Seconds of work, waiting for a slow reader not counted: an export may take a day and no more."""


class ExportBody(BaseModel):
    """The body of a request to `/api/export`."""

    model_config = ConfigDict(extra="forbid")

    sql: str = Field(min_length=1, max_length=1_000_000, description="One SELECT statement.")
    params: dict[str, Any] | list[Any] | None = None
    cursor: str | None = Field(
        default=None,
        description="Asks for a cursor with every batch, the query having an ORDER BY: empty to begin with, "
        "later that of the last batch received.",
    )
    timeout_s: float = Field(default=3600.0, gt=0, le=MAX_TIMEOUT_S, allow_inf_nan=False)


def export_router(query: Query) -> APIRouter:
    """Returns the route of bulk export over a store."""
    router = APIRouter(prefix="/api", tags=["query"])

    found: dict[int | str, dict[str, Any]] = {
        200: {
            "content": {formats.ARROW: {"schema": {"type": "string", "format": "binary"}}},
            "description": "An Arrow IPC stream.",
        },
        **ERRORS,
    }

    @router.post("/export", responses=found, response_class=StreamingResponse)
    @needs("read")
    async def export(request: Request, body: ExportBody) -> Any:
        """Streams an answer as Arrow IPC.

        Each batch's metadata has a `cursor` where one was asked for; the last batch is empty and its
        metadata has the number of all `rows`: a stream without it was cut off.
        """
        try:
            result = await run_in_threadpool(
                query.sql,
                body.sql,
                body.params,
                projects=projects_of(request),
                timeout_s=body.timeout_s,
                cursor=body.cursor,
                is_whole=True,
            )
        except TraceStoreError as error:
            return problem(error)
        return await answer_of(result, _parts(result), formats.ARROW)

    return router


def _parts(result: Result) -> Iterator[bytes]:
    sink = io.BytesIO()
    schema = formats.typed_schema(result)
    rows = 0
    with pa.ipc.new_stream(sink, schema) as writer:
        for batch in result:
            typed = pa.RecordBatch.from_arrays(batch.columns, schema=schema)
            position = result.position
            writer.write_batch(typed, custom_metadata={"cursor": position} if position else None)
            rows += batch.num_rows
            yield formats.taken(sink)
        empty = pa.RecordBatch.from_arrays(
            [pa.array([], field.type) for field in schema], schema=schema
        )
        writer.write_batch(empty, custom_metadata={"rows": str(rows)})
    yield formats.taken(sink)
