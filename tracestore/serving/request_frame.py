"""What surrounds every HTTP request: an id, the key, bounds on its body, a count, a line of the log, a span.

Plain ASGI: one function call around the application, so that the smallest query stays small.
"""

from __future__ import annotations

import asyncio
import re
import secrets
import time
from collections.abc import Awaitable, Callable, MutableMapping
from contextlib import nullcontext
from typing import Any, Final

import structlog
from opentelemetry.trace import Span, SpanKind, Status, StatusCode, Tracer
from prometheus_client import Counter
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from tracestore.serving.gate import Gate

log = structlog.get_logger("tracestore.http")

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[MutableMapping[str, Any], Receive, Send], Awaitable[None]]

MAX_QUERY_BYTES: Final = 4 * 1024 * 1024
"""A million characters of SQL and its parameters; longer bodies are refused before they are read."""

REQUEST_ID: Final = "x-request-id"
_USABLE_ID: Final = re.compile(r"[A-Za-z0-9._-]{1,128}")


class SlowBodyError(Exception):
    """Says that a request's body did not come in time."""


class RequestFrame:
    """Wraps the application.

    Args:
        app: the application inside.
        gate: asks for keys.
        requests: counts answers, by route and status.
        body_timeout_s: seconds in which a request's whole body must come.
        log_all: whether every answer is logged, and not only those that failed.
        tracer: makes a span of each request, None for none.
    """

    def __init__(
        self,
        app: App,
        gate: Gate,
        requests: Counter,
        body_timeout_s: float,
        *,
        log_all: bool = False,
        tracer: Tracer | None = None,
    ) -> None:
        self._app = app
        self._log_all = log_all
        self._gate = gate
        self._requests = requests
        self._body_timeout_s = body_timeout_s
        self._tracer = tracer

    async def __call__(self, scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        """Answers one request; other kinds of connection go through."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request = Request(scope)
        request_id = request.state.request_id = _request_id(request)
        started = time.perf_counter()
        status = 500

        async def sending(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [
                    *message.get("headers", []),
                    (REQUEST_ID.encode(), request_id.encode()),
                ]
            await send(message)

        with self._span(request) as span:
            try:
                refusal = _bad_length(request) or self._gate.admit_http(request)
                if refusal is not None:
                    await refusal(scope, receive, sending)
                else:
                    await self._app(scope, self._bounded(receive), sending)
            except Exception:
                # The application has answered.
                log.exception("failed", request_id=request_id, path=request.url.path)
            finally:
                route = _route(scope)
                self._requests.labels(route, str(status)).inc()
                if span is not None:
                    _finish(span, route, status)
                milliseconds = round((time.perf_counter() - started) * 1000, 2)
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

    def _bounded(self, receive: Receive) -> Receive:
        """Returns what gives the body's parts, as long as they come in time."""
        deadline = asyncio.get_running_loop().time() + self._body_timeout_s
        whole = False

        async def receiving() -> Message:
            nonlocal whole
            if whole:
                # Waits for the client to go away, which may take as long as the answer does.
                return await receive()
            try:
                async with asyncio.timeout_at(deadline):
                    message = await receive()
            except TimeoutError:
                raise SlowBodyError(
                    f"the request's body did not come within {self._body_timeout_s:g} s"
                ) from None
            whole = not message.get("more_body", False)
            return message

        return receiving

    def _span(self, request: Request) -> Any:
        if self._tracer is None:
            return nullcontext()
        return self._tracer.start_as_current_span(
            request.method,
            kind=SpanKind.SERVER,
            attributes={"http.request.method": request.method, "url.path": request.url.path},
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


def _bad_length(request: Request) -> Response | None:
    """Refuses a query whose body does not say its length, or says too much."""
    if request.url.path != "/api/query" or request.method != "POST":
        return None
    length = request.headers.get("content-length", "")
    if length.isdigit() and int(length) <= MAX_QUERY_BYTES:
        return None
    detail = f"a query's body must say its length and have at most {MAX_QUERY_BYTES} bytes"
    return problem_answer(413 if length else 411, "Bad length", detail)


def problem_answer(status: int, title: str, detail: str, **more: Any) -> Response:
    """Returns a problem document as an answer."""
    body = {
        "type": "about:blank",
        "title": title,
        "status": status,
        "detail": detail,
        "hint": None,
        **more,
    }
    return JSONResponse(body, status, media_type="application/problem+json")


def _route(scope: MutableMapping[str, Any]) -> str:
    """Returns the route's pattern: labels must not hold what clients make up."""
    return getattr(scope.get("route"), "path", "other")
