"""Which requests the engine process answers: all that need no more than the right to read."""

from __future__ import annotations

import json
from collections.abc import Iterator, MutableMapping
from typing import Any, Final
from urllib.parse import urlencode

from fastapi import APIRouter, Request
from fastapi.responses import Response
from starlette.concurrency import run_in_threadpool

from tracestore.engine_process.door import EngineDoor
from tracestore.errors import DatasetError, TraceStoreError
from tracestore.limits import MAX_PAYLOAD_BYTES
from tracestore.scopes import needs
from tracestore.serving.http.bodies import Receive
from tracestore.serving.mcp_route import MCP_PATH
from tracestore.serving.problems import RefusedError
from tracestore.serving.route_scopes import RouteScopes
from tracestore.store import DATASET_FIELDS, DatasetRow, make_row
from tracestore_query import SqlDatasets
from tracestore_query.api.answers import problem
from tracestore_query.api.datasets import Name, Project, QueryRows, Report, project_of

ROWS_PATH: Final = "/api/datasets/query"
"""In the serving process it stores the rows of a query's answer; in the engine process it gives them."""

ROWS_KIND: Final = "application/x-tracestore-dataset-rows"

_ROOMS: Final = ("/api/", "/jaeger/", "/tempo/")
"""Where statements are asked for, in our words and in those of other tools."""

_OWN: Final = (
    "/api/documents",
    "/api/alerts",
    "/api/status",
    "/api/providers",
    "/api/prompts",
    "/api/play",
    "/api/scorers",
    "/api/tools",
    MCP_PATH,
)
"""What this process answers though it only reads: no statement runs for it, or it has one asked of the engine itself.

What MCP asks comes back to the application, request by request."""


class Split:
    """An application that has what reads answered by the engine process, and answers the rest itself."""

    def __init__(self, app: Any, engine: EngineDoor, scopes: RouteScopes) -> None:
        self._app = app
        self._scopes = scopes
        self._engine = engine

    async def __call__(self, scope: MutableMapping[str, Any], receive: Receive, send: Any) -> None:
        """Answers one request."""
        path = scope["path"]
        own = not path.startswith(_ROOMS) or path.startswith(_OWN)
        if own or self._scopes.of(scope["method"], path) != ("read",):
            await self._app(scope, receive, send)
            return
        try:
            await self._engine(scope, receive, send)
        except RefusedError as error:
            # The body is read before anything is answered.
            await error.answer()(scope, receive, send)


def dataset_query_router(engine: EngineDoor, datasets: SqlDatasets) -> APIRouter:
    """Returns the route that stores a query's answer: the engine process makes the rows, this one keeps them."""
    router = APIRouter(tags=["datasets"])

    @router.post(ROWS_PATH, response_model=Report, include_in_schema=False)
    @needs("ingest", "read")
    async def add_query(
        request: Request, body: QueryRows, name: Name, project: Project = None
    ) -> Any:
        """Adds the answer of a query as one version."""
        try:
            owner = project_of(request, project)
        except TraceStoreError as error:
            return problem(error)
        answer = await _gathered(engine, request, body, owner)
        if answer.status_code != 200 or answer.media_type != ROWS_KIND:
            return answer
        try:
            return await run_in_threadpool(_add, datasets, name, bytes(answer.body), owner)
        except TraceStoreError as error:
            return problem(error)

    return router


def _add(datasets: SqlDatasets, name: str, lines: bytes, project: str) -> dict[str, int]:
    report = datasets.add_rows(name, _rows(lines, project), project=project)
    return {field: getattr(report, field) for field in Report.model_fields}


def _rows(lines: bytes, project: str) -> Iterator[DatasetRow]:
    """Yields the rows that the engine process gave; they are checked as those of any client."""
    for number, line in enumerate(lines.splitlines()):
        row_id, texts = json.loads(line)
        for field, text in texts.items():
            if field not in DATASET_FIELDS:
                raise DatasetError(f"cannot keep row {number}: it has no place for {field!r}")
            json.loads(text)
        yield make_row(number, row_id, texts, project)


async def _gathered(
    engine: EngineDoor, request: Request, body: QueryRows, project: str
) -> Response:
    """Returns the engine's whole answer to a request, up to the bound of a body of rows."""
    scope = {**request.scope, "query_string": urlencode({"project": project}).encode()}
    parts: list[bytes] = []
    start: dict[str, Any] = {}
    size = 0
    given = [body.model_dump_json().encode()]

    async def receive() -> MutableMapping[str, Any]:
        if given:
            return {"type": "http.request", "body": given.pop(), "more_body": False}
        return await request.receive()

    async def send(message: MutableMapping[str, Any]) -> None:
        nonlocal size
        if message["type"] == "http.response.start":
            start.update(message)
            return
        size += len(message["body"])
        if size > MAX_PAYLOAD_BYTES:
            raise DatasetError(
                f"cannot keep the answer: its rows have more than {MAX_PAYLOAD_BYTES} bytes; add it in parts"
            )
        parts.append(message["body"])

    try:
        await engine(scope, receive, send)
    except DatasetError as error:
        return problem(error)
    headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in start["headers"]}
    kept = {name: value for name, value in headers.items() if name == "retry-after"}
    kind = headers.get("content-type", "").partition(";")[0]
    return Response(b"".join(parts), start["status"], kept, media_type=kind)
