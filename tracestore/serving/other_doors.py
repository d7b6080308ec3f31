"""The addresses of OTLP in other houses: an SDK that was written for one sends here with nothing changed but the URL.

A request to one of them becomes the same request to `/v1/traces` before anything looks at it, so that keys, bounds and
refusals are the same.
"""

from __future__ import annotations

from collections.abc import MutableMapping
from typing import Any, Final

from tracestore.doors.bearer import bearer_of
from tracestore.serving.http.bodies import Receive
from tracestore.serving.http.request_frame import App, Send

PATHS: Final = {
    "/otel/v1/traces": "/v1/traces",
    "/api/public/otel/v1/traces": "/v1/traces",
}
"""Braintrust's address and Langfuse's, and our own."""

_PAIRS: Final = "/api/public/"
"""Addresses of Langfuse's that we answer under the same name: their keys come in pairs, too."""

Headers = list[tuple[bytes, bytes]]


class OtherDoors:
    """The frame around an application that answers at other houses' addresses too.

    Args:
        app: the application inside.
    """

    def __init__(self, app: App) -> None:
        self._app = app

    async def __call__(self, scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        """Answers one request."""
        if scope["type"] == "http":
            path = PATHS.get(scope["path"].removesuffix("/"))
            if path is not None:
                headers = with_bearer(scope["headers"])
                scope = {**scope, "path": path, "raw_path": path.encode(), "headers": headers}
            elif scope["path"].startswith(_PAIRS):
                scope = {**scope, "headers": with_bearer(scope["headers"])}
        await self._app(scope, receive, send)


def with_bearer(headers: Headers) -> Headers:
    """Returns headers with the secret of a pair of keys (`Basic`, public and secret) as a bearer's key."""
    return [
        (name, bearer_of(value) if name == b"authorization" else value) for name, value in headers
    ]
