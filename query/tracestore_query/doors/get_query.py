"""A statement in an address: `GET /api/query`, for dashboards, spreadsheets, notebooks and `curl`."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from typing import Annotated, Any, Final, Literal

from fastapi import APIRouter, Header, Request
from fastapi import Query as Parameter
from fastapi.responses import Response
from starlette.concurrency import run_in_threadpool

from tracestore.errors import TraceStoreError
from tracestore.scopes import needs
from tracestore_query.answer import formats
from tracestore_query.answer.result import Result
from tracestore_query.api.answers import (
    DEFAULT_TIMEOUT_S,
    ERRORS,
    MAX_TIMEOUT_S,
    answer_of,
    narrowed,
    problem,
)
from tracestore_query.doors.moments import length_of, moment_of
from tracestore_query.errors import QueryParameterError
from tracestore_query.query import Query

NAMES: Final = {
    "json": formats.JSON,
    "objects": formats.OBJECTS,
    "ndjson": formats.NDJSON,
    "csv": formats.CSV,
    "arrow": formats.ARROW,
    "parquet": formats.PARQUET,
}
"""What `format` may say, for those who cannot send Accept."""

CACHED: Final = {"Cache-Control": "private, no-cache", "Vary": "Accept, Authorization, X-API-Key"}
"""A cache asks each time whether the rows are still the same, and keeps nothing for others."""

UNCACHED: Final = {**CACHED, "Cache-Control": "no-store"}

_CONTENT: Final[dict[int | str, dict[str, Any]]] = {
    200: {
        "description": "The rows, in the format that `format` or Accept names.",
        "content": {kind: {} for kind in formats.FORMATS},
    },
    304: {"description": "The rows are those of the answer whose ETag was sent."},
    **ERRORS,
}

Time = Annotated[
    str | None,
    Parameter(max_length=64, description="Milliseconds since 1970, or ISO 8601."),
]


def get_query_router(query: Query) -> APIRouter:
    """Returns the route over a store."""
    router = APIRouter(prefix="/api", tags=["query"])

    @router.get("/query", responses=_CONTENT)
    @needs("read")
    async def get_query(
        request: Request,
        sql: Annotated[str, Parameter(min_length=1, max_length=60_000)],
        params: Annotated[
            str | None, Parameter(max_length=60_000, description="JSON: values of `$name` or `?`.")
        ] = None,
        time_from: Annotated[Time, Parameter(alias="from")] = None,
        to: Time = None,
        step: Annotated[
            str | None,
            Parameter(max_length=64, description="Milliseconds, or a length such as 30s, 5m, 1h."),
        ] = None,
        format: Literal["json", "objects", "ndjson", "csv", "arrow", "parquet"] | None = None,  # noqa: A002 - its name
        max_rows: Annotated[int | None, Parameter(ge=1)] = None,
        timeout_s: Annotated[
            float, Parameter(gt=0, le=MAX_TIMEOUT_S, allow_inf_nan=False)
        ] = DEFAULT_TIMEOUT_S,
        project: Annotated[str | None, Parameter(max_length=1024)] = None,
        accept: Annotated[str, Header()] = formats.JSON,
        if_none_match: Annotated[str, Header()] = "",
    ) -> Any:
        """Answers one SQL statement; `from`, `to` and `step` are `$from`, `$to` and `$step` in it."""
        kind = NAMES[format] if format is not None else formats.format_of(accept)
        projects = narrowed(request, project)

        def begin() -> tuple[Result, str | None, Iterator[bytes] | None]:
            values = values_of(params, time_from, to, step)
            result = query.sql(
                sql, values, projects=projects, timeout_s=timeout_s, max_rows=max_rows
            )
            asked = (sql, values, kind, max_rows, None if projects is None else sorted(projects))
            tag = _tag(result, asked)
            if tag is not None and _names(if_none_match, tag):
                result.close()
                return result, tag, None
            return result, tag, formats.started(result, kind)

        try:
            result, tag, parts = await run_in_threadpool(begin)
        except TraceStoreError as error:
            return problem(error)
        headers = UNCACHED if tag is None else {**CACHED, "ETag": tag}
        if parts is None:
            return Response(status_code=304, headers=headers)
        answer = await answer_of(result, parts, kind)
        if answer.status_code == 200:
            answer.headers.update(headers)
        return answer

    return router


def values_of(
    params: str | None, time_from: str | None, to: str | None, step: str | None
) -> dict[str, Any] | list[Any] | None:
    """Returns the values of a statement's parameters.

    Raises:
        QueryParameterError: where one cannot be read.
    """
    named = {
        "from": None if time_from is None else moment_of("from", time_from),
        "to": None if to is None else moment_of("to", to),
        "step": None if step is None else length_of("step", step),
    }
    given = {name: value for name, value in named.items() if value is not None}
    try:
        own = None if params is None else json.loads(params)
    except (ValueError, RecursionError) as error:
        raise QueryParameterError(f"cannot read params: {error}; send JSON") from None
    if own is None:
        return given or None
    if isinstance(own, dict):
        return {**given, **own}
    if not isinstance(own, list):
        raise QueryParameterError("cannot read params: they are neither an object nor a list")
    if given:
        raise QueryParameterError(
            "cannot run query: from, to and step have names; send params as an object"
        )
    return own


def _tag(result: Result, asked: tuple[Any, ...]) -> str | None:
    """Returns the ETag of an answer, a weak one: rows without ORDER BY may come in another order."""
    state = result.state()
    if state is None:
        return None
    digest = hashlib.blake2b(f"{asked!r} {state}".encode("utf-8", "replace"), digest_size=16)
    return f'W/"{digest.hexdigest()}"'


def _names(if_none_match: str, tag: str) -> bool:
    """Tells whether a header lists a tag; caches may have taken the mark of weakness off."""
    listed = {each.strip().removeprefix("W/") for each in if_none_match.split(",")}
    return "*" in listed or tag.removeprefix("W/") in listed
