"""Shreds OTLP requests with opentelemetry-proto: the twin of the native OTLP readers.

A span or log record becomes its fixed columns (a dict) and its leaves (see `reference`).
"""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass, field
from typing import Any

from google.protobuf import json_format
from google.protobuf.message import DecodeError, Message
from opentelemetry.proto.collector.logs.v1 import logs_service_pb2
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2

from kernels.reference import INT64_MAX, Leaves, shred

KINDS = ("UNSPECIFIED", "INTERNAL", "SERVER", "CLIENT", "PRODUCER", "CONSUMER")
STATUS_CODES = ("UNSET", "OK", "ERROR")

SPAN_COLUMNS = (
    "project",
    "experiment",
    "trace_id",
    "span_id",
    "parent_span_id",
    "is_root",
    "name",
    "kind",
    "type",
    "service",
    "start_time",
    "end_time",
    "start_ns",
    "duration_ns",
    "duration",
    "status_code",
    "status_message",
    "scope_name",
    "scope_version",
    "trace_state",
    "flags",
    "dropped_attributes_count",
    "dropped_events_count",
    "dropped_links_count",
    "resource_schema_url",
    "scope_schema_url",
    "resource_dropped_attributes_count",
    "scope_dropped_attributes_count",
    "input_key",
    "moved_attributes",
)
LOG_COLUMNS = (
    "project",
    "experiment",
    "trace_id",
    "span_id",
    "time",
    "time_ns",
    "observed_time_ns",
    "severity_number",
    "severity_text",
    "event_name",
    "service",
    "scope_name",
    "scope_version",
    "flags",
    "dropped_attributes_count",
    "resource_schema_url",
    "scope_schema_url",
    "resource_dropped_attributes_count",
    "scope_dropped_attributes_count",
)

# OTLP/JSON spells these fields as hex where protobuf's JSON mapping says base64.
_HEX_FIELDS = ("traceId", "spanId", "parentSpanId")


class RejectedError(ValueError):
    """One span or record that is refused alone."""


@dataclass(slots=True)
class Shredded:
    """What a payload yields: rows in order, and the positions of the refused ones."""

    fixed: list[dict[str, Any]] = field(default_factory=list)
    leaves: list[Leaves] = field(default_factory=list)
    rejected: list[int] = field(default_factory=list)


def decode(body: bytes, signal: str) -> Message:
    """Returns the request message of a protobuf body.

    Raises:
        DecodeError: the body is not one.
    """
    request: Message
    if signal == "traces":
        request = trace_service_pb2.ExportTraceServiceRequest()
    else:
        request = logs_service_pb2.ExportLogsServiceRequest()
    request.ParseFromString(body)
    return request


def decode_json(body: bytes, signal: str) -> Message:
    """Returns the request message of an OTLP/JSON body of the regular form."""
    request = decode(b"", signal)
    document = _hex_fields(json.loads(body), _hex_to_base64)
    json_format.ParseDict(document, request, ignore_unknown_fields=True)
    return request


def encode_json(request: Message) -> bytes:
    """Returns the OTLP/JSON form of a request message."""
    document = json_format.MessageToDict(request, use_integers_for_enums=True)
    return json.dumps(_hex_fields(document, _base64_to_hex)).encode()


def _hex_to_base64(text: str) -> str:
    return base64.b64encode(bytes.fromhex(text)).decode()


def _base64_to_hex(text: str) -> str:
    return base64.b64decode(text).hex()


def _hex_fields(node: Any, convert: Any) -> Any:
    if isinstance(node, list):
        return [_hex_fields(item, convert) for item in node]
    if not isinstance(node, dict):
        return node
    return {
        key: convert(item)
        if key in _HEX_FIELDS and isinstance(item, str)
        else _hex_fields(item, convert)
        for key, item in node.items()
    }


def any_value(message: Any) -> Any:
    """Returns the value of an AnyValue: bytes stay bytes, an empty one is None."""
    kind = message.WhichOneof("value")
    if kind == "array_value":
        return [any_value(item) for item in message.array_value.values]
    if kind == "kvlist_value":
        return attributes(message.kvlist_value.values)
    if kind in {None, "string_value_strindex"}:
        return None
    return getattr(message, kind)


def attributes(pairs: Any) -> dict[str, Any]:
    """Returns a list of KeyValue as a dict; the last of equal keys counts."""
    return {pair.key: any_value(pair.value) for pair in pairs}


def _optional(text: str) -> str | None:
    return text or None


def _name(names: tuple[str, ...], number: int) -> str:
    return names[number] if 0 <= number < len(names) else str(number)


def _required_id(value: bytes, size: int, what: str) -> str:
    if len(value) != size or not any(value):
        raise RejectedError(f"bad {what}")
    return value.hex()


def _optional_id(value: bytes, size: int, what: str) -> str | None:
    if value and len(value) != size:
        raise RejectedError(f"bad {what}")
    return value.hex() if any(value) else None


def _time(value: int) -> int:
    if value > INT64_MAX:
        raise RejectedError("time out of range")
    return value


