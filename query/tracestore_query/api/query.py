"""Queries and rows over HTTP: `/api/query` and `/api/import`."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from typing import Annotated, Any

from fastapi import APIRouter, Header, Query, Request
from pydantic import BaseModel, ConfigDict, Field
from starlette.concurrency import run_in_threadpool

from tracestore.errors import TraceStoreError
from tracestore.scopes import needs
from tracestore.store import Store
from tracestore_query.answer import formats
from tracestore_query.answer.result import Result
from tracestore_query.api.answers import (
    DEFAULT_TIMEOUT_S,
    ERRORS,
    MAX_TIMEOUT_S,
    answer_of,
    bounded_body,
    narrowed,
    problem,
    projects_of,
)
from tracestore_query.query import Query as QueryLayer


class QueryBody(BaseModel):
    """The body of a request to `/api/query`."""

    model_config = ConfigDict(extra="forbid")

    sql: str = Field(min_length=1, max_length=1_000_000, description="One SELECT statement.")
    params: dict[str, Any] | list[Any] | None = Field(
        default=None, description="Values of `$name` or `?`."
    )
    timeout_s: float = Field(default=DEFAULT_TIMEOUT_S, gt=0, le=MAX_TIMEOUT_S, allow_inf_nan=False)
    max_rows: int | None = Field(default=None, ge=1, description="Cuts the answer, with a warning.")
    project: str | None = Field(
        default=None, max_length=1024, description="Reads the rows of this project alone."
    )
    cursor: str | None = Field(
        default=None,
        max_length=100_000,
        description="Asks for a page of an ordered query with LIMIT: empty for the first, then the last answer's.",
    )


_FORMATS = {
    "description": "The rows, in the format that Accept names.",
    "content": {kind: {} for kind in formats.FORMATS},
}


Run = Callable[[Callable[[], Any]], Awaitable[Any]]
"""Runs work off the event loop."""


def api_router(store: Store, query: QueryLayer, run_ingest: Run = run_in_threadpool) -> APIRouter:
    """Returns the routes of the query API over a store.

    Args:
        store: takes rows.
        query: answers statements.
        run_ingest: stores rows, on threads that no statement takes.
    """
    router = APIRouter(prefix="/api", tags=["query"])

    @router.post("/query", responses={200: _FORMATS, **ERRORS})
    @needs("read")
    async def run_query(
        request: Request, body: QueryBody, accept: Annotated[str, Header()] = formats.JSON
    ) -> Any:
        """Answers one SQL statement, in the format that Accept names."""
        kind = formats.format_of(accept)
        projects = narrowed(request, body.project)

        def begin() -> tuple[Result, Iterator[bytes]]:
            result = query.sql(
                body.sql,
                body.params,
                projects=projects,
                timeout_s=body.timeout_s,
                max_rows=body.max_rows,
                cursor=body.cursor,
            )
            # What fails before the first byte is told by its status.
            return result, formats.started(result, kind)

        try:
            result, parts = await run_in_threadpool(begin)
        except TraceStoreError as error:
            return problem(error)
        return await answer_of(result, parts, kind)

    @router.post("/import", responses=ERRORS)
    @needs("ingest")
    async def import_rows(
        request: Request,
        table: Annotated[str, Query(pattern="^(spans|logs)$")] = "spans",
        project: Annotated[str | None, Query(max_length=256)] = None,
        experiment: Annotated[str | None, Query(max_length=256)] = None,
    ) -> Any:
        """Stores NDJSON rows of a table; a bad row is refused alone."""
        try:
            body = await bounded_body(request)
            allowed = projects_of(request)
            report = await run_ingest(
                lambda: store.insert(table, body, project, experiment, allowed=allowed)
            )
        except TraceStoreError as error:
            return problem(error)
        rejected = [
            {"row": row, "offset": at, "reason": reason} for row, at, reason in report.rejected
        ]
        return {
            "rows": report.rows,
            "duplicates": report.duplicates,
            "replaced": report.replaced,
            "rejected_rows": report.rejected_rows,
            "rejected": rejected,
        }

    return router
