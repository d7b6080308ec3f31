"""What surrounds every HTTP request: an id, who may ask, bounds on its body, a count, a line of the log, a span.

Plain ASGI: one function call around the application, so that the smallest query stays small.
"""

from __future__ import annotations

import re
import secrets
import time
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from contextlib import nullcontext
from typing import Any, Final

import anyio
import structlog
from opentelemetry.trace import Span, SpanKind, Status, StatusCode, Tracer
from starlette.requests import Request
from starlette.responses import Response

from tracestore.serving.gate import Gate
from tracestore.serving.http import bodies
from tracestore.serving.http.bodies import CountedBody, Receive
from tracestore.serving.http.browsers import SECURITY_HEADERS, BrowserRules
from tracestore.serving.http.connections import MAX_HEADERS
from tracestore.serving.meters import Meters
from tracestore.serving.problems import problem_answer
from tracestore.serving.route_scopes import RouteScopes
from tracestore_ingest.admission import Admission

log = structlog.get_logger("tracestore.http")

Message = MutableMapping[str, Any]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[MutableMapping[str, Any], Receive, Send], Awaitable[None]]

REQUEST_ID: Final = "x-request-id"
_REQUEST_ID: Final = REQUEST_ID.encode()
_GONE: Final = 499
"""The status that is counted where the sender left before it was answered, as web servers note it: nothing failed."""
MAX_ENGINE_ROUTES: Final = 200
"""Routes that the engine process may name; it has some fifty."""

_USABLE_ROUTE: Final = re.compile(r"/(?:api|jaeger|tempo)/[a-z0-9_/{}:-]{1,100}")
_SIGNALS: Final = {"/v1/traces": "traces", "/v1/logs": "logs", "/v1/metrics": "metrics"}
_USABLE_ID: Final = re.compile(r"[A-Za-z0-9._-]{1,128}")