def _event(event: Any) -> dict[str, Any]:
    result = {
        "name": event.name,
        "time_ns": _time(event.time_unix_nano),
        "attributes": attributes(event.attributes),
    }
    if event.dropped_attributes_count:
        result["dropped_attributes_count"] = event.dropped_attributes_count
    return result


def _link(link: Any) -> dict[str, Any]:
    result = {"trace_id": link.trace_id.hex(), "span_id": link.span_id.hex()}
    if link.trace_state:
        result["trace_state"] = link.trace_state
    result["attributes"] = attributes(link.attributes)
    if link.flags:
        result["flags"] = link.flags
    if link.dropped_attributes_count:
        result["dropped_attributes_count"] = link.dropped_attributes_count
    return result


def _shared(group: Any, scoped: Any, project: str, experiment: str | None) -> dict[str, Any]:
    """Returns the fixed columns that a resource and a scope give to all their rows."""

    def text(key: str) -> str | None:
        # Of equal keys the last that is a text counts: an empty or odd value names nothing.
        named = [pair.value.string_value for pair in group.resource.attributes if pair.key == key]
        return next((value for value in reversed(named) if value), None)

    openinference = text("openinference.project.name")
    if openinference == "default":
        openinference = None
    return {
        "project": text("tracestore.project") or openinference or project,
        "experiment": text("tracestore.experiment") or experiment,
        "service": text("service.name"),
        "scope_name": _optional(scoped.scope.name),
        "scope_version": _optional(scoped.scope.version),
        "resource_schema_url": _optional(group.schema_url),
        "scope_schema_url": _optional(scoped.schema_url),
        "resource_dropped_attributes_count": group.resource.dropped_attributes_count,
        "scope_dropped_attributes_count": scoped.scope.dropped_attributes_count,
    }


def _span(span: Any) -> dict[str, Any]:
    start, end = _time(span.start_time_unix_nano), _time(span.end_time_unix_nano)
    parent = _optional_id(span.parent_span_id, 8, "parent_span_id")
    return {
        "trace_id": _required_id(span.trace_id, 16, "trace_id"),
        "span_id": _required_id(span.span_id, 8, "span_id"),
        "parent_span_id": parent,
        "is_root": parent is None,
        "name": span.name,
        "kind": _name(KINDS, span.kind),
        "type": None,
        "start_time": start // 1000,
        "end_time": end // 1000 if end else None,
        "start_ns": start,
        "duration_ns": end - start if end else None,
        "duration": (end - start) / 1e9 if end else None,
        "status_code": _name(STATUS_CODES, span.status.code),
        "status_message": _optional(span.status.message),
        "trace_state": _optional(span.trace_state),
        "flags": span.flags,
        "dropped_attributes_count": span.dropped_attributes_count,
        "dropped_events_count": span.dropped_events_count,
        "dropped_links_count": span.dropped_links_count,
        "input_key": None,
        "moved_attributes": None,
    }


def _record(record: Any) -> dict[str, Any]:
    observed = _time(record.observed_time_unix_nano)
    time = _time(record.time_unix_nano) or observed
    return {
        "trace_id": _optional_id(record.trace_id, 16, "trace_id"),
        "span_id": _optional_id(record.span_id, 8, "span_id"),
        "time": time // 1000,
        "time_ns": time,
        "observed_time_ns": observed,
        "severity_number": record.severity_number,
        "severity_text": _optional(record.severity_text),
        "event_name": _optional(record.event_name),
        "flags": record.flags,
        "dropped_attributes_count": record.dropped_attributes_count,
    }


def _variants(group: Any, scoped: Any, row: Any, signal: str) -> Leaves:
    leaves: Leaves = {}
    for name, pairs in (
        ("attributes", row.attributes),
        ("resource", group.resource.attributes),
        ("scope", scoped.scope.attributes),
    ):
        if pairs:
            shred(attributes(pairs), (name,), leaves)
    if signal == "traces":
        if row.events:
            shred([_event(event) for event in row.events], ("events",), leaves)
        if row.links:
            shred([_link(link) for link in row.links], ("links",), leaves)
    elif row.HasField("body"):
        shred(any_value(row.body), ("body",), leaves)
    return leaves


def shred_message(
    request: Any, signal: str, project: str = "default", experiment: str | None = None
) -> Shredded:
    """Returns the rows of a request message."""
    result = Shredded()
    position = 0
    groups = request.resource_spans if signal == "traces" else request.resource_logs
    for group in groups:
        for scoped in group.scope_spans if signal == "traces" else group.scope_logs:
            shared = _shared(group, scoped, project, experiment)
            for row in scoped.spans if signal == "traces" else scoped.log_records:
                try:
                    own = _span(row) if signal == "traces" else _record(row)
                    leaves = _variants(group, scoped, row, signal)
                except RejectedError:
                    result.rejected.append(position)
                else:
                    result.fixed.append({**shared, **own})
                    result.leaves.append(leaves)
                position += 1
    return result


def shred_protobuf(body: bytes, signal: str, **routing: Any) -> Shredded:
    """Returns the rows of a protobuf body.

    Raises:
        DecodeError: the body is not one.
    """
    return shred_message(decode(body, signal), signal, **routing)


__all__ = ["DecodeError", "RejectedError", "Shredded", "decode", "shred_message", "shred_protobuf"]
