"""A call through the gateway as a span, by the names of OpenTelemetry's GenAI conventions: as SDKs' own would be."""

from __future__ import annotations

import base64
import json
import re
import secrets
import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, ArrayValue, KeyValue
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

from tracestore.gateway.answers import Shape, usage_of

SERVICE: Final = "tracestore-gateway"

MAX_PAYLOAD_CHARACTERS: Final = 8 * 1024 * 1024
"""Characters of a request or an answer that a span keeps."""

_PARAMETERS: Final = (
    "temperature", "top_p", "top_k", "max_tokens", "max_completion_tokens", "max_output_tokens", "frequency_penalty",
    "presence_penalty", "seed", "stop_sequences",
)  # fmt: skip
_OPERATIONS: Final[Mapping[Shape, str]] = {
    "chat": "chat",
    "responses": "chat",
    "messages": "chat",
    "embeddings": "embeddings",
}
_TRACEPARENT: Final = re.compile(r"[0-9a-f]{2}-([0-9a-f]{32})-([0-9a-f]{16})-[0-9a-f]{2}")


@dataclass(frozen=True, slots=True)
class Call:
    """A call that has ended.

    Attributes:
        request: as it was sent; empty where it was no JSON object.
        answer: put together, None where none came.
        first_s: seconds until its first byte, None where none came.
        error: why it failed, None where it did not.
        key_name: whose call it was.
        cached: whether the answer was kept from another call.
    """

    provider: str
    shape: Shape
    request: Mapping[str, Any]
    answer: Mapping[str, Any] | None
    start_ns: int
    duration_ns: int
    first_s: float | None
    status: int | None
    error: str | None
    key_name: str | None
    traceparent: str | None
    cached: bool


def encoded(call: Call) -> bytes:
    """Returns a call as an OTLP request with one span."""
    span = Span(
        trace_id=secrets.token_bytes(16),
        span_id=secrets.token_bytes(8),
        name=f"{_OPERATIONS[call.shape]} {call.request.get('model', '')}".strip(),
        kind=Span.SPAN_KIND_CLIENT,
        start_time_unix_nano=call.start_ns,
        end_time_unix_nano=call.start_ns + call.duration_ns,
        attributes=[KeyValue(key=name, value=_any(value)) for name, value in _attributes(call)],
    )
    parent = _TRACEPARENT.fullmatch(call.traceparent or "")
    if parent is not None:
        span.trace_id, span.parent_span_id = bytes.fromhex(parent[1]), bytes.fromhex(parent[2])
    if call.error is not None:
        span.status.CopyFrom(Status(code=Status.STATUS_CODE_ERROR, message=call.error))
    request = ExportTraceServiceRequest()
    resource = request.resource_spans.add()
    resource.resource.attributes.append(KeyValue(key="service.name", value=_any(SERVICE)))
    scope = resource.scope_spans.add()
    scope.scope.name = SERVICE
    scope.spans.append(span)
    body: bytes = request.SerializeToString()
    return body


def _attributes(call: Call) -> Iterator[tuple[str, Any]]:
    request, answer = call.request, call.answer or {}
    yield "gen_ai.operation.name", _OPERATIONS[call.shape]
    yield "gen_ai.provider.name", call.provider
    if isinstance(request.get("model"), str):
        yield "gen_ai.request.model", request["model"]
    for name in _PARAMETERS:
        if isinstance(request.get(name), int | float | list):
            yield f"gen_ai.request.{name}", request[name]
    for name, place in (("id", "id"), ("model", "model")):
        if isinstance(answer.get(name), str):
            yield f"gen_ai.response.{place}", answer[name]
    yield from _payloads(call)
    if not call.cached:
        # Of an answer that was kept nothing was paid.
        for name, count in usage_of(call.shape, call.answer).items():
            yield f"gen_ai.usage.{name}", count
    if call.first_s is not None and request.get("stream") is True:
        yield "gen_ai.response.time_to_first_chunk", call.first_s
    if call.status is not None:
        yield "http.response.status_code", call.status
    told: dict[str, Any] = {"key": call.key_name, "cached": call.cached or None}
    told = {name: value for name, value in told.items() if value is not None}
    if told:
        yield "tracestore.metadata", json.dumps({"gateway": told})


def _payloads(call: Call) -> Iterator[tuple[str, Any]]:
    if call.request:
        yield "input.value", _json(call.request)
        yield "input.mime_type", "application/json"
    if call.answer is not None and call.error is None:
        vectors = vectors_of(call.answer) if call.shape == "embeddings" else None
        yield "output.value", _json(call.answer if vectors is None else vectors)
        yield "output.mime_type", "application/json"


def vectors_of(answer: Mapping[str, Any]) -> list[Any] | None:
    """Returns the vectors of an answer, None where it has none; SDKs ask for them as bytes of floats."""
    data = answer.get("data")
    if not isinstance(data, list) or not all(isinstance(each, Mapping) for each in data):
        return None
    return [_vector(each.get("embedding")) for each in data]


def _vector(given: Any) -> Any:
    if not isinstance(given, str):
        return given
    try:
        raw = base64.b64decode(given, validate=True)
        return list(struct.unpack(f"<{len(raw) // 4}f", raw))
    except (ValueError, struct.error):
        return given


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)[:MAX_PAYLOAD_CHARACTERS]


def _any(value: Any) -> AnyValue:
    if isinstance(value, str):
        # A lone surrogate is no text of OTLP.
        return AnyValue(string_value=value.encode("utf-8", "replace").decode())
    if isinstance(value, bool):
        return AnyValue(bool_value=value)
    if isinstance(value, int):
        return AnyValue(int_value=max(-(2**63), min(value, 2**63 - 1)))
    if isinstance(value, float):
        return AnyValue(double_value=value)
    return AnyValue(array_value=ArrayValue(values=[_any(str(each)) for each in value]))
