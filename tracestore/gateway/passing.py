"""A call under way through the gateway: what is known of it, and what becomes its span."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from tracestore.gateway.answers import answer_of
from tracestore.gateway.budgets import Reserved
from tracestore.gateway.shapes import Route
from tracestore.gateway.spans import Call

MAX_KEPT_BYTES: Final = 16 * 1024 * 1024
"""Bytes of an answer that are read for its span; what follows is passed on all the same."""


@dataclass(slots=True)
class Passing:
    """A call under way.

    Attributes:
        parts: what came of the answer, up to MAX_KEPT_BYTES.
    """

    provider: str
    route: Route
    body: bytes
    request: dict[str, Any]
    project: str
    key_name: str | None
    traceparent: str | None
    provider_key: str = field(default="", repr=False)
    reserved: Reserved | None = None
    cache_key: bytes | None = None
    start_ns: int = field(default_factory=time.time_ns)
    started_ns: int = field(default_factory=time.perf_counter_ns)
    first_s: float | None = None
    status: int | None = None
    content_type: str = ""
    parts: list[bytes] = field(default_factory=list)
    size: int = 0
    error: str | None = "stopped before its end"
    cached: bool = False

    def came(self, part: bytes) -> None:
        """Notes a part of the answer."""
        if self.first_s is None:
            self.first_s = (time.perf_counter_ns() - self.started_ns) / 1e9
        if self.size <= MAX_KEPT_BYTES:
            self.parts.append(part)
        self.size += len(part)

    @property
    def is_whole(self) -> bool:
        """Tells whether all of the answer is kept."""
        return self.size <= MAX_KEPT_BYTES


def call_of(passing: Passing, duration_ns: int) -> Call:
    """Returns a call that has ended; its answer is put together here."""
    body = b"".join(passing.parts)
    answer = answer_of(passing.route.shape, passing.content_type, body) if body else None
    error = passing.error
    if error is None and (passing.status or 0) >= 400:
        error = _said(answer) or f"status {passing.status}"
    return Call(
        passing.provider,
        passing.route.shape,
        passing.request,
        answer,
        passing.start_ns,
        duration_ns,
        passing.first_s,
        passing.status,
        error,
        passing.key_name,
        passing.traceparent,
        passing.cached,
    )


def _said(answer: Mapping[str, Any] | None) -> str | None:
    told = (answer or {}).get("error")
    message = told.get("message") if isinstance(told, Mapping) else told
    return message if isinstance(message, str) else None


def object_of(body: bytes) -> dict[str, Any]:
    """Returns the JSON object that a body is, an empty one where it is none."""
    try:
        value = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}
