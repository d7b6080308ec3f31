"""The application of the engine process: the routes of the API over a store that follows the writer."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator
from typing import Any

import pyarrow as pa
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import StreamingResponse
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException

from tracestore.embedded import Store
from tracestore.engine_process.engine import App, EngineSettings, run
from tracestore.errors import TraceStoreError
from tracestore.serving.api_routes import include_api
from tracestore.serving.engine_routes import ROWS_KIND, ROWS_PATH
from tracestore.serving.problems import invalid_answer, problem_answer
from tracestore_ingest.threads import IngestThreads
from tracestore_query import Result
from tracestore_query.api.answers import problem, projects_of, streamed
from tracestore_query.api.datasets import QueryRows
from tracestore_query.evals.datasets import rows_of_result


def main(settings: dict[str, Any], descriptors: list[int]) -> None:
    """Runs an engine process over two sockets: control and state."""
    pa.set_memory_pool(pa.system_memory_pool())
    control, state = (socket.socket(fileno=descriptor) for descriptor in descriptors)
    run(EngineSettings(**settings), control, state, make_app)


def make_app(store: Store, stopping: threading.Event) -> App:
    """Returns the application; who may ask what was decided before a request comes here."""
    app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None, redirect_slashes=False)

    @app.exception_handler(RequestValidationError)
    async def invalid(_: Request, error: RequestValidationError) -> Response:
        return invalid_answer(error)

    @app.exception_handler(HTTPException)
    async def refuse(_: Request, error: HTTPException) -> Response:
        detail = str(error.detail)
        return problem_answer(error.status_code, detail, detail, headers=error.headers)

    @app.exception_handler(Exception)
    async def failed(request: Request, _: Exception) -> Response:
        detail = f"the server failed; its log says more about request {request.state.request_id}"
        return problem_answer(500, "Failed", detail)

    @app.post(ROWS_PATH)
    async def rows(request: Request, body: QueryRows, project: str) -> Any:
        """Gives the rows of a dataset that a query's answer makes."""
        try:
            result = await run_in_threadpool(
                store.query.sql,
                body.sql,
                body.params,
                projects=projects_of(request),
                timeout_s=body.timeout_s,
            )
            lines = await run_in_threadpool(lambda: list(_lines(result, project)))
        except TraceStoreError as error:
            return problem(error)
        return StreamingResponse(streamed(result, iter(lines)), media_type=ROWS_KIND)

    include_api(app, store, stopping, IngestThreads())
    return app


def _lines(result: Result, project: str) -> Iterator[bytes]:
    for row in rows_of_result(result, project):
        yield json.dumps([row.row_id, row.texts]).encode() + b"\n"
