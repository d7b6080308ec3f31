"""The HTTP application: OTLP, the query API and operations over one store. Composition: knows the services."""

from __future__ import annotations

import contextlib
import functools
import threading
from collections.abc import AsyncIterator, Collection, Iterable
from typing import Any, Final

from fastapi import APIRouter, FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.openapi.utils import get_openapi
from fastapi.responses import HTMLResponse
from opentelemetry.trace import Tracer
from starlette.exceptions import HTTPException
from starlette.middleware.cors import CORSMiddleware

import tracestore
from tracestore.embedded import Store
from tracestore.engine_process.door import EngineDoor
from tracestore.gateway.frame import ProviderErrors
from tracestore.gateway.shapes import PREFIX
from tracestore.scopes import needs
from tracestore.serving.api_routes import include_api
from tracestore.serving.engine_routes import Split, dataset_query_router
from tracestore.serving.forwarding import Forwarding
from tracestore.serving.gate import Gate
from tracestore.serving.http.browsers import BrowserRules
from tracestore.serving.http.request_frame import REQUEST_ID, App, RequestFrame
from tracestore.serving.mcp_route import McpRoute
from tracestore.serving.meters import Meters
from tracestore.serving.other_doors import OtherDoors
from tracestore.serving.problems import RefusedError, invalid_answer, problem_answer
from tracestore.serving.route_scopes import RouteScopes
from tracestore.serving.routes_page import STYLE, STYLE_PATH, routes_page
from tracestore.store import KeyRing
from tracestore.ui.pages import pages_router
from tracestore.ui.session_api import session_router
from tracestore_ingest.admission import Admission
from tracestore_ingest.otlp_http import DirectExports, ExportSink, otlp_router, refused
from tracestore_ingest.threads import IngestThreads
from tracestore_query.api.alerts import Watch, alerts_router
from tracestore_query.api.answers import Problem
from tracestore_query.api.documents import documents_router
from tracestore_query.api.keys import keys_router


def make_app(
    store: Store,
    admission: Admission,
    gate: Gate,
    browsers: BrowserRules,
    keys: KeyRing,
    alerts: Watch,
    meters: Meters,
    rooms: Iterable[APIRouter] = (),
    *,
    body_timeout_s: float,
    cors_origins: Collection[str] = (),
    engine: EngineDoor | None = None,
    log_all: bool = False,
    tracer: Tracer | None = None,
    stopping: threading.Event | None = None,
) -> App:
    """Returns the HTTP application over an open store.

    Args:
        store: what it writes and asks.
        admission: bounds the bytes under way.
        gate: asks for keys.
        browsers: the rules for requests of web pages.
        keys: the keys that there are, asked for or not.
        alerts: looks at alerts and sends what they tell.
        meters: measures what it does.
        rooms: the routes of rooms that stand beside the store: they answer in this process.
        body_timeout_s: seconds in which a request's body must come.
        cors_origins: origins whose pages may send requests and read answers.
        engine: answers what reads in a process of its own; None for this one.
        log_all: whether every answer is logged, and not only those that failed.
        tracer: makes a span of each request, None for none.
        stopping: is set when the server stops; what never ends by itself ends then.
    """
    app = FastAPI(
        title="tracestore",
        description="OTLP in, SQL out. OTLP itself is served at /v1/traces and /v1/logs.",
        lifespan=_no_lifespan,
        # Its own pages load scripts from elsewhere, and a redirect names the host that a request gave.
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
    )

    @app.get("/healthz", tags=["operations"])
    @needs()
    async def healthz() -> dict[str, str]:
        """Tells that the process answers."""
        return {"status": "ok"}

    @app.get("/readyz", tags=["operations"])
    @needs()
    async def readyz() -> dict[str, str]:
        """Tells that the store is open. How much it holds is for keys to ask."""
        return {"status": "ready"}

    @app.get("/metrics", tags=["operations"], response_class=Response)
    @needs("read")
    def metrics(request: Request) -> Response:
        """Gives counters and gauges in Prometheus' text format, to a key of all projects."""
        if getattr(request.state, "projects", None) is not None:
            detail = "counts of the whole store are for a key that is bound to no projects"
            return problem_answer(403, "Not allowed", detail)
        return Response(meters.text(), media_type="text/plain; version=0.0.4")

    @app.get("/docs", include_in_schema=False)
    @needs()
    async def documentation() -> Response:
        return HTMLResponse(routes_page(app.openapi()))

    @app.get(STYLE_PATH, include_in_schema=False)
    @needs()
    async def style() -> Response:
        return Response(STYLE, media_type="text/css")

    @app.exception_handler(RequestValidationError)
    async def invalid(_: Request, error: RequestValidationError) -> Response:
        return invalid_answer(error)

    @app.exception_handler(HTTPException)
    async def refuse(request: Request, error: HTTPException) -> Response:
        return _refused(request, error)

    @app.exception_handler(Exception)
    async def failed(request: Request, _: Exception) -> Response:
        return _failed(request)

    threads = IngestThreads()
    sink = ExportSink(store, admission, threads, meters.ingest)
    app.include_router(otlp_router(sink))
    if engine is not None:
        app.include_router(dataset_query_router(engine, store.datasets))
    include_api(app, store, stopping or threading.Event(), threads)
    app.include_router(documents_router(store.documents))
    app.include_router(keys_router(store, keys))
    mcp = McpRoute()
    own = (
        alerts_router(store.documents, alerts),
        *rooms,
        mcp.router,
        session_router(gate.sessions),
        pages_router(),
    )
    _include(app, own)
    scopes = RouteScopes(app.routes)
    app.openapi = functools.partial(_document, app, scopes)  # type: ignore[method-assign]
    inner = _divided(app, store, gate, scopes, engine)
    framed: App = RequestFrame(
        DirectExports(inner, sink, _refused, _failed),
        gate,
        scopes,
        browsers,
        admission,
        meters,
        body_timeout_s,
        log_all=log_all,
        tracer=tracer,
    )
    framed = ProviderErrors(OtherDoors(framed))
    mcp.app = framed
    if not cors_origins:
        return framed
    return CORSMiddleware(
        framed,
        allow_origins=cors_origins,
        allow_methods=("GET", "POST", "PUT", "PATCH", "DELETE"),
        allow_headers=("*",),
        allow_private_network=True,
        expose_headers=("Retry-After", REQUEST_ID),
    )


