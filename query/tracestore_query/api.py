"""The query API over HTTP: `/api/query`, `/api/schema`, `/api/traces/{id}`, `/api/import`."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Header, Path, Query, Request
from fastapi.responses import JSONResponse, StreamingResponse
from pydantic import BaseModel, ConfigDict, Field
from starlette.concurrency import iterate_in_threadpool, run_in_threadpool

from tracestore.errors import (
    DatasetError,
    ExperimentError,
    LimitExceededError,
    ProjectForbiddenError,
    QueryError,
    TraceStoreError,
    UnknownDatasetError,
)
from tracestore.limits import MAX_PAYLOAD_BYTES
from tracestore.store import Store
from tracestore.variant import json_projects
from tracestore_query import formats
from tracestore_query.errors import (
    QueryForbiddenError,
    QueryMemoryError,
    QueryTimeoutError,
)
from tracestore_query.json_texts import plain
from tracestore_query.result import Result
from tracestore_query.session import Query as QueryLayer

MAX_TIMEOUT_S = 600.0
DEFAULT_TIMEOUT_S = 60.0
MAX_TRACE_SPANS = 100_000


TRACE_WHOLE = "SELECT * FROM spans WHERE trace_id = $id ORDER BY start_ns LIMIT $most"
TRACE_SKELETON = """
    SELECT span_id, parent_span_id, name, kind, type, service, start_time, start_ns, duration_ns,
           status_code, status_message
    FROM spans WHERE trace_id = $id ORDER BY start_ns LIMIT $most"""


class QueryBody(BaseModel):
    """Is what `/api/query` takes."""

    model_config = ConfigDict(extra="forbid")

    sql: str = Field(min_length=1, max_length=1_000_000, description="One SELECT statement.")
    params: dict[str, Any] | list[Any] | None = Field(
        default=None, description="Values of `$name` or `?`."
    )
    timeout_s: float = Field(default=DEFAULT_TIMEOUT_S, gt=0, le=MAX_TIMEOUT_S, allow_inf_nan=False)
    max_rows: int | None = Field(default=None, ge=1, description="Cuts the answer, with a warning.")


class Problem(BaseModel):
    """Is an error (RFC 9457), with a hint where there is one."""

    type: str
    title: str
    status: int
    detail: str
    hint: str | None = None


_STATUS: tuple[tuple[type[Exception], int], ...] = (
    (QueryForbiddenError, 403),
    (ProjectForbiddenError, 403),
    (QueryTimeoutError, 408),
    (QueryMemoryError, 422),
    (LimitExceededError, 413),
    (QueryError, 400),
    (UnknownDatasetError, 404),
    (DatasetError, 400),
    (ExperimentError, 400),
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
    return JSONResponse(body.model_dump(), status, media_type="application/problem+json")


def api_router(store: Store, query: QueryLayer) -> APIRouter:
    """Returns the routes of the query API over a store."""
    router = APIRouter(prefix="/api", tags=["query"])
    errors: dict[int | str, dict[str, Any]] = {
        status: {"model": Problem} for status in (400, 403, 408, 413, 422, 503)
    }

    @router.post("/query", responses=errors)
    async def run_query(
        request: Request, body: QueryBody, accept: Annotated[str, Header()] = formats.JSON
    ) -> Any:
        """Answers one SQL statement, in the format that Accept names."""
        kind = formats.format_of(accept)
        try:
            result = await run_in_threadpool(
                query.sql,
                body.sql,
                body.params,
                projects=_projects(request),
                timeout_s=body.timeout_s,
                max_rows=body.max_rows,
            )
        except TraceStoreError as error:
            return problem(error)
        return StreamingResponse(_stream(result, kind), media_type=kind)

    @router.get("/schema", responses=errors)
    async def schema(
        request: Request,
        table: Annotated[str, Query(pattern="^(spans|logs)$")] = "spans",
        prefix: Annotated[str, Query(max_length=1000)] = "",
        limit: Annotated[int, Query(ge=1, le=100_000)] = 10_000,
    ) -> Any:
        """Lists paths with their types and rows, for autocomplete."""
        return await run_in_threadpool(_schema, store, table, prefix, limit, _projects(request))

    @router.get("/traces/{trace_id}", responses={**errors, 404: {"model": Problem}})
    async def trace(
        request: Request,
        trace_id: Annotated[str, Path(pattern="^[0-9a-fA-F]{32}$")],
        payloads: Annotated[
            bool, Query(description="Whether attributes and payloads are wanted.")
        ] = False,
    ) -> Any:
        """Gives a trace's spans in order of time: a skeleton, or whole with `payloads`."""
        sql = TRACE_WHOLE if payloads else TRACE_SKELETON
        named = {"id": trace_id.lower(), "most": MAX_TRACE_SPANS}
        try:
            result = await run_in_threadpool(query.sql, sql, named, projects=_projects(request))
            rows = await run_in_threadpool(result.rows)
        except TraceStoreError as error:
            return problem(error)
        if not rows:
            body = Problem(
                type="about:blank", title="Not Found", status=404, detail=f"no trace {trace_id}"
            )
            return JSONResponse(body.model_dump(), 404, media_type="application/problem+json")
        return JSONResponse({"trace_id": trace_id.lower(), "spans": [plain(row) for row in rows]})

    @router.post("/import", responses=errors)
    async def import_rows(
        request: Request,
        table: Annotated[str, Query(pattern="^(spans|logs)$")] = "spans",
        project: Annotated[str | None, Query(max_length=256)] = None,
        experiment: Annotated[str | None, Query(max_length=256)] = None,
    ) -> Any:
        """Stores NDJSON rows of a table; a bad row is refused alone."""
        try:
            body = await bounded_body(request)
            project = await run_in_threadpool(_check_rows, body, table, project, _projects(request))
            report = await run_in_threadpool(store.insert, table, body, project, experiment)
        except TraceStoreError as error:
            return problem(error)
        rejected = [
            {"row": row, "offset": at, "reason": reason} for row, at, reason in report.rejected
        ]
        return {"rows": report.rows, "rejected_rows": report.rejected_rows, "rejected": rejected}

    return router


async def _stream(result: Result, kind: str) -> Any:
    """Yields a result's bytes; cancels the query when the client goes away."""
    finished = False
    try:
        async for part in iterate_in_threadpool(formats.written(result, kind)):
            yield part
        finished = True
    finally:
        if not finished:
            result.cancel()
        result.close()


def _projects(request: Request) -> frozenset[str] | None:
    """Returns the projects that the request's key is bound to, None for all."""
    projects: frozenset[str] | None = getattr(request.state, "projects", None)
    return projects


def _check_rows(
    body: bytes, table: str, project: str | None, projects: frozenset[str] | None
) -> str | None:
    """Returns the project of rows that name none; refuses rows of projects that the key is not bound to."""
    if projects is None:
        return project
    if project is None and len(projects) == 1:
        project = next(iter(projects))
    for name in json_projects(body, table=table, default=project or "default"):
        if name not in projects:
            raise ProjectForbiddenError(
                f"cannot write to project {name!r}: this key is not bound to it"
            )
    return project


def _schema(
    store: Store, table: str, prefix: str, limit: int, projects: frozenset[str] | None
) -> dict[str, Any]:
    with store.snapshot((table,), projects) as snapshot:
        types = snapshot.tables[table].leaf_types
        known = sorted(path for path in types if path.startswith(prefix))
        return {
            "table": table,
            "paths": [{"path": path, "types": dict(types[path])} for path in known[:limit]],
            "total": len(known),
        }


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
