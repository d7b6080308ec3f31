"""OTLP over HTTP: `/v1/traces`, `/v1/logs`, and an honest `/v1/metrics`."""

from __future__ import annotations

import functools
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any, Final

from fastapi import APIRouter, Request, Response
from google.rpc import code_pb2
from starlette.exceptions import HTTPException

from tracestore.content_types import JSON, PROTOBUF
from tracestore.errors import LimitExceededError, TraceStoreError
from tracestore.limits import MAX_PAYLOAD_BYTES
from tracestore.scopes import needs
from tracestore.store import Store, largest_plain_bytes
from tracestore_ingest import otlp_answers
from tracestore_ingest.admission import RETRY_AFTER_SECONDS, Admission, Busy
from tracestore_ingest.export import ExportRequest, store_export
from tracestore_ingest.meter import IngestMeter
from tracestore_ingest.otlp_answers import METRICS_OUTCOME
from tracestore_ingest.threads import IngestThreads

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[MutableMapping[str, Any], Receive, Send], Awaitable[None]]

_SIGNALS: Final = {"/v1/traces": "traces", "/v1/logs": "logs"}
# What a frame around the application reads of the route that answered.
_ROUTES: Final = {path: SimpleNamespace(path=path) for path in _SIGNALS}


@dataclass(frozen=True, slots=True)
class ExportSink:
    """Where requests go, and within which bounds."""

    store: Store
    admission: Admission
    threads: IngestThreads
    meter: IngestMeter


def otlp_router(sink: ExportSink) -> APIRouter:
    """Returns the routes of OTLP over HTTP into a store."""
    router = APIRouter(tags=["otlp"])

    @router.post("/v1/traces", include_in_schema=False)
    @needs("ingest")
    async def traces(request: Request) -> Response:
        return await _export(request, sink, "traces")

    @router.post("/v1/logs", include_in_schema=False)
    @needs("ingest")
    async def logs(request: Request) -> Response:
        return await _export(request, sink, "logs")

    @router.post("/v1/metrics", include_in_schema=False)
    @needs("ingest")
    async def metrics(request: Request) -> Response:
        content_type = _answer_type(request)
        body = otlp_answers.success(METRICS_OUTCOME, "metrics", content_type)
        return Response(body, media_type=content_type)

    return router


class DirectExports:
    """An application that answers what exporters send all the time without the framework around its other routes.

    The framework took a quarter of the time that HTTP takes of a request of 512 spans.

    Args:
        app: answers everything else.
        sink: where requests go.
        refuse: makes the answer to a request that is refused while its body comes.
        fail: makes the answer where the server is at fault.
    """

    def __init__(
        self,
        app: App,
        sink: ExportSink,
        refuse: Callable[[Request, HTTPException], Response],
        fail: Callable[[Request], Response],
    ) -> None:
        self._app = app
        self._sink = sink
        self._refuse = refuse
        self._fail = fail

    async def __call__(self, scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        """Answers one request."""
        path = scope["path"]
        if path not in _SIGNALS or scope["method"] != "POST":
            await self._app(scope, receive, send)
            return
        scope["route"] = _ROUTES[path]
        request = Request(scope, receive)
        try:
            answer = await _export(request, self._sink, _SIGNALS[path])
        except HTTPException as error:
            answer = self._refuse(request, error)
        except Exception:
            await self._fail(request)(scope, receive, send)
            raise
        await answer(scope, receive, send)


async def _export(request: Request, sink: ExportSink, signal: str) -> Response:
    """Answers one export request; the body is read only as far as it may be long."""
    content_type = _answer_type(request)
    encoding = request.headers.get("content-encoding")
    peer = getattr(request.state, "caller", "")
    try:
        body = await _body(request)
        export = ExportRequest(
            signal=signal,
            body=body,
            content_type=request.headers.get("content-type", ""),
            encoding=encoding,
            headers=request.headers,
            allowed=getattr(request.state, "projects", None),
        )
        with sink.meter.measured(signal, peer):
            # The body itself was counted as it came.
            plain_bytes = largest_plain_bytes(len(body), encoding, MAX_PAYLOAD_BYTES)
            with sink.admission.hold(plain_bytes - len(body)):
                store = functools.partial(store_export, sink.store, export)
                outcome = await sink.threads.run(store)
    except (TraceStoreError, Busy) as error:
        return _failed(error, content_type)
    sink.meter.rows_refused(signal, peer, outcome)
    return Response(otlp_answers.success(outcome, signal, content_type), media_type=content_type)


async def _body(request: Request) -> bytes:
    declared = request.headers.get("content-length", "0")
    if declared.isdigit() and int(declared) > MAX_PAYLOAD_BYTES:
        raise LimitExceededError(_too_large(int(declared)))
    chunks: list[bytes] = []
    size = 0
    async for chunk in request.stream():
        size += len(chunk)
        if size > MAX_PAYLOAD_BYTES:
            raise LimitExceededError(_too_large(size))
        chunks.append(chunk)
    return b"".join(chunks)


def _too_large(size: int) -> str:
    return f"cannot read payload: it has {size} bytes or more; the limit is {MAX_PAYLOAD_BYTES}"


def unauthenticated(path: str, content_type: str, message: str, *, known: bool) -> Response:
    """Returns the refusal of an OTLP request without a key (401), or with one that may not send (403)."""
    kind = JSON if content_type.startswith(JSON) else PROTOBUF
    status, code = (403, code_pb2.PERMISSION_DENIED) if known else (401, code_pb2.UNAUTHENTICATED)
    headers = {} if known else {"WWW-Authenticate": "Bearer"}
    body = otlp_answers.failure(code, f"cannot send to {path}: {message}", kind)
    return Response(body, status, headers, media_type=kind)


_CODE_OF: Final = {
    404: code_pb2.UNIMPLEMENTED,
    405: code_pb2.UNIMPLEMENTED,
    408: code_pb2.DEADLINE_EXCEEDED,
    413: code_pb2.RESOURCE_EXHAUSTED,
    503: code_pb2.UNAVAILABLE,
}
"""gRPC codes of refusals that come before a route has read the body."""


def refused(
    request: Request, status: int, message: str, headers: Mapping[str, str] | None
) -> Response:
    """Returns a refusal of a request in the request's own encoding."""
    kind = _answer_type(request)
    body = otlp_answers.failure(_CODE_OF.get(status, code_pb2.INVALID_ARGUMENT), message, kind)
    return Response(body, status, headers, media_type=kind)


def _answer_type(request: Request) -> str:
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    return JSON if kind == JSON else PROTOBUF


def _failed(error: TraceStoreError | Busy, content_type: str) -> Response:
    refusal = otlp_answers.refusal_of(error)
    headers = {"Retry-After": str(RETRY_AFTER_SECONDS)} if refusal.may_retry else {}
    body = otlp_answers.failure(refusal.grpc_code, otlp_answers.message_of(error), content_type)
    return Response(body, refusal.http_status, headers, media_type=content_type)
