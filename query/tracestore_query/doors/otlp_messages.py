"""Spans of a query as OTLP's protobuf."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Any, Final

from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.trace.v1.trace_pb2 import (
    ResourceSpans,
    ScopeSpans,
    Span,
    Status,
    TracesData,
)

from tracestore_query.doors.jaeger_json import CODES, KINDS, Row, flat, time_ns

_KINDS: Final = {name: Span.SpanKind.Value(f"SPAN_KIND_{name}") for name in KINDS}
_CODES: Final = {name: Status.StatusCode.Value(f"STATUS_CODE_{name}") for name in CODES}
_MAX_INTEGER: Final = 2**63


def otlp_traces(spans: Sequence[Row]) -> bytes:
    """Returns spans as `TracesData`; those of one resource and scope stand together."""
    document = TracesData()
    resources: dict[str, ResourceSpans] = {}
    scopes: dict[tuple[str, Any, Any], ScopeSpans] = {}
    for span in spans:
        key = json.dumps(span["resource"], sort_keys=True, default=str)
        if key not in resources:
            resources[key] = document.resource_spans.add()
            resources[key].resource.attributes.extend(_key_values(span["resource"]))
        place = (key, span["scope_name"], span["scope_version"])
        if place not in scopes:
            scopes[place] = resources[key].scope_spans.add()
            scopes[place].scope.name = span["scope_name"] or ""
            scopes[place].scope.version = span["scope_version"] or ""
        scopes[place].spans.append(_span(span))
    data: bytes = document.SerializeToString()
    return data


def _span(row: Row) -> Span:
    span = Span(
        trace_id=_id(row["trace_id"]),
        span_id=_id(row["span_id"]),
        parent_span_id=_id(row["parent_span_id"]),
        name=row["name"] or "",
        kind=_KINDS.get(row["kind"], Span.SPAN_KIND_UNSPECIFIED),
        start_time_unix_nano=_unsigned(row["start_ns"]),
        end_time_unix_nano=_unsigned(row["start_ns"] + row["duration_ns"]),
        attributes=_key_values(row["attributes"]),
    )
    span.status.code = _CODES.get(row["status_code"], Status.STATUS_CODE_UNSET)
    span.status.message = row["status_message"] or ""
    for event in row["events"] or ():
        span.events.add(
            time_unix_nano=_unsigned(time_ns(event, row["start_ns"])),
            name=str(event.get("name") or ""),
            attributes=_key_values(event.get("attributes")),
        )
    for link in row["links"] or ():
        if link.get("trace_id") and link.get("span_id"):
            span.links.add(
                trace_id=_id(link["trace_id"]),
                span_id=_id(link["span_id"]),
                attributes=_key_values(link.get("attributes")),
            )
    return span


def _id(text: Any) -> bytes:
    try:
        return bytes.fromhex(text) if isinstance(text, str) else b""
    except ValueError:
        # Rows that were inserted may have ids of any text.
        return b""


def _unsigned(nanoseconds: int) -> int:
    return max(nanoseconds, 0)


def _key_values(attributes: Any) -> Iterable[KeyValue]:
    return [KeyValue(key=name, value=_any_value(value)) for name, value in flat(attributes)]


def _any_value(value: Any) -> AnyValue:
    if isinstance(value, bool):
        return AnyValue(bool_value=value)
    if isinstance(value, int) and -_MAX_INTEGER <= value < _MAX_INTEGER:
        return AnyValue(int_value=value)
    if isinstance(value, float):
        return AnyValue(double_value=value)
    if isinstance(value, list) and all(isinstance(item, str | int | float) for item in value):
        made = AnyValue()
        made.array_value.values.extend([_any_value(item) for item in value])
        return made
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
    return AnyValue(string_value=text)
