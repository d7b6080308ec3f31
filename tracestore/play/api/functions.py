"""What the routes of scorers and tools share: shapes of saved code, and refusals with a line."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

from fastapi.responses import JSONResponse, Response
from pydantic import BaseModel, Field
from starlette.concurrency import run_in_threadpool

from tracestore.errors import CodeError, TraceStoreError
from tracestore.sandbox.bounds import MAX_TIME_S
from tracestore.sandbox.outcome import Failure, Outcome
from tracestore.store import Document
from tracestore_query.api.answers import PROBLEM_JSON, problem


class Shown(BaseModel):
    """A stored scorer or tool as of one version."""

    name: str
    project: str
    version: int
    created_ns: int
    updated_ns: int
    author: str | None
    body: dict[str, Any]


class Version(BaseModel):
    """One version of a document."""

    version: int
    author: str | None
    created_ns: int


class ShownFailure(BaseModel):
    """Why code gave no result, with its line where one is to blame."""

    kind: Literal[
        "syntax", "error", "time", "memory", "recursion", "output", "input", "ended", "provider"
    ]
    message: str
    line: int | None


class Trial(BaseModel):
    """What a test run of code says beside its result."""

    printed: str = ""
    seconds: float
    failure: ShownFailure | None


TimeS = Field(default=2.0, gt=0, le=MAX_TIME_S, allow_inf_nan=False)
"""Seconds that a test run may take."""


def shown(document: Document) -> dict[str, Any]:
    """Returns a document as the API gives it."""
    fields = ("name", "project", "version", "created_ns", "updated_ns", "author", "body")
    return {field: getattr(document, field) for field in fields}


def trial(outcome: Outcome, failure: dict[str, Any] | None = None) -> dict[str, Any]:
    """Returns what a test run says of an outcome."""
    told = failure or told_of(outcome.failure)
    return {"printed": outcome.printed, "seconds": outcome.seconds, "failure": told}


def told_of(failure: Failure | None) -> dict[str, Any] | None:
    """Returns a failure as the API gives it."""
    if failure is None:
        return None
    return {"kind": failure.kind, "message": failure.message, "line": failure.line}


async def saved(save: Callable[[], Document]) -> Any:
    """Returns what a save gives, or its refusal; one of code says the line in `errors`."""
    try:
        return shown(await run_in_threadpool(save))
    except CodeError as error:
        return refused(error)
    except TraceStoreError as error:
        return problem(error)


def refused(error: CodeError) -> Response:
    """Returns the refusal of code: a problem document whose `errors` has the line."""
    detail, _, hint = str(error).partition("; ")
    body = {
        "type": "urn:tracestore:CodeError",
        "title": "CodeError",
        "status": 422,
        "detail": detail,
        "hint": hint or None,
        "errors": [{"loc": ["body", "body", "code"], "line": error.line, "msg": detail}],
    }
    return JSONResponse(body, 422, media_type=PROBLEM_JSON)
