"""Jaeger's API under `/jaeger`: the JSON of its old routes, which Grafana asks, and OTLP's JSON of version 3."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Callable, Mapping
from typing import Annotated, Any, Final

from fastapi import APIRouter, Path, Request
from fastapi import Query as Parameter
from fastapi.responses import JSONResponse, Response
from starlette.concurrency import run_in_threadpool

from tracestore.errors import TraceStoreError
from tracestore.scopes import needs
from tracestore_query.api.answers import ERRORS, not_found, problem, projects_of
from tracestore_query.doors.jaeger_json import jaeger_trace, otlp_document, summary
from tracestore_query.doors.jaeger_search import MAX_TRACES, Search, search_sql
from tracestore_query.doors.moments import length_of, moment_of
from tracestore_query.doors.span_rows import MAX_SPANS, SPAN_COLUMNS
from tracestore_query.query import Query

MAX_NAMES: Final = 10_000
"""Services and operations of one answer: more than a list to choose from can show."""

SERVICES: Final = (
    "SELECT DISTINCT service FROM spans WHERE service IS NOT NULL ORDER BY 1 LIMIT $most"
)
OPERATIONS: Final = """
    SELECT DISTINCT name, coalesce(lower(kind), '') AS kind FROM spans
    WHERE ($service = '' OR service = $service) AND ($kind = '' OR lower(kind) = $kind) ORDER BY ALL LIMIT $most"""
DEPENDENCIES: Final = """
    SELECT p.service AS parent, c.service AS child, count(*) AS callCount
    FROM spans c JOIN spans p ON p.trace_id = c.trace_id AND p.span_id = c.parent_span_id
    WHERE c.start_time >= $begin AND c.start_time < $end
      AND p.start_time >= $begin - INTERVAL 1 HOUR AND p.start_time < $end
      AND p.service <> c.service GROUP BY ALL ORDER BY ALL LIMIT $most"""

TraceId = Annotated[str, Path(pattern="^[0-9a-fA-F]{1,32}$")]
Name = Annotated[str, Parameter(max_length=1024)]
Micros = Annotated[int | None, Parameter(ge=0, le=2**53, description="Microseconds since 1970.")]
Limit = Annotated[int, Parameter(ge=1, le=MAX_TRACES)]
Text = Annotated[str, Parameter(max_length=10_000)]


def jaeger_router(query: Query) -> APIRouter:
    """Returns the routes over a store."""
    router = APIRouter(prefix="/jaeger/api", tags=["jaeger"])
    asked = _Asked(query)

    @router.get("/services", responses=ERRORS)
    @needs("read")
    async def services(request: Request) -> Any:
        """Lists services."""
        return await asked.answer(request, _listed, SERVICES)

    @router.get("/services/{service}/operations", responses=ERRORS)
    @needs("read")
    async def names(request: Request, service: Annotated[str, Path(max_length=1024)]) -> Any:
        """Lists the names of a service's spans."""
        values = {"service": service, "kind": ""}
        return await asked.answer(request, _listed_once, OPERATIONS, values)

    @router.get("/operations", responses=ERRORS)
    @needs("read")
    async def operations(request: Request, service: Name, spanKind: Name = "") -> Any:  # noqa: N803 - Jaeger's
        """Lists the names and kinds of a service's spans."""
        values = {"service": service, "kind": spanKind.lower()}
        return await asked.answer(request, _operations, OPERATIONS, values)

    @router.get("/traces", responses=ERRORS)
    @needs("read")
    async def traces(
        request: Request,
        service: Name = "",
        operation: Name = "",
        tags: Text = "",
        start: Micros = None,
        end: Micros = None,
        minDuration: Name = "",  # noqa: N803 - Jaeger's
        maxDuration: Name = "",  # noqa: N803 - Jaeger's
        limit: Limit = 20,
    ) -> Any:
        """Finds the newest traces that hold a span as described, whole."""

        def search() -> Search:
            times = [None if each is None else _micros(each) for each in (start, end)]
            bounds = [_length(minDuration), _length(maxDuration)]
            return Search(service, operation, tags, times[0], times[1], bounds[0], bounds[1], limit)

        return await asked.found(request, search, _traces)

    @router.get("/traces/{trace_id}", responses=ERRORS)
    @needs("read")
    async def trace(request: Request, trace_id: TraceId) -> Any:
        """Gives one trace."""
        return await asked.trace(request, trace_id, _traces)

    @router.get("/dependencies", responses=ERRORS)
    @needs("read")
    async def dependencies(
        request: Request,
        endTs: Annotated[int, Parameter(ge=0, le=2**43, description="Milliseconds.")],  # noqa: N803 - Jaeger's
        lookback: Annotated[int, Parameter(ge=1, le=2**36)] = 86_400_000,
    ) -> Any:
        """Counts the calls between services."""
        end = _micros(endTs * 1000)
        values = {"begin": end - dt.timedelta(milliseconds=lookback), "end": end}
        return await asked.answer(request, _plain, DEPENDENCIES, values)

    _add_third_version(router, asked)
    return router