def _divided(
    app: FastAPI, store: Store, gate: Gate, scopes: RouteScopes, engine: EngineDoor | None
) -> App:
    """Returns the application with what another process or another node answers of it."""
    inner: App = app if engine is None else Split(app, engine, scopes)
    if store.nodes.only_answers:
        inner = Forwarding(inner, scopes, store.nodes.takers, gate.session_key)
    return inner


def _include(app: FastAPI, routers: Iterable[APIRouter]) -> None:
    for router in routers:
        app.include_router(router)


_OTLP_KINDS: Final = ("application/x-protobuf", "application/json")


def _failed(request: Request) -> Response:
    # What went wrong is in the log, under this id; it may name files.
    detail = f"the server failed; its log says more about request {request.state.request_id}"
    return problem_answer(500, "Failed", detail)


def _refused(request: Request, error: HTTPException) -> Response:
    """Returns the answer where no route has one; exporters get it in the form that they log."""
    if isinstance(error, RefusedError):
        if request.url.path.startswith("/v1/"):
            return refused(request, error.status_code, error.detail, error.headers)
        return error.answer()
    detail, hint = str(error.detail), None
    if request.method == "POST" and error.status_code in {404, 405}:
        hint = "OTLP over HTTP is POST /v1/traces and POST /v1/logs, SQL is POST /api/query"
        kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
        if kind in _OTLP_KINDS and not request.url.path.startswith(("/api/", PREFIX)):
            text = f"nothing takes data at {request.url.path}; {hint}"
            return refused(request, error.status_code, text, error.headers)
    return problem_answer(error.status_code, detail, detail, headers=error.headers, hint=hint)


def _document(app: FastAPI, scopes: RouteScopes) -> dict[str, Any]:
    """Returns the OpenAPI document with the shape of errors and each operation's scopes; it is made once."""
    if app.openapi_schema is None:
        document = get_openapi(
            title=app.title,
            version=tracestore.__version__,
            description=app.description,
            routes=app.routes,
        )
        document.setdefault("components", {}).setdefault("schemas", {})["Problem"] = (
            Problem.model_json_schema()
        )
        for path, operations in document["paths"].items():
            for method, operation in operations.items():
                operation["x-scopes"] = scopes.of(method.upper(), path)
        app.openapi_schema = document
    return app.openapi_schema


@contextlib.asynccontextmanager
async def _no_lifespan(_: FastAPI) -> AsyncIterator[None]:
    yield