class RequestFrame:
    """The frame around the application.

    Args:
        app: the application inside.
        gate: asks for keys.
        browsers: the rules for requests of web pages.
        admission: counts bytes of bodies as they come.
        meters: counts and measures answers.
        body_timeout_s: seconds in which a request's whole body must come.
        log_all: whether every answer is logged, and not only those that failed.
        tracer: makes a span of each request, None for none.
    """

    def __init__(
        self,
        app: App,
        gate: Gate,
        scopes: RouteScopes,
        browsers: BrowserRules,
        admission: Admission,
        meters: Meters,
        body_timeout_s: float,
        *,
        log_all: bool = False,
        tracer: Tracer | None = None,
    ) -> None:
        self._app = app
        self._log_all = log_all
        self._gate = gate
        self._scopes = scopes
        self._browsers = browsers
        self._admission = admission
        self._meters = meters
        self._engine_routes: set[str] = set()
        self._body_timeout_s = body_timeout_s
        self._tracer = tracer

    async def __call__(self, scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        """Answers one request; other kinds of connection go through."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        _drop_last_slash(scope)
        request = Request(scope)
        request_id = request.state.request_id = _request_id(request)
        started = time.perf_counter()
        status = _GONE
        is_watched = False
        answering = anyio.CancelScope()

        async def sending(message: Message) -> None:
            nonlocal status, is_watched
            if answering.cancel_called:
                return
            if is_watched and self._unkeyed(request) is not None:
                await send({"type": "http.response.body", "body": b""})
                answering.cancel()
                return
            if message["type"] == "http.response.start":
                status = message["status"]
                given = message.get("headers", [])
                is_watched = request.method == "GET" and _is_event_stream(given)
                # A provider's answer has an id of its own, which its support asks for.
                own = [] if any(name == _REQUEST_ID for name, _ in given) else [request_id]
                message["headers"] = [
                    *given,
                    *SECURITY_HEADERS,
                    *((_REQUEST_ID, each.encode()) for each in own),
                ]
            await send(message)

        with self._span(request) as span:
            try:
                refusal = self._refusal(request)
                if refusal is not None:
                    self._note_unsent(request, refusal)
                    await refusal(scope, receive, sending)
                else:
                    with answering:
                        await self._answer(request, receive, sending)
            except Exception:
                # The application has answered, unless it failed before it could.
                status = 500 if status == _GONE else status
                log.exception("failed", request_id=request_id, path=request.url.path)
            finally:
                route = self._route(scope)
                seconds = time.perf_counter() - started
                self._meters.answered(route, status, seconds)
                if span is not None:
                    _finish(span, route, status)
                milliseconds = round(seconds * 1000, 2)
                # A server that is busy says so by 503, to many at once: that is no fault.
                failed = status >= 500 and status != 503
                if failed or self._log_all:
                    write = log.warning if failed else log.debug
                    write(
                        "answered",
                        request_id=request_id,
                        method=request.method,
                        route=route,
                        status=status,
                        ms=milliseconds,
                    )

    def _refusal(self, request: Request) -> Response | None:
        """Returns why a request is not answered, as far as its headers tell."""
        headers = request.headers
        if len(headers) > MAX_HEADERS:
            detail = f"a request has at most {MAX_HEADERS} headers"
            return problem_answer(431, "Too many headers", detail)
        path = request.url.path
        return (
            self._browsers.refusal(request.method, path, headers)
            or self._unkeyed(request)
            or bodies.refusal(path, headers)
        )

    def _unkeyed(self, request: Request) -> Response | None:
        """Returns why a request's key may not ask for it: also that of a stream without end, whose key was revoked."""
        return self._gate.admit_http(request, self._scopes.of(request.method, request.url.path))

    def _note_unsent(self, request: Request, refusal: Response) -> None:
        """Notes that an exporter's data is refused for want of a key."""
        signal = _SIGNALS.get(request.url.path)
        if signal is not None and refusal.status_code in {401, 403}:
            peer = request.client.host if request.client is not None else ""
            self._meters.ingest.unauthenticated(signal, peer, "no key, or one that may not send")

    async def _answer(self, request: Request, receive: Receive, send: Send) -> None:
        caller = request.state.caller = _caller(request)
        with self._admission.arrival(caller) as arrival:
            body = CountedBody(receive, request.url.path, arrival, self._body_timeout_s)
            await self._app(request.scope, body.receive, send)

    def _route(self, scope: MutableMapping[str, Any]) -> str:
        """Returns the route's pattern: labels must not hold what clients make up, nor what the engine does."""
        if "route" in scope:
            return getattr(scope["route"], "path", "other")
        pattern = scope.get("engine_route")
        if not isinstance(pattern, str) or not _USABLE_ROUTE.fullmatch(pattern):
            return "other"
        if pattern not in self._engine_routes and len(self._engine_routes) >= MAX_ENGINE_ROUTES:
            return "other"
        self._engine_routes.add(pattern)
        return pattern

    def _span(self, request: Request) -> Any:
        if self._tracer is None:
            return nullcontext()
        return self._tracer.start_as_current_span(
            request.method,
            kind=SpanKind.SERVER,
            attributes={"http.request.method": request.method, "url.path": request.url.path},
        )


def _is_event_stream(headers: Iterable[tuple[bytes, bytes]]) -> bool:
    return any(
        name.lower() == b"content-type" and value.startswith(b"text/event-stream")
        for name, value in headers
    )


def _finish(span: Span, route: str, status: int) -> None:
    span.update_name(route)
    span.set_attribute("http.route", route)
    span.set_attribute("http.response.status_code", status)
    if status >= 500:
        span.set_status(Status(StatusCode.ERROR))


def _request_id(request: Request) -> str:
    """Returns the id that a caller gave, if it is one that a log line can hold, else a new one."""
    given = request.headers.get(REQUEST_ID, "")
    return given if _USABLE_ID.fullmatch(given) else secrets.token_hex(8)


def _drop_last_slash(scope: MutableMapping[str, Any]) -> None:
    """Serves a path with a slash at its end as the one without: senders take a redirect for success."""
    path = scope["path"]
    if len(path) > 1 and path.endswith("/"):
        scope["path"] = path.rstrip("/") or "/"
        scope["raw_path"] = scope["raw_path"].rstrip(b"/") or b"/"


def _caller(request: Request) -> str:
    """Returns who sends: the key where there is one, else the address."""
    key: str | None = getattr(request.state, "key_id", None)
    return key or (request.client.host if request.client is not None else "")
