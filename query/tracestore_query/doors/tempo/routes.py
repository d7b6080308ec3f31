"""The routes of Tempo's API under `/tempo`."""

from __future__ import annotations

import datetime as dt
from typing import Annotated, Any, Final

from fastapi import APIRouter, Header, Path, Request
from fastapi import Query as Parameter
from fastapi.responses import PlainTextResponse, Response

from tracestore.content_types import JSON, PROTOBUF
from tracestore.scopes import needs
from tracestore_query.api.answers import ERRORS, not_found
from tracestore_query.doors.jaeger_json import otlp_document
from tracestore_query.doors.otlp_messages import otlp_traces
from tracestore_query.doors.span_rows import MAX_SPANS, SPAN_COLUMNS
from tracestore_query.doors.tempo.asked import Ask, Asked
from tracestore_query.doors.tempo.comparison import compared_series
from tracestore_query.doors.tempo.moments import tempo_length, tempo_window
from tracestore_query.doors.tempo.search import MAX_SHOWN_SPANS, MAX_TRACES, search
from tracestore_query.doors.tempo.series import Steps, instant, series, steps_of
from tracestore_query.doors.tempo.tagged_search import tagged_search
from tracestore_query.doors.tempo.tags import MAX_TAGS, MAX_VALUES, tags_of, values_of
from tracestore_query.doors.traceql.parser import MAX_CHARACTERS, parse_traceql
from tracestore_query.doors.traceql.spansets import Window
from tracestore_query.query import Query

TEMPO_VERSION: Final = "2.9.0"
"""The version of Tempo whose API this is: Grafana asks for no more than a version can answer."""

DEFAULT_MOMENTS: Final = 120
"""Moments of a series where no step is asked for."""

DEFAULT_RANGE: Final = dt.timedelta(hours=1)

_TRACE: Final = "application/protobuf"

TraceId = Annotated[str, Path(pattern="^[0-9a-fA-F]{1,32}$")]
Text = Annotated[str, Parameter(max_length=MAX_CHARACTERS)]
Moment = Annotated[str, Parameter(max_length=64, description="Seconds since 1970.")]
Length = Annotated[str, Parameter(max_length=64, description="A length such as 30s or 100ms.")]
Scope = Annotated[str, Parameter(max_length=64)]
Count = Annotated[
    int, Parameter(ge=0, le=10 * MAX_TAGS, description="0 for as many as there may be.")
]
Tag = Annotated[str, Path(max_length=1024)]


def tempo_router(query: Query) -> APIRouter:
    """Returns the routes over a store."""
    router = APIRouter(prefix="/tempo/api", tags=["tempo"])
    asked = Asked(query)

    @router.get("/echo", responses=ERRORS, response_class=PlainTextResponse)
    @needs("read")
    async def echo() -> Response:
        """Tells that the door answers, and that the key is right."""
        return PlainTextResponse("echo")

    @router.get("/status/buildinfo", responses=ERRORS)
    @needs("read")
    async def build() -> Any:
        """Tells which version's API this is."""
        return {"version": TEMPO_VERSION, "revision": "tracestore", "goVersion": ""}

    @router.get("/search", responses=ERRORS)
    @needs("read")
    async def found(
        request: Request,
        q: Text = "",
        tags: Text = "",
        minDuration: Length = "",  # noqa: N803 - Tempo's
        maxDuration: Length = "",  # noqa: N803 - Tempo's
        start: Moment = "",
        end: Moment = "",
        limit: Annotated[int, Parameter(ge=1, le=MAX_TRACES)] = 20,
        spss: Annotated[int, Parameter(ge=1, le=MAX_SHOWN_SPANS)] = 3,
    ) -> Any:
        """Finds the newest traces that hold spans as a text of TraceQL says."""

        def work(ask: Ask) -> Any:
            pipeline = parse_traceql(q) if q else tagged_search(tags, minDuration, maxDuration)
            return search(pipeline, tempo_window(start, end), limit, spss, ask)

        return await asked.answer(request, work)

    _add_traces(router, asked)
    _add_tags(router, asked)
    _add_metrics(router, asked)
    return router


def _add_traces(router: APIRouter, asked: Asked) -> None:
    @router.get("/traces/{trace_id}", responses=ERRORS)
    @needs("read")
    async def trace(
        request: Request, trace_id: TraceId, accept: Annotated[str, Header()] = JSON
    ) -> Any:
        """Gives one trace as OTLP: protobuf where Accept asks for it, else JSON."""

        def work(ask: Ask) -> Any:
            rows = _spans(trace_id, ask)
            if not rows:
                return not_found(f"no trace {trace_id}")
            if _wants_protobuf(accept):
                return Response(otlp_traces(rows), media_type=_TRACE)
            return otlp_document(rows)

        return await asked.answer(request, work)

    @router.get("/v2/traces/{trace_id}", responses=ERRORS)
    @needs("read")
    async def trace_of_v2(
        request: Request, trace_id: TraceId, accept: Annotated[str, Header()] = JSON
    ) -> Any:
        """Gives one trace in an envelope: protobuf where Accept asks for it, else JSON."""

        def work(ask: Ask) -> Any:
            rows = _spans(trace_id, ask)
            if not rows:
                return not_found(f"no trace {trace_id}")
            if _wants_protobuf(accept):
                return Response(_enveloped(otlp_traces(rows)), media_type=_TRACE)
            return {"trace": otlp_document(rows), "metrics": {}}

        return await asked.answer(request, work)


