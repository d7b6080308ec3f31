"""Requests that change something, on a node that only answers: a node that takes rows answers them.

A page that is open on such a node does all that it does elsewhere. Exporters are not served so: what they send is
refused with the addresses that take it, since every byte would cross the network twice.
"""

from __future__ import annotations

import random
import ssl
from collections.abc import AsyncIterator, Callable, Mapping, MutableMapping, Sequence
from typing import Any, Final

import anyio
import httpx
from fastapi import Request
from starlette.concurrency import run_in_threadpool

from tracestore.serving.http.bodies import Message, Receive
from tracestore.serving.http.browsers import SECURITY_HEADERS
from tracestore.serving.http.request_frame import REQUEST_ID, App, Send
from tracestore.serving.problems import RefusedError, problem_answer
from tracestore.serving.route_scopes import RouteScopes

CONNECT_S: Final = 1.0
"""Seconds in which a node must take a connection, before another one is asked."""

ANSWER_S: Final = 600.0
"""Seconds between two parts of an answer: what deletes rewrites segments before it answers."""

_OF_A_CONNECTION: Final = frozenset(
    {"connection", "keep-alive", "te", "trailer", "transfer-encoding", "upgrade", "expect", "host"}
)
_OF_A_BROWSER: Final = ("cookie", "origin", "referer", "sec-")
"""Beginnings of headers by which this node has judged a page's request: the other one knows no session of it."""

_NOT_PASSED_BACK: Final = frozenset(
    {"date", "server", REQUEST_ID.lower(), *(name.decode().lower() for name, _ in SECURITY_HEADERS)}
)
"""Headers of an answer that this node gives itself."""


class Forwarding:
    """An application that has what changes something answered by a node that takes rows, and answers the rest itself.

    Where no such node is up, this one answers: what is the catalog's alone it can change.

    Args:
        app: the application of this node.
        scopes: tells what a request needs.
        takers: returns the addresses of nodes that take rows.
        session_key: returns the text of the key that a page's session stands for, None where there is none.
    """

    def __init__(
        self,
        app: App,
        scopes: RouteScopes,
        takers: Callable[[], Sequence[str]],
        session_key: Callable[[Mapping[str, str]], str | None],
    ) -> None:
        self._app = app
        self._scopes = scopes
        self._takers = takers
        self._session_key = session_key
        self._tls = ssl.create_default_context()

    async def __call__(self, scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        """Answers one request."""
        try:
            if self._changes(scope) and await self._is_forwarded(scope, receive, send):
                return
        except RefusedError as error:
            await error.answer()(scope, receive, send)
            return
        await self._app(scope, receive, send)

    def _changes(self, scope: Mapping[str, Any]) -> bool:
        if scope["type"] != "http" or scope["method"] in {"GET", "HEAD", "OPTIONS"}:
            return False
        return bool(set(self._scopes.of(scope["method"], scope["path"])) - {"read"})

    async def _is_forwarded(
        self, scope: MutableMapping[str, Any], receive: Receive, send: Send
    ) -> bool:
        """Returns whether a node has answered; where none takes a connection, nothing of the body is read."""
        takers = list(await run_in_threadpool(self._takers))
        random.shuffle(takers)
        timeout = httpx.Timeout(ANSWER_S, connect=CONNECT_S)
        async with httpx.AsyncClient(verify=self._tls, timeout=timeout, trust_env=False) as client:
            for url in takers:
                body = _Body(receive)
                request = client.build_request(
                    scope["method"],
                    _address(url, scope),
                    headers=self._headers(scope),
                    content=body,
                )
                try:
                    answer = await client.send(request, stream=True)
                except (httpx.ConnectError, httpx.ConnectTimeout):
                    continue
                except httpx.HTTPError:
                    await _unknown(url)(scope, receive, send)
                    return True
                try:
                    await _pass_back(answer, body, receive, send)
                finally:
                    await answer.aclose()
                return True
        return False

    def _headers(self, scope: Mapping[str, Any]) -> list[tuple[str, str]]:
        headers = Request(scope).headers  # type: ignore[arg-type] # starlette wants a mapping that can be changed
        kept = [
            (name, value)
            for name, value in headers.items()
            if name not in _OF_A_CONNECTION and not name.startswith(_OF_A_BROWSER)
        ]
        key = self._session_key(headers)
        if key is not None:
            kept.append(("authorization", f"Bearer {key}"))
        return kept


class _Body:
    """The body of a request, as it comes.

    Attributes:
        is_whole: whether all of it has come.
    """

    def __init__(self, receive: Receive) -> None:
        self._receive = receive
        self.is_whole = False

    async def __aiter__(self) -> AsyncIterator[bytes]:
        while not self.is_whole:
            message = await self._receive()
            if message["type"] == "http.disconnect":
                raise httpx.ReadError("the client has gone away")
            self.is_whole = not message.get("more_body", False)
            yield message.get("body", b"")


def _address(url: str, scope: Mapping[str, Any]) -> str:
    path: bytes = scope["raw_path"]
    query: bytes = scope["query_string"]
    return f"{url.rstrip('/')}{path.decode('ascii')}{'?' if query else ''}{query.decode('ascii')}"


async def _pass_back(answer: httpx.Response, body: _Body, receive: Receive, send: Send) -> None:
    """Passes an answer on as it comes, until its end or until the client goes away."""

    async def watch() -> None:
        while (await receive())["type"] != "http.disconnect":
            pass
        group.cancel_scope.cancel()

    async with anyio.create_task_group() as group:
        if body.is_whole:
            group.start_soon(watch)
        headers = [
            (name.lower(), value)
            for name, value in answer.headers.raw
            if name.decode("latin-1").lower() not in _OF_A_CONNECTION | _NOT_PASSED_BACK
        ]
        await send(_start(answer.status_code, headers))
        async for part in answer.aiter_raw():
            await send({"type": "http.response.body", "body": part, "more_body": True})
        await send({"type": "http.response.body", "body": b""})
        group.cancel_scope.cancel()


def _start(status: int, headers: Sequence[tuple[bytes, bytes]]) -> Message:
    return {"type": "http.response.start", "status": status, "headers": list(headers)}


def _unknown(url: str) -> Any:
    detail = (
        f"node {url} took the request and did not answer; whether it has changed anything is not known: "
        "look, and send it again"
    )
    return problem_answer(503, "Unavailable", detail)
