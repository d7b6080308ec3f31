"""Refusals on the way to the gateway, spelled as the provider would: keys, bodies, hosts, paths that are not there."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, Final

from tracestore.gateway.shapes import PREFIX, refusal

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[MutableMapping[str, Any], Receive, Send], Awaitable[None]]

_PROBLEM: Final = b"application/problem+json"
_KEPT: Final = frozenset({"retry-after", "www-authenticate", "x-request-id", "connection"})


class ProviderErrors:
    """The frame around an application that gives problem documents below `/gateway/` a provider's form.

    Args:
        app: the application inside.
    """

    def __init__(self, app: App) -> None:
        self._app = app

    async def __call__(self, scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        """Answers one request."""
        if scope["type"] != "http" or not scope["path"].startswith(PREFIX):
            await self._app(scope, receive, send)
            return
        problem: Message | None = None
        parts: list[bytes] = []

        async def sending(message: Message) -> None:
            nonlocal problem
            if message["type"] == "http.response.start":
                if dict(message["headers"]).get(b"content-type", b"").startswith(_PROBLEM):
                    problem = message
                else:
                    await send(message)
            elif problem is None:
                await send(message)
            else:
                parts.append(message.get("body", b""))
                if not message.get("more_body", False):
                    document = json.loads(b"".join(parts))
                    await _spelled(problem, document, scope["path"])(scope, receive, send)

        await self._app(scope, receive, sending)


def _spelled(start: Message, document: dict[str, Any], path: str) -> Any:
    headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in start["headers"]}
    kept = {name: value for name, value in headers.items() if name.lower() in _KEPT}
    return refusal(path, start["status"], str(document.get("detail") or document["title"]), kept)
