"""Scores of Langfuse's SDKs over HTTP: `/api/public/scores` and the scores of `/api/public/ingestion`.

Their spans come as OTLP. A score becomes a patch of its observation, or of the root span of its trace.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, Any, Final, Literal

from fastapi import APIRouter, Request
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from starlette.responses import JSONResponse

from tracestore.errors import PatchError, TraceStoreError
from tracestore.scopes import needs
from tracestore_query.api.answers import ERRORS, projects_of
from tracestore_query.api.datasets import answered, project_of
from tracestore_query.query import Query

MAX_EVENTS: Final = 10_000
"""Events of one batch: each score is looked up and stored by itself."""

_ROOT: Final = "SELECT span_id FROM spans WHERE trace_id = $trace_id AND is_root LIMIT 1"
_SCORE: Final = "score-create"
_LOG: Final = "sdk-log"

Id = Annotated[str, Field(min_length=1, max_length=256)]


class Score(BaseModel):
    """A score of an observation or of a whole trace."""

    model_config = ConfigDict(extra="ignore")

    id: str | None = Field(default=None, max_length=256)
    traceId: Id  # noqa: N815 - the other house's name
    observationId: Id | None = None  # noqa: N815 - the same
    name: str = Field(min_length=1, max_length=1024)
    value: bool | int | float | str = Field(description="A text is a category: it is metadata.")
    comment: str | None = None


class Event(BaseModel):
    """One event of a batch."""

    model_config = ConfigDict(extra="ignore")

    id: str = Field(max_length=256)
    type: str = Field(max_length=256)
    body: dict[str, Any] | None = None


class Batch(BaseModel):
    """The events that an SDK sends together."""

    model_config = ConfigDict(extra="ignore")

    batch: list[Event] = Field(max_length=MAX_EVENTS)


class ScoreAnswer(BaseModel):
    """The id of a score that is stored."""

    id: str | None


class ScoreError(BaseModel):
    """Why one score of a list is not stored, by its place in the list."""

    index: int
    id: str | None
    message: str


class Accepted(BaseModel):
    """Every score of a list is stored."""

    message: Literal["Accepted"]


class ScoresAnswer(BaseModel):
    """The number of scores of a list that are stored."""

    accepted: int
    rejected: int
    errors: list[ScoreError]


class EventAnswer(BaseModel):
    """What became of one event."""

    id: str
    status: int
    message: str | None = None


class BatchAnswer(BaseModel):
    """What became of the events of a batch."""

    successes: list[EventAnswer]
    errors: list[EventAnswer]


def langfuse_router(query: Query, patch: Callable[[Sequence[Mapping[str, Any]]], int]) -> APIRouter:
    """Returns the routes that take Langfuse's scores.

    Args:
        query: finds the root span of a trace.
        patch: stores patches, all of them or none, and returns their number.
    """
    router = APIRouter(prefix="/api/public", tags=["feedback"])

    def store(request: Request, score: Score) -> None:
        project = project_of(request, None)
        span_id = score.observationId or _root_of(query, project, score.traceId)
        patch([_patch(score, project, span_id)])

    @router.post(
        "/scores",
        responses={**ERRORS, 202: {"model": Accepted}, 207: {"model": ScoresAnswer}},
        response_model=ScoreAnswer,
    )
    @needs("ingest")
    async def score(
        request: Request,
        body: Score | Annotated[list[dict[str, Any]], Field(max_length=MAX_EVENTS)],
    ) -> Any:
        """Scores an observation, or the root span of a trace; every later query sees it.

        A list is answered with 202, and with 207 where some of its scores were not stored.
        """

        def stored() -> Any:
            if isinstance(body, Score):
                store(request, body)
                return {"id": body.id}
            faults = [_fault(each, lambda score: store(request, score)) for each in body]
            errors = [
                {"index": index, "id": _id_of(body[index]), "message": fault}
                for index, fault in enumerate(faults)
                if fault is not None
            ]
            if not errors:
                return JSONResponse({"message": "Accepted"}, status_code=202)
            answer = {"accepted": len(body) - len(errors), "rejected": len(errors)}
            return JSONResponse({**answer, "errors": errors}, status_code=207)

        project_of(request, None)
        return await answered(stored)

    @router.post("/ingestion", status_code=207, responses=ERRORS, response_model=BatchAnswer)
    @needs("ingest")
    async def ingest(request: Request, body: Batch) -> Any:
        """Takes the scores of a batch; spans come as OTLP, and other events are refused one by one."""

        def taken() -> JSONResponse:
            answers = [_taken(event, lambda each: store(request, each)) for event in body.batch]
            successes = [answer for answer in answers if answer["status"] < 300]
            errors = [answer for answer in answers if answer["status"] >= 300]
            return JSONResponse({"successes": successes, "errors": errors}, status_code=207)

        project_of(request, None)
        return await answered(taken)

    @router.get("/projects", responses=ERRORS)
    @needs("ingest")
    async def projects(request: Request) -> dict[str, Any]:
        """Names the project of the key: SDKs check their keys with it."""
        name = project_of(request, None) if projects_of(request) is not None else "default"
        return {"data": [{"id": name, "name": name}]}

    return router


def _root_of(query: Query, project: str, trace_id: str) -> str:
    """Returns the root span of a trace.

    Raises:
        PatchError: where it has not come.
    """
    rows = query.sql(_ROOT, {"trace_id": trace_id.lower()}, projects=[project]).rows()
    if not rows:
        raise PatchError(
            f"cannot score trace {trace_id[:64]}: its root span has not come; send the score after "
            "the span, or with an observationId"
        )
    return str(rows[0]["span_id"])


def _patch(score: Score, project: str, span_id: str) -> dict[str, Any]:
    change: dict[str, Any] = {"project": project, "trace_id": score.traceId, "span_id": span_id}
    if isinstance(score.value, str):
        change["metadata"] = {score.name: score.value}
    elif isinstance(score.value, float) and not math.isfinite(score.value):
        raise PatchError(f"cannot score {score.name[:64]!r}: want a finite number")
    else:
        change["scores"] = {score.name: score.value}
    if score.comment:
        change["comment"] = score.comment
    return change


def _taken(event: Event, store: Callable[[Score], None]) -> dict[str, Any]:
    """Returns what became of one event."""
    if event.type == _LOG:
        return {"id": event.id, "status": 201}
    if event.type != _SCORE:
        message = (
            f"cannot take {event.type!r}: spans are taken as OTLP at /api/public/otel/v1/traces; "
            "use an SDK of Langfuse of version 3 or later"
        )
        return {"id": event.id, "status": 400, "message": message}
    fault = _fault(event.body or {}, store)
    if fault is not None:
        return {"id": event.id, "status": 400, "message": fault}
    return {"id": event.id, "status": 201}


def _fault(body: Mapping[str, Any], store: Callable[[Score], None]) -> str | None:
    """Stores one score; returns why it cannot be, None where it is."""
    try:
        store(Score.model_validate(body))
    except ValidationError as error:
        first = error.errors()[0]
        return f"cannot score: {'.'.join(str(step) for step in first['loc'])}: {first['msg']}"
    except TraceStoreError as error:
        return str(error)
    return None


def _id_of(body: Mapping[str, Any]) -> str | None:
    value = body.get("id")
    return value if isinstance(value, str) else None
