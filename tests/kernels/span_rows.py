"""Spans of one request as rows: what the tests of conventions ask of."""

from __future__ import annotations

import json
from typing import Any

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from data import payloads
from tracestore.variant import Shredder, unshred


def request_of(
    pairs: list[tuple[str, Any]],
    events: list[tuple[str, dict[str, Any]]] = [],  # noqa: B006 - read only
    status: tuple[int, str] = (0, ""),
) -> ExportTraceServiceRequest:
    request = ExportTraceServiceRequest()
    span = request.resource_spans.add().scope_spans.add().spans.add()
    span.trace_id, span.span_id, span.name = b"t" * 16, b"s" * 8, "work"
    span.start_time_unix_nano, span.end_time_unix_nano = 1, 2
    span.status.code, span.status.message = status
    for key, value in pairs:
        span.attributes.append(payloads.key_values({key: value})[0])
    for name, attributes in events:
        event = span.events.add(name=name)
        event.attributes.extend(payloads.key_values(attributes))
    return request


def shred(request: Any, **options: Any) -> Any:
    shredder = Shredder("spans", conventions=True, **options)
    report = shredder.append_otlp(request.SerializeToString())
    assert report.rejected == []
    return shredder.finish()


def row(
    attributes: dict[str, Any],
    events: list[tuple[str, dict[str, Any]]] = [],  # noqa: B006 - read only
    status: tuple[int, str] = (0, ""),
) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(
        unshred(shred(request_of(list(attributes.items()), events, status)))
    )
    return found


def spans_of(request: Any) -> list[Any]:
    return [
        span
        for resource in request.resource_spans
        for scope in resource.scope_spans
        for span in scope.spans
    ]
