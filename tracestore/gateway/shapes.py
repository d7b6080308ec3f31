"""Which routes the gateway has, and how each provider spells an error."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal

from starlette.responses import Response

from tracestore.gateway.answers import Shape

Kind = Literal["openai", "anthropic"]

PREFIX: Final = "/gateway/"


@dataclass(frozen=True, slots=True)
class Route:
    """A route of a provider.

    Attributes:
        upstream: behind the provider's `base_url`.
    """

    kind: Kind
    shape: Shape
    upstream: str


ROUTES: Final[Mapping[str, Route]] = {
    "chat/completions": Route("openai", "chat", "/chat/completions"),
    "responses": Route("openai", "responses", "/responses"),
    "embeddings": Route("openai", "embeddings", "/embeddings"),
    "messages": Route("anthropic", "messages", "/v1/messages"),
}
"""By what stands behind `/gateway/PROVIDER/v1/`."""

_TYPES: Final[Mapping[int, tuple[str, str]]] = {
    400: ("invalid_request_error", "invalid_request_error"),
    401: ("authentication_error", "authentication_error"),
    403: ("permission_error", "permission_error"),
    404: ("invalid_request_error", "not_found_error"),
    413: ("invalid_request_error", "request_too_large"),
    415: ("invalid_request_error", "invalid_request_error"),
    429: ("insufficient_quota", "rate_limit_error"),
    503: ("server_error", "overloaded_error"),
}
"""What OpenAI and Anthropic call a status."""


def refusal(
    path: str, status: int, message: str, headers: Mapping[str, str] | None = None
) -> Response:
    """Returns a refusal of the gateway's own as the provider behind a path would spell it."""
    openai, anthropic = _TYPES.get(status, ("server_error", "api_error"))
    if path.rstrip("/").endswith("/messages"):
        body: dict[str, object] = {
            "type": "error",
            "error": {"type": anthropic, "message": message},
        }
    else:
        code = "invalid_api_key" if status == 401 else openai
        body = {"error": {"message": message, "type": openai, "param": None, "code": code}}
    # Both SDKs look at this: what is refused here is refused again.
    own = {"x-should-retry": "true" if status in {408, 503} else "false"}
    return Response(
        json.dumps(body), status, {**own, **(headers or {})}, media_type="application/json"
    )
