"""What a request's body may be: its kind, its size, and how fast it comes. All is checked as it arrives."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import dataclass
from typing import Any, Final

from starlette.datastructures import Headers
from starlette.responses import Response

from tracestore.limits import MAX_PAYLOAD_BYTES
from tracestore.serving.problems import RefusedError, problem_answer
from tracestore_ingest.admission import RETRY_AFTER_SECONDS, Arrival, Busy

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]

MAX_JSON_BYTES: Final = 4 * 1024 * 1024
"""A million characters of SQL and its parameters. Other requests in JSON are shorter."""

STALL_S: Final = 15.0
"""Seconds without a byte after which a body is given up: a retransmission over a poor line takes a few."""

_JSON: Final = ("application/json",)
_ROWS: Final = (
    "application/x-ndjson",
    "application/jsonlines",
    "application/jsonl",
    "application/json",
)


@dataclass(frozen=True, slots=True)
class BodyRule:
    """The rule for the bodies of a route.

    Attributes:
        prefix: where the route's path begins.
        kinds: content types that it takes; None where the route itself answers for others.
        max_bytes: of a body as it comes over the wire.
    """

    prefix: str
    kinds: tuple[str, ...] | None
    max_bytes: int


_RULES: Final = (
    BodyRule("/v1/", None, MAX_PAYLOAD_BYTES),
    BodyRule("/api/import", _ROWS, MAX_PAYLOAD_BYTES),
    BodyRule("/api/datasets/rows", _ROWS, MAX_PAYLOAD_BYTES),
    BodyRule("/api/datasets/update", _ROWS, MAX_PAYLOAD_BYTES),
    # A million ids.
    BodyRule("/api/datasets/delete", _JSON, MAX_PAYLOAD_BYTES),
    BodyRule("/api/patch", _JSON, MAX_PAYLOAD_BYTES),
    BodyRule("/api/public/", _JSON, MAX_PAYLOAD_BYTES),
    BodyRule("/api/", _JSON, MAX_JSON_BYTES),
    # Images of a conversation, as the providers take them.
    BodyRule("/gateway/", _JSON, MAX_PAYLOAD_BYTES),
    BodyRule("/mcp", _JSON, 256 * 1024),
    # Nothing else takes a body: what comes is refused by its route.
    BodyRule("/", None, 64 * 1024),
)
"""The first rule whose prefix fits counts."""


def rule_of(path: str) -> BodyRule:
    """Returns the rule for a path."""
    return next(rule for rule in _RULES if path.startswith(rule.prefix))


def refusal(path: str, headers: Headers) -> Response | None:
    """Returns why a request's body is refused before a byte of it is read, None where it is not."""
    length = headers.get("content-length")
    chunked = "transfer-encoding" in headers
    if length is not None and chunked:
        # A proxy in front may take the one for the body's end, and this server the other.
        detail = "a request must not have both Content-Length and Transfer-Encoding"
        return problem_answer(400, "Ambiguous length", detail, headers={"Connection": "close"})
    if not chunked and length in {None, "0"}:
        return None
    rule = rule_of(path)
    if rule.kinds is None:
        return None
    if length is not None and int(length) > rule.max_bytes:
        return _too_large(rule).answer()
    kind = headers.get("content-type", "").partition(";")[0].strip().lower()
    # Without a type there is nothing to mistake. A page elsewhere that sends so is refused by its origin.
    if kind and kind not in rule.kinds:
        detail = f"{path} takes {' or '.join(rule.kinds)}; got {kind[:100]}"
        return problem_answer(
            415, "Unsupported content type", detail, hint=f"send Content-Type: {rule.kinds[0]}"
        )
    return None


class CountedBody:
    """A request's body as it arrives: each part is counted before it is kept.

    Args:
        receive: gives the next message of the connection.
        path: the request's.
        arrival: admits the bytes.
        timeout_s: seconds in which the whole body must come.
    """

    def __init__(self, receive: Receive, path: str, arrival: Arrival, timeout_s: float) -> None:
        self._receive = receive
        self._rule = rule_of(path)
        self._arrival = arrival
        self._timeout_s = timeout_s
        self._deadline = asyncio.get_running_loop().time() + timeout_s
        self._whole = False
        self._size = 0

    async def receive(self) -> Message:
        """Returns the next message; raises RefusedError for a body that is too large, too slow or too many."""
        if self._whole:
            # Waits for the client to go away, which may take as long as the answer does.
            return await self._receive()
        message = await self._next()
        size = len(message.get("body", b""))
        self._size += size
        if self._size > self._rule.max_bytes:
            raise _too_large(self._rule)
        if size:
            self._admit(size)
        self._whole = not message.get("more_body", False)
        if self._whole:
            self._arrival.complete()
        return message

    async def _next(self) -> Message:
        now = asyncio.get_running_loop().time()
        try:
            async with asyncio.timeout_at(min(self._deadline, now + STALL_S)):
                return await self._receive()
        except TimeoutError:
            raise RefusedError(
                408,
                "Too slow",
                f"the request's body did not come within {self._timeout_s:g} s, "
                f"or nothing of it for {STALL_S:g} s",
            ) from None

    def _admit(self, size: int) -> None:
        try:
            self._arrival.add(size)
        except Busy:
            raise RefusedError(
                503,
                "Busy",
                "too many bytes of requests are under way; send the request again",
                {"Retry-After": str(RETRY_AFTER_SECONDS)},
            ) from None


def _too_large(rule: BodyRule) -> RefusedError:
    return RefusedError(
        413, "Too large", f"a body of this route has at most {rule.max_bytes} bytes"
    )
