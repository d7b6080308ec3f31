"""What `tracestore doctor` says of one thing that it looked at, and the span that it sends and finds."""

from __future__ import annotations

import json
import secrets
import time
from typing import Final, Literal, NamedTuple

import tracestore
from tracestore.content_types import JSON
from tracestore.errors import ClientError

PROJECT: Final = "doctor"


class Finding(NamedTuple):
    """What was looked at, and what was found."""

    mark: Literal["ok", "note", "FAIL"]
    what: str
    text: str


def round_trip(client: tracestore.Client) -> Finding:
    """Sends a span by OTLP over HTTP and asks for it by SQL."""
    trace_id = secrets.token_hex(16)
    now_ns = time.time_ns()
    span = {
        "traceId": trace_id,
        "spanId": secrets.token_hex(8),
        "name": "tracestore doctor",
        "startTimeUnixNano": str(now_ns),
        "endTimeUnixNano": str(now_ns + 1_000_000),
    }
    request = {"resourceSpans": [{"scopeSpans": [{"spans": [span]}]}]}
    try:
        client.ingest_otlp(json.dumps(request).encode(), "traces", JSON, project=PROJECT)
        found = client.sql("SELECT name FROM spans WHERE trace_id = $id", {"id": trace_id}).rows()
    except ClientError as error:
        return Finding("FAIL", "span", f"sent by OTLP over HTTP: {error}")
    if not found:
        return Finding("FAIL", "span", "sent and acknowledged, and no query finds it")
    return Finding("ok", "span", f"sent by OTLP over HTTP and found by SQL, in project {PROJECT}")
