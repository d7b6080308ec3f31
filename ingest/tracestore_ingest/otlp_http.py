"""OTLP over HTTP: `/v1/traces`, `/v1/logs`, and an honest `/v1/metrics`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from fastapi import APIRouter, Request, Response
from starlette.concurrency import run_in_threadpool

from tracestore.errors import (
    LimitExceededError,
    PayloadError,
    ProjectForbiddenError,
    StorageFullError,
    StoreClosedError,
    StoreFailedError,
    TraceStoreError,
    UnsupportedPayloadError,
)
from tracestore.limits import MAX_PAYLOAD_BYTES
from tracestore.store import Store
from tracestore_ingest import otlp_answers
from tracestore_ingest.admission import RETRY_AFTER_SECONDS, Admission, Busy
from tracestore_ingest.key_projects import Projects, bound_route, check_payload
from tracestore_ingest.otlp_answers import Outcome
from tracestore_ingest.request_route import route_of
from tracestore_ingest.wrong_signal import check_signal, hint

# (HTTP status, gRPC code, whether sending again can help), the most special type first.
STATUS_OF: Final[tuple[tuple[type[Exception], int, int, bool], ...]] = (
    (Busy, 503, 14, True),
    (LimitExceededError, 413, 8, False),
    (UnsupportedPayloadError, 415, 3, False),
    (PayloadError, 400, 3, False),
    (ProjectForbiddenError, 403, 7, False),
    (StorageFullError, 503, 14, True),
    (StoreFailedError, 503, 14, True),
    (StoreClosedError, 503, 14, True),
    (TraceStoreError, 400, 3, False),
)

MAX_EXPANSION: Final = 1100
"""gzip and deflate grow at most 1,032 times; zstd may grow more, and is bounded by the largest size alike."""

METRICS_MESSAGE: Final = (
    "metrics are not stored: this store keeps traces and logs; turn the metrics exporter off "
    "(OTEL_METRICS_EXPORTER=none)"
)


def otlp_router(store: Store, admission: Admission) -> APIRouter:
    """Returns the routes of OTLP over HTTP into a store."""
    router = APIRouter(tags=["otlp"])

    @router.post("/v1/traces", include_in_schema=False)
    async def traces(request: Request) -> Response:
        return await _export(request, store, admission, "traces")

    @router.post("/v1/logs", include_in_schema=False)
    async def logs(request: Request) -> Response:
        return await _export(request, store, admission, "logs")

    @router.post("/v1/metrics", include_in_schema=False)
    async def metrics(request: Request) -> Response:
        content_type = _answer_type(request)
        body = otlp_answers.success(Outcome(0, METRICS_MESSAGE), "metrics", content_type)
        return Response(body, media_type=content_type)

    return router


async def _export(request: Request, store: Store, admission: Admission, signal: str) -> Response:
    """Answers one export request; the body is read only as far as it may be long."""
    content_type = _answer_type(request)
    projects: Projects = getattr(request.state, "projects", None)
    declared = request.headers.get("content-type", "")
    encoding = request.headers.get("content-encoding")
    try:
        route = bound_route(route_of(request.headers), projects)
        body = await _body(request)
        # The body itself was counted as it came.
        with admission.hold(_held_bytes(body, encoding) - len(body)):
            if projects is not None:
                await run_in_threadpool(
                    check_payload, body, signal, declared, encoding, route, projects
                )
            report = await run_in_threadpool(
                store.ingest_otlp,
                body,
                signal,
                declared,
                encoding,
                route.project,
                route.experiment,
            )
            await run_in_threadpool(check_signal, body, signal, declared, encoding, report)
    except (TraceStoreError, Busy) as error:
        return _refusal(error, content_type)
    outcome = otlp_answers.outcome_of(report, hint(signal, report))
    return Response(otlp_answers.success(outcome, signal, content_type), media_type=content_type)


async def _body(request: Request) -> bytes:
    declared = request.headers.get("content-length", "0")
    if declared.isdigit() and int(declared) > MAX_PAYLOAD_BYTES:
        raise LimitExceededError(_too_large(int(declared)))
    parts: list[bytes] = []
    size = 0
    async for part in request.stream():
        size += len(part)
        if size > MAX_PAYLOAD_BYTES:
            raise LimitExceededError(_too_large(size))
        parts.append(part)
    return b"".join(parts)


def _held_bytes(body: bytes, encoding: str | None) -> int:
    """Returns what a body may take in memory: one that is compressed may grow to the largest size."""
    if (encoding or "identity").strip().lower() in {"", "identity", "none"}:
        return len(body)
    return min(MAX_PAYLOAD_BYTES, len(body) * MAX_EXPANSION)


def _too_large(size: int) -> str:
    return f"cannot read payload: it has {size} bytes or more; the limit is {MAX_PAYLOAD_BYTES}"


def unauthenticated(path: str, content_type: str, message: str, *, known: bool) -> Response:
    """Returns the refusal of an OTLP request without a key (401), or with one that may not send (403)."""
    kind = (
        otlp_answers.JSON if content_type.startswith(otlp_answers.JSON) else otlp_answers.PROTOBUF
    )
    status, code = (403, 7) if known else (401, 16)
    headers = {} if known else {"WWW-Authenticate": "Bearer"}
    return Response(
        otlp_answers.failure(code, f"cannot send to {path}: {message}", kind),
        status,
        headers,
        media_type=kind,
    )


_CODE_OF: Final = {404: 12, 405: 12, 408: 4, 413: 8, 503: 14}
"""gRPC codes of refusals that come before a route has read the body."""


def refused(
    request: Request, status: int, message: str, headers: Mapping[str, str] | None
) -> Response:
    """Returns a refusal of a request in the request's own encoding."""
    kind = _answer_type(request)
    body = otlp_answers.failure(_CODE_OF.get(status, 3), message, kind)
    return Response(body, status, headers, media_type=kind)


def _answer_type(request: Request) -> str:
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    return otlp_answers.JSON if kind == otlp_answers.JSON else otlp_answers.PROTOBUF


def _refusal(error: Exception, content_type: str) -> Response:
    for kind, status, code, again in STATUS_OF:
        if isinstance(error, kind):
            message = str(error) or "the server is busy; send the request again"
            headers = {"Retry-After": str(RETRY_AFTER_SECONDS)} if again else {}
            body = otlp_answers.failure(code, message, content_type)
            return Response(body, status, headers, media_type=content_type)
    raise error
