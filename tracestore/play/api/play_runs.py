"""Runs of plays over HTTP: rows, cells, what happens, and the buttons."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable
from typing import Any, Final, Literal, TypeVar

from fastapi import APIRouter, Request
from pydantic import BaseModel, ConfigDict, Field
from starlette.concurrency import run_in_threadpool

from tracestore.errors import TraceStoreError
from tracestore.play.api.shapes import ASKS, EVENTS, Usage, event, streamed
from tracestore.play.own_queries import OwnQueries
from tracestore.play.runs.body import MAX_COLUMNS, MAX_ROWS, Id, play_of
from tracestore.play.runs.from_span import Replay, replay_of
from tracestore.play.runs.run import RunRequest
from tracestore.play.runs.session import PlaySession
from tracestore.play.runs.sessions import PlaySessions
from tracestore.scopes import needs
from tracestore_query.api.answers import ERRORS, problem
from tracestore_query.api.datasets import Project, project_of
from tracestore_query.api.documents import CONFLICT, DocumentId, author_of

Answer = TypeVar("Answer")

_STREAM: Final[dict[int | str, dict[str, Any]]] = {
    200: {
        "description": "Events `state`, `edit`, `run`, `cell`, `delta` and `deleted`.",
        "content": {EVENTS: {}},
    },
    **ERRORS,
}


class RowBody(BaseModel):
    """A row of a play."""

    id: str
    input: Any = None
    expected: Any = None
    metadata: Any = None
    tags: Any = None
    origin: Any = None


class RowsAnswer(BaseModel):
    """The rows of a play as they are now."""

    rows: list[RowBody]
    more: bool = Field(description="Whether there are more than the play's limit.")
    dataset: str | None
    dataset_version: int | None


class CellBody(BaseModel):
    """A cell of a play, with what it gave."""

    row: str
    column: str
    state: Literal["none", "waiting", "running", "done", "failed"]
    experiment: str | None
    trace_id: str | None
    span_id: str | None
    output: Any = Field(
        default=None, description="Its first 20,000 characters, where it is longer."
    )
    output_characters: int
    error: str | None
    scores: dict[str, float | None]
    rationales: dict[str, str]
    scorer_errors: dict[str, str]
    usage: Usage | dict[str, int]
    cost: float | None
    seconds: float | None
    time_to_first_token: float | None
    turns: int
    missing: list[str]
    is_current: bool | None = Field(
        description="Whether column, row and scorers are what they were; null where that is not known."
    )


class RunBody(BaseModel):
    """A run of a play."""

    run_id: str
    state: Literal["running", "done", "stopped"]
    cells: int
    done: int
    failed: int
    running: int
    waiting: int
    cost: float
    seconds: float
    experiments: dict[str, str]


class CellsAnswer(BaseModel):
    """The cells of a play that have run or are to, and the last run since the server began."""

    cells: list[CellBody]
    run: RunBody | None


class RunAnswer(BaseModel):
    """The run that was begun, stopped or added to."""

    run: RunBody | None


class AskedRun(BaseModel):
    """What is to be run."""

    model_config = ConfigDict(extra="forbid")

    what: Literal["all", "changed"] = "changed"
    columns: list[Id] | None = Field(default=None, max_length=MAX_COLUMNS)
    rows: list[str] | None = Field(default=None, max_length=MAX_ROWS)


class AskedStop(BaseModel):
    """Whose cells are to stop, null for all."""

    model_config = ConfigDict(extra="forbid")

    columns: list[Id] | None = Field(default=None, max_length=MAX_COLUMNS)


class AskedKeep(BaseModel):
    """The column whose experiment is kept, and its name from now on."""

    model_config = ConfigDict(extra="forbid")

    column: Id
    name: str = Field(min_length=1, max_length=256)


class Kept(BaseModel):
    """The experiment that is kept."""

    experiment: str


class SpanId(BaseModel):
    """A span that is opened in Play."""

    model_config = ConfigDict(extra="forbid")

    trace_id: str = Field(pattern="^[0-9a-fA-F]{32}$")
    span_id: str = Field(pattern="^[0-9a-fA-F]{16}$")


class ReplayBody(BaseModel):
    """A call of a model as it was sent, to be tried again."""

    messages: list[dict[str, Any]]
    template: Literal["none"]
    provider: str
    model: str
    parameters: dict[str, Any]
    tools: list[dict[str, Any]]
    response_schema: dict[str, Any] | None
    input: Any = None
    output: Any = None
    expected: Any = None
    metadata: Any = None
    notes: list[str] = Field(description="What is not as it was sent, or is not known.")


def play_runs_router(sessions: PlaySessions, queries: OwnQueries) -> APIRouter:
    """Returns the routes of what plays do."""
    router = APIRouter(prefix="/api/play", tags=["play"])
    _add_from_span(router, queries)
    _add_reads(router, sessions)
    _add_buttons(router, sessions)
    return router


async def _with_session(
    sessions: PlaySessions,
    request: Request,
    document_id: str,
    project: str | None,
    act: Callable[[PlaySession], Awaitable[Answer]],
) -> Any:
    """Returns what is done with the session of a play, or its error as problem+json."""
    try:
        owner = await run_in_threadpool(project_of, request, project)
        return await act(await sessions.of(document_id, owner))
    except TraceStoreError as error:
        return problem(error)


def _add_from_span(router: APIRouter, queries: OwnQueries) -> None:
    @router.post("/from-span", responses=ERRORS, response_model=ReplayBody)
    @needs("read")
    async def open_span(request: Request, body: SpanId, project: Project = None) -> Any:
        """Gives messages, model, parameters and tools of a call of a model as they were sent."""
        try:
            owner = await run_in_threadpool(project_of, request, project)
            replay: Replay = await replay_of(
                body.trace_id.lower(), body.span_id.lower(), queries, owner
            )
        except TraceStoreError as error:
            return problem(error)
        return replay.shown()


def _add_reads(router: APIRouter, sessions: PlaySessions) -> None:
    @router.get("/{document_id}/rows", responses=ERRORS, response_model=RowsAnswer)
    @needs("read")
    async def list_rows(request: Request, document_id: DocumentId, project: Project = None) -> Any:
        """Gives the rows of a play as they are now."""

        async def act(session: PlaySession) -> dict[str, Any]:
            found = await session.rows(play_of((await session.document()).body))
            return {
                "rows": [each.shown() for each in found.rows],
                "more": found.is_cut,
                "dataset": found.dataset,
                "dataset_version": found.version,
            }

        return await _with_session(sessions, request, document_id, project, act)

    @router.get("/{document_id}/cells", responses=ERRORS, response_model=CellsAnswer)
    @needs("read")
    async def list_cells(request: Request, document_id: DocumentId, project: Project = None) -> Any:
        """Gives the cells of a play that have run or are to."""

        async def act(session: PlaySession) -> dict[str, Any]:
            play = play_of((await session.document()).body)
            return {"cells": await session.cells_shown(play), "run": session.run_shown()}

        return await _with_session(sessions, request, document_id, project, act)

    @router.get("/{document_id}/events", responses=_STREAM)
    @needs("read")
    async def watch_play(request: Request, document_id: DocumentId, project: Project = None) -> Any:
        """Sends what happens in a play as it happens: first the state, then changes, cells and runs."""

        async def act(session: PlaySession) -> Any:
            return streamed(_events(session))

        return await _with_session(sessions, request, document_id, project, act)


def _add_buttons(router: APIRouter, sessions: PlaySessions) -> None:
    @router.post("/{document_id}/run", responses=ASKS, response_model=RunAnswer)
    @needs("ingest", "read")
    async def run_play(
        request: Request, document_id: DocumentId, body: AskedRun, project: Project = None
    ) -> Any:
        """Runs cells; each column's run is an experiment. A run that is under way takes more."""

        async def act(session: PlaySession) -> dict[str, Any]:
            asked = RunRequest(body.what, body.columns, body.rows)
            return {"run": await session.begin(asked, author_of(request))}

        return await _with_session(sessions, request, document_id, project, act)

    @router.post("/{document_id}/stop", responses=ERRORS, response_model=RunAnswer)
    @needs("ingest", "read")
    async def stop_play(
        request: Request, document_id: DocumentId, body: AskedStop, project: Project = None
    ) -> Any:
        """Ends what runs and waits; what is done stays."""

        async def act(session: PlaySession) -> dict[str, Any]:
            return {"run": session.stop(body.columns)}

        return await _with_session(sessions, request, document_id, project, act)

    @router.post("/{document_id}/keep", responses={**CONFLICT, **ERRORS}, response_model=Kept)
    @needs("ingest", "read")
    async def keep_run(
        request: Request, document_id: DocumentId, body: AskedKeep, project: Project = None
    ) -> Any:
        """Keeps the experiment of a column's last run, and gives it a name."""

        async def act(session: PlaySession) -> dict[str, str]:
            return {"experiment": await session.keep(body.column, body.name, author_of(request))}

        return await _with_session(sessions, request, document_id, project, act)


async def _events(session: PlaySession) -> AsyncGenerator[bytes]:
    try:
        async for name, data in session.viewers.watched(session.state):
            yield event(name, data)
    except TraceStoreError as error:
        yield event("problem", {"detail": str(error)})
