"""Looking around over HTTP: `/api/explore…` and the waterfall of a trace."""

from __future__ import annotations

import functools
import json
from collections.abc import AsyncIterator, Iterator
from typing import Annotated, Any, Final, Literal

import pyarrow as pa
from fastapi import APIRouter, Path, Query, Request
from fastapi.responses import Response, StreamingResponse
from pydantic import BaseModel, ConfigDict, Field
from starlette.concurrency import iterate_in_threadpool, run_in_threadpool

from tracestore.errors import TraceStoreError
from tracestore.scopes import needs
from tracestore.store import Store
from tracestore_query.answer.formats import ARROW, NDJSON
from tracestore_query.api.answers import ERRORS, narrowed, not_found, problem
from tracestore_query.explore.differences import differences
from tracestore_query.explore.facets import choose_paths, facet, row_count
from tracestore_query.explore.projects import known_projects
from tracestore_query.explore.selection import MAX_CONDITION_CHARACTERS, RowQuery, Selection
from tracestore_query.explore.timeline import MAX_BUCKETS, heatmap, timeline
from tracestore_query.explore.waterfall import waterfall
from tracestore_query.query import Query as QueryLayer

MAX_FACETS: Final = 40
"""Facets of one request: each is a query of its own."""

_MAX_NS: Final = 2**63 - 1


class SelectionBody(BaseModel):
    """The rows of a table, by a condition and a time range."""

    model_config = ConfigDict(extra="forbid")

    table: Literal["spans", "logs"] = "spans"
    where: str = Field(
        default="",
        max_length=MAX_CONDITION_CHARACTERS,
        description="The text after WHERE; empty for every row.",
    )
    from_ns: int | None = Field(default=None, ge=0, le=_MAX_NS)
    to_ns: int | None = Field(default=None, ge=0, le=_MAX_NS, description="Not included.")
    project: str | None = Field(
        default=None, max_length=1024, description="Reads the rows of this project alone."
    )

    def selection(self) -> Selection:
        """Returns what the body says as a selection."""
        return Selection(self.table, self.where, self.from_ns, self.to_ns)


class FacetsBody(SelectionBody):
    """A selection, and the paths whose facets are asked for."""

    paths: list[str] | None = Field(
        default=None,
        max_length=MAX_FACETS,
        description="Paths or expressions; by default the server chooses telling ones.",
    )


class TimelineBody(SelectionBody):
    """A selection, and how it is drawn over time."""

    buckets: int = Field(default=96, ge=1, le=MAX_BUCKETS)


class Timeline(BaseModel):
    """The rows and errors of each bucket of time."""

    from_ns: int | None
    step_ns: int | None
    rows: list[int]
    errors: list[int]
    total: int


class Heatmap(BaseModel):
    """The spans by bucket of time and logarithm of duration; a cell is [column, height, spans, errors]."""

    from_ns: int | None
    step_ns: int | None
    columns: int
    steps_per_decade: int = 4
    cells: list[list[int]]


class DifferencesBody(SelectionBody):
    """A selection, and the condition that parts it."""

    inside: str = Field(
        min_length=1,
        max_length=MAX_CONDITION_CHARACTERS,
        description="Rows that match are inside, all others of the selection outside.",
    )
    paths: list[str] | None = Field(
        default=None,
        max_length=MAX_FACETS,
        description="Paths that may differ; by default the server chooses telling ones.",
    )


class ValueShare(BaseModel):
    """A value, with the share of rows that have it inside and outside."""

    value: Any
    inside: float
    outside: float


class PathDifference(BaseModel):
    """A path, with the values whose shares differ most."""

    path: str
    score: float
    values: list[ValueShare]


class Differences(BaseModel):
    """The paths that tell the rows inside from the rows outside."""

    inside: int
    outside: int
    differences: list[PathDifference]
    warnings: list[str]


class Project(BaseModel):
    """A project, with the days its rows are kept (None: for ever), and what its segments are clustered by."""

    name: str
    retention_days: int | None
    cluster_by: list[str]
    has_spans: bool


class Projects(BaseModel):
    """The projects that the caller may see."""

    projects: list[Project]