def _wants_protobuf(accept: str) -> bool:
    return _TRACE in accept or PROTOBUF in accept


def _spans(trace_id: str, ask: Ask) -> list[dict[str, Any]]:
    """Returns the spans of a trace; ids of half the length are those of old clients."""
    sql = f"SELECT {SPAN_COLUMNS} FROM spans WHERE trace_id = $id ORDER BY start_ns LIMIT $most"
    return ask(sql, {"id": trace_id.lower().rjust(32, "0"), "most": MAX_SPANS})


def _enveloped(trace: bytes) -> bytes:
    """Returns `TraceByIDResponse`, whose first field is the trace."""
    length, rest = bytearray(), len(trace)
    while rest >= 0x80:
        length.append(rest & 0x7F | 0x80)
        rest >>= 7
    length.append(rest)
    return b"\x0a" + bytes(length) + trace


def _add_tags(router: APIRouter, asked: Asked) -> None:
    @router.get("/v2/search/tags", responses=ERRORS)
    @needs("read")
    async def tags(request: Request, scope: Scope = "", limit: Count = 0) -> Any:
        """Lists the names of attributes by their scopes."""
        most = limit or MAX_TAGS
        return await asked.answer(request, lambda ask: {"scopes": tags_of(scope, most, ask)})

    @router.get("/search/tags", responses=ERRORS)
    @needs("read")
    async def plain_tags(request: Request, scope: Scope = "", limit: Count = 0) -> Any:
        """Lists the names of attributes."""

        def work(ask: Ask) -> Any:
            scopes = tags_of(scope, limit or MAX_TAGS, ask)
            return {"tagNames": sorted({tag for each in scopes for tag in each["tags"]})}

        return await asked.answer(request, work)

    @router.get("/v2/search/tag/{tag:path}/values", responses=ERRORS)
    @needs("read")
    async def values(
        request: Request,
        tag: Tag,
        q: Text = "",
        start: Moment = "",
        end: Moment = "",
        limit: Count = 0,
    ) -> Any:
        """Lists the values of an attribute or intrinsic with their types."""

        def work(ask: Ask) -> Any:
            window = tempo_window(start, end)
            return {"tagValues": values_of(tag, q, window, limit or MAX_VALUES, ask)}

        return await asked.answer(request, work)

    @router.get("/search/tag/{tag:path}/values", responses=ERRORS)
    @needs("read")
    async def plain_values(
        request: Request,
        tag: Tag,
        start: Moment = "",
        end: Moment = "",
        limit: Count = 0,
    ) -> Any:
        """Lists the values of an attribute or intrinsic."""

        def work(ask: Ask) -> Any:
            found = values_of(tag, "", tempo_window(start, end), limit or MAX_VALUES, ask)
            return {"tagValues": [each["value"] for each in found]}

        return await asked.answer(request, work)


def _add_metrics(router: APIRouter, asked: Asked) -> None:
    @router.get("/metrics/query_range", responses=ERRORS)
    @needs("read")
    async def query_range(
        request: Request, q: Text, start: Moment = "", end: Moment = "", step: Length = ""
    ) -> Any:
        """Makes series of a metric."""

        def work(ask: Ask) -> Any:
            pipeline, steps = parse_traceql(q), _steps(start, end, step)
            return compared_series(pipeline, steps, ask) or series(pipeline, steps, ask)

        return await asked.answer(request, work)

    @router.get("/metrics/query", responses=ERRORS)
    @needs("read")
    async def query_once(request: Request, q: Text, start: Moment = "", end: Moment = "") -> Any:
        """Makes one value of a metric for each of its series."""
        return await asked.answer(
            request, lambda ask: instant(parse_traceql(q), _steps(start, end, ""), ask)
        )


def _steps(start: str, end: str, step: str) -> Steps:
    given: Window = tempo_window(start, end)
    until = given.end or dt.datetime.now(dt.UTC)
    begin = given.begin or until - DEFAULT_RANGE
    shortest = max((until - begin) / DEFAULT_MOMENTS, dt.timedelta(seconds=1))
    length = (
        tempo_length("step", step)
        if step
        else dt.timedelta(seconds=round(shortest.total_seconds()))
    )
    return steps_of(begin, until, length)
