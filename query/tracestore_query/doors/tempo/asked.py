"""Statements behind Tempo's routes, each under the projects of the request's key."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from fastapi import Request
from fastapi.responses import JSONResponse, Response
from starlette.concurrency import run_in_threadpool

from tracestore.errors import TraceStoreError
from tracestore_query.api.answers import problem, projects_of
from tracestore_query.query import Query

TIMEOUT_S: Final = 60.0
"""Seconds of one statement; Grafana gives up a question after thirty, a person after less."""

Rows = list[dict[str, Any]]
Ask = Callable[[str, Mapping[str, Any]], Rows]
"""Returns the rows of a statement with its parameters."""


class Asked:
    """A store's query layer as the routes use it."""

    def __init__(self, query: Query) -> None:
        self._query = query

    async def answer(self, request: Request, work: Callable[[Ask], Any]) -> Response:
        """Answers with what some work makes: a document of JSON, or an answer as it is."""
        projects = projects_of(request)

        def ask(sql: str, values: Mapping[str, Any]) -> Rows:
            return self._query.sql(sql, values, projects=projects, timeout_s=TIMEOUT_S).rows()

        try:
            made = await run_in_threadpool(work, ask)
        except TraceStoreError as error:
            return problem(error)
        return made if isinstance(made, Response) else JSONResponse(made)