TraceId = Annotated[str, Path(pattern="^[0-9a-fA-F]{32}$", description="32 hex digits.")]
OfProject = Annotated[str | None, Query(max_length=1024, description="Reads this project alone.")]

_LINES: Final = {"description": "A facet a line, as each is ready.", "content": {NDJSON: {}}}
_STREAM: Final = {"description": "The spans in the order of the tree.", "content": {ARROW: {}}}


def explore_router(store: Store, query: QueryLayer) -> APIRouter:
    """Returns the routes of looking around in a store."""
    router = APIRouter(prefix="/api", tags=["explore"])

    @router.get("/explore/projects", responses=ERRORS, response_model=Projects)
    @needs("read")
    async def list_projects(request: Request) -> Any:
        """Lists the projects that the caller may see, with their settings."""
        return await _answered(lambda: {"projects": known_projects(store, narrowed(request, None))})

    @router.post("/explore/facets", responses={200: _LINES, **ERRORS})
    @needs("read")
    async def list_facets(request: Request, body: FacetsBody) -> Any:
        """Gives facets of a selection, one line after the other; stops when the caller goes away."""
        projects = narrowed(request, body.project)
        run = _bound(query, projects)
        selection = body.selection()
        try:
            total = await run_in_threadpool(row_count, run, selection)
            paths = body.paths
            if paths is None:
                paths = await run_in_threadpool(choose_paths, store, body.table, projects)
        except TraceStoreError as error:
            return problem(error)
        return StreamingResponse(_lines(run, selection, paths, total), media_type=NDJSON)

    @router.post("/explore/timeline", responses=ERRORS, response_model=Timeline)
    @needs("read")
    async def draw_timeline(request: Request, body: TimelineBody) -> Any:
        """Counts rows and errors over time."""
        run = _bound(query, narrowed(request, body.project))
        return await _answered(lambda: timeline(run, body.selection(), body.buckets))

    @router.post("/explore/heatmap", responses=ERRORS, response_model=Heatmap)
    @needs("read")
    async def draw_heatmap(request: Request, body: TimelineBody) -> Any:
        """Counts spans by time and duration."""
        run = _bound(query, narrowed(request, body.project))
        return await _answered(lambda: heatmap(run, body.selection(), body.buckets))

    @router.post("/explore/differences", responses=ERRORS, response_model=Differences)
    @needs("read")
    async def list_differences(request: Request, body: DifferencesBody) -> Any:
        """Tells which paths have other values inside a condition than outside it."""
        projects = narrowed(request, body.project)
        run = _bound(query, projects)

        def compared() -> dict[str, Any]:
            paths = body.paths or choose_paths(store, body.table, projects, most=MAX_FACETS)
            return differences(run, body.selection(), body.inside, paths)

        return await _answered(compared)

    @router.get("/traces/{trace_id}/waterfall", responses={200: _STREAM, **ERRORS})
    @needs("read")
    async def draw_waterfall(request: Request, trace_id: TraceId, project: OfProject = None) -> Any:
        """Gives a trace's spans in the order of its tree, as Arrow."""
        run = _bound(query, narrowed(request, project))
        try:
            table = await run_in_threadpool(waterfall, run, trace_id.lower())
        except TraceStoreError as error:
            return problem(error)
        if table is None:
            return not_found(f"no trace {trace_id}")
        return Response(await run_in_threadpool(_stream_bytes, table), media_type=ARROW)

    return router


def _bound(query: QueryLayer, projects: frozenset[str] | None) -> RowQuery:
    return functools.partial(query.sql, projects=projects)


async def _answered(work: Any) -> Any:
    try:
        return await run_in_threadpool(work)
    except TraceStoreError as error:
        return problem(error)


async def _lines(
    run: RowQuery, selection: Selection, paths: list[str], total: int
) -> AsyncIterator[bytes]:
    def each() -> Iterator[bytes]:
        for path in paths:
            try:
                found = facet(run, selection, path, total)
            except TraceStoreError as error:
                found = {"path": path, "error": str(error)}
            yield json.dumps(found).encode() + b"\n"

    async for line in iterate_in_threadpool(each()):
        yield line


def _stream_bytes(table: pa.Table) -> bytes:
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table.combine_chunks())
    return bytes(sink.getvalue())
