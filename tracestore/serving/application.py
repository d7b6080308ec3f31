"""The HTTP application: OTLP, the query API and operations over one store. Composition: knows the services."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import AsyncIterator
from importlib.metadata import version
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.openapi.utils import get_openapi
from opentelemetry.trace import Tracer
from prometheus_client import CollectorRegistry, Counter, Gauge, generate_latest

from tracestore.embedded import Store
from tracestore.serving.gate import Gate
from tracestore.serving.request_frame import App, RequestFrame, SlowBodyError, problem_answer
from tracestore_ingest.admission import Admission
from tracestore_ingest.otlp_http import otlp_router
from tracestore_query.api.answers import Problem
from tracestore_query.api.datasets import datasets_router
from tracestore_query.api.experiments import experiments_router
from tracestore_query.api.export import export_router
from tracestore_query.api.patches import patches_router
from tracestore_query.api.query import api_router
from tracestore_query.api.schema import schema_router
from tracestore_query.api.traces import traces_router


def make_app(
    store: Store,
    admission: Admission,
    gate: Gate,
    *,
    body_timeout_s: float,
    log_all: bool = False,
    tracer: Tracer | None = None,
) -> App:
    """Returns the HTTP application over an open store.

    Args:
        store: what it writes and asks.
        admission: bounds the bytes under way.
        gate: asks for keys.
        body_timeout_s: seconds in which a request's body must come.
        log_all: whether every answer is logged, and not only those that failed.
        tracer: makes a span of each request, None for none.
    """
    app = FastAPI(
        title="tracestore",
        description="OTLP in, SQL out. OTLP itself is served at /v1/traces and /v1/logs.",
        lifespan=_no_lifespan,
    )
    registry, requests = _metrics(store, admission)

    @app.get("/healthz", tags=["operations"])
    async def healthz() -> dict[str, str]:
        """Tells that the process answers."""
        return {"status": "ok"}

    @app.get("/readyz", tags=["operations"])
    def readyz() -> dict[str, Any]:
        """Tells that the store is open, and how much it holds."""
        stats = store.stats()
        return {"status": "ready", "segments": stats.segments, "memory_rows": stats.memory_rows}

    @app.get("/metrics", tags=["operations"], response_class=Response)
    def metrics() -> Response:
        """Gives counters and gauges in Prometheus' text format."""
        return Response(generate_latest(registry), media_type="text/plain; version=0.0.4")

    @app.exception_handler(RequestValidationError)
    async def invalid(_: Request, error: RequestValidationError) -> Response:
        found = [
            {"loc": list(each["loc"]), "msg": each["msg"], "type": each["type"]}
            for each in error.errors()
        ]
        first = found[0]
        where = ".".join(str(part) for part in first["loc"])
        return problem_answer(422, "Not valid", f"{where}: {first['msg']}", errors=found)

    @app.exception_handler(SlowBodyError)
    async def slow(_: Request, error: SlowBodyError) -> Response:
        return problem_answer(408, "Too slow", str(error))

    @app.exception_handler(Exception)
    async def failed(request: Request, _: Exception) -> Response:
        # What went wrong is in the log, under this id; it may name files.
        detail = f"the server failed; its log says more about request {request.state.request_id}"
        return problem_answer(500, "Failed", detail)

    app.include_router(otlp_router(store, admission))
    app.include_router(api_router(store, store.query))
    app.include_router(schema_router(store, store.query))
    app.include_router(traces_router(store.query))
    app.include_router(export_router(store.query))
    app.include_router(datasets_router(store.datasets))
    app.include_router(experiments_router(store.experiments))
    app.include_router(patches_router(store.patch))
    app.openapi = functools.partial(_document, app)  # type: ignore[method-assign]
    return RequestFrame(app, gate, requests, body_timeout_s, log_all=log_all, tracer=tracer)


def _document(app: FastAPI) -> dict[str, Any]:
    """Returns the OpenAPI document, the shape of errors included; it is made once."""
    if app.openapi_schema is None:
        document = get_openapi(
            title=app.title,
            version=version("tracestore"),
            description=app.description,
            routes=app.routes,
        )
        document.setdefault("components", {}).setdefault("schemas", {})["Problem"] = (
            Problem.model_json_schema()
        )
        app.openapi_schema = document
    return app.openapi_schema


@contextlib.asynccontextmanager
async def _no_lifespan(_: FastAPI) -> AsyncIterator[None]:
    yield


def _metrics(store: Store, admission: Admission) -> tuple[CollectorRegistry, Counter]:
    registry = CollectorRegistry()
    requests = Counter(
        "tracestore_http_requests_total",
        "Requests answered.",
        ["route", "status"],
        registry=registry,
    )
    gauges = {
        "tracestore_segments": ("Live segments.", lambda: store.stats().segments),
        "tracestore_segment_bytes": (
            "Bytes of live segments.",
            lambda: store.stats().segment_bytes,
        ),
        "tracestore_memory_rows": ("Rows in no segment yet.", lambda: store.stats().memory_rows),
        "tracestore_wal_bytes": ("Bytes of the write-ahead log.", lambda: store.stats().wal_bytes),
        "tracestore_ingest_bytes_in_flight": (
            "Bytes of requests under way.",
            lambda: admission.bytes_in_flight,
        ),
    }
    for name, (text, read) in gauges.items():
        Gauge(name, text, registry=registry).set_function(read)
    return registry, requests