def _add_third_version(router: APIRouter, asked: _Asked) -> None:
    @router.get("/v3/services", responses=ERRORS)
    @needs("read")
    async def services(request: Request) -> Any:
        """Lists services."""
        return await asked.answer(request, lambda rows: {"services": _values(rows)}, SERVICES)

    @router.get("/v3/operations", responses=ERRORS)
    @needs("read")
    async def operations(request: Request, service: Name = "", span_kind: Name = "") -> Any:
        """Lists the names and kinds of a service's spans."""
        values = {"service": service, "kind": span_kind.lower()}
        return await asked.answer(request, _operations_of_v3, OPERATIONS, values)

    @router.get("/v3/trace-summaries", responses=ERRORS)
    @needs("read")
    async def summaries(
        request: Request,
        service: Annotated[str, Parameter(alias="query.service_name", max_length=1024)] = "",
        operation: Annotated[str, Parameter(alias="query.operation_name", max_length=1024)] = "",
        tags: Annotated[str, Parameter(alias="query.attributes", max_length=10_000)] = "",
        begin: Annotated[str, Parameter(alias="query.start_time_min", max_length=64)] = "",
        end: Annotated[str, Parameter(alias="query.start_time_max", max_length=64)] = "",
        shortest: Annotated[str, Parameter(alias="query.duration_min", max_length=64)] = "",
        longest: Annotated[str, Parameter(alias="query.duration_max", max_length=64)] = "",
        limit: Annotated[int, Parameter(alias="query.search_depth", ge=1, le=MAX_TRACES)] = 20,
    ) -> Any:
        """Finds the newest traces that hold a span as described, in sum."""

        def search() -> Search:
            times = [moment_of("start_time", each) if each else None for each in (begin, end)]
            bounds = [_length(shortest), _length(longest)]
            return Search(service, operation, tags, times[0], times[1], bounds[0], bounds[1], limit)

        return await asked.found(request, search, _summaries)

    @router.get("/v3/traces/{trace_id}", responses=ERRORS)
    @needs("read")
    async def trace(request: Request, trace_id: TraceId) -> Any:
        """Gives one trace as OTLP."""
        return await asked.trace(request, trace_id, lambda found: {"result": otlp_document(found)})


Rows = list[dict[str, Any]]


class _Asked:
    """The statements behind the routes, each under the projects of the request's key."""

    def __init__(self, query: Query) -> None:
        self._query = query

    async def answer(
        self,
        request: Request,
        shape: Callable[[Rows], Any],
        sql: str,
        values: Mapping[str, Any] | None = None,
    ) -> Response:
        """Answers with the rows of a statement, as a route shapes them."""
        try:
            rows = await run_in_threadpool(
                self._rows, request, sql, {"most": MAX_NAMES, **(values or {})}
            )
        except TraceStoreError as error:
            return problem(error)
        return JSONResponse(shape(rows))

    async def found(
        self, request: Request, search: Callable[[], Search], shape: Callable[[Rows], Any]
    ) -> Response:
        """Answers with the spans of the traces that a search finds."""

        def ask() -> Any:
            sql, values = search_sql(search(), SPAN_COLUMNS, MAX_SPANS)
            return shape(self._rows(request, sql, values))

        try:
            return JSONResponse(await run_in_threadpool(ask))
        except TraceStoreError as error:
            return problem(error)

    async def trace(
        self, request: Request, trace_id: str, shape: Callable[[Rows], Any]
    ) -> Response:
        """Answers with one trace; ids of half the length are those of old clients."""
        sql = f"SELECT {SPAN_COLUMNS} FROM spans WHERE trace_id = $id ORDER BY start_ns LIMIT $most"
        values = {"id": trace_id.lower().rjust(32, "0"), "most": MAX_SPANS}
        try:
            rows = await run_in_threadpool(self._rows, request, sql, values)
        except TraceStoreError as error:
            return problem(error)
        return JSONResponse(shape(rows)) if rows else not_found(f"no trace {trace_id}")

    def _rows(self, request: Request, sql: str, values: Mapping[str, Any]) -> Rows:
        return self._query.sql(sql, values, projects=projects_of(request)).rows()


def _values(rows: Rows) -> list[Any]:
    return [next(iter(row.values())) for row in rows]


def _enveloped(data: list[Any]) -> dict[str, Any]:
    return {"data": data, "total": len(data), "limit": 0, "offset": 0, "errors": None}


def _listed(rows: Rows) -> Any:
    return _enveloped(_values(rows))


def _listed_once(rows: Rows) -> Any:
    return _enveloped(list(dict.fromkeys(_values(rows))))


def _plain(rows: Rows) -> Any:
    return _enveloped(rows)


def _operations(rows: Rows) -> Any:
    return _enveloped([{"name": row["name"], "spanKind": row["kind"]} for row in rows])


def _operations_of_v3(rows: Rows) -> Any:
    return {"operations": [{"name": row["name"], "spanKind": row["kind"]} for row in rows]}


def _by_trace(rows: Rows) -> list[Rows]:
    """Returns the spans of each trace, the trace with the newest span first."""
    gathered: dict[str, Rows] = {}
    for row in rows:
        gathered.setdefault(row["trace_id"], []).append(row)
    return sorted(gathered.values(), key=lambda spans: -max(span["start_ns"] for span in spans))


def _traces(rows: Rows) -> Any:
    return _enveloped([jaeger_trace(spans) for spans in _by_trace(rows)])


def _summaries(rows: Rows) -> Any:
    return {"summaries": [summary(spans) for spans in _by_trace(rows)]}


def _micros(microseconds: int) -> dt.datetime:
    return moment_of("time", json.dumps(microseconds // 1000)) + dt.timedelta(
        microseconds=microseconds % 1000
    )


def _length(text: str) -> int | None:
    """Returns nanoseconds of a length such as `1.2s` or `100ms`."""
    return round(length_of("duration", text).total_seconds() * 1e9) if text else None
