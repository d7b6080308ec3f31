"""Spans of a query as Jaeger's JSON, and as OTLP's."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

Row = Mapping[str, Any]

KINDS: Final = {"INTERNAL": 1, "SERVER": 2, "CLIENT": 3, "PRODUCER": 4, "CONSUMER": 5}
CODES: Final = {"OK": 1, "ERROR": 2}


def jaeger_trace(spans: Sequence[Row]) -> dict[str, Any]:
    """Returns one trace as the old routes give it; spans of one resource share a process."""
    processes: dict[str, tuple[str, dict[str, Any]]] = {}
    ids = {span["span_id"] for span in spans}
    made = [_jaeger_span(span, _process(span, processes), ids) for span in spans]
    named = dict(processes.values())
    return {"traceID": spans[0]["trace_id"], "spans": made, "processes": named, "warnings": None}


def _process(span: Row, processes: dict[str, tuple[str, dict[str, Any]]]) -> str:
    key = json.dumps([span["service"], span["resource"]], sort_keys=True, default=str)
    if key not in processes:
        tags = [
            _tag(name, value) for name, value in flat(span["resource"]) if name != "service.name"
        ]
        process = {"serviceName": span["service"] or "unknown", "tags": tags}
        processes[key] = (f"p{len(processes) + 1}", process)
    return processes[key][0]


def _jaeger_span(span: Row, process: str, ids: set[str]) -> dict[str, Any]:
    parent = span["parent_span_id"]
    references = [_reference("CHILD_OF", span["trace_id"], parent)] if parent else []
    references += [
        _reference("FOLLOWS_FROM", link["trace_id"], link["span_id"])
        for link in span["links"] or ()
        if link.get("trace_id") and link.get("span_id")
    ]
    missing = parent and parent not in ids
    return {
        "traceID": span["trace_id"],
        "spanID": span["span_id"],
        "operationName": span["name"] or "",
        "references": references,
        "startTime": span["start_ns"] // 1000,
        "duration": span["duration_ns"] // 1000,
        "tags": [_tag(name, value) for name, value in (*flat(span["attributes"]), *_fields(span))],
        "logs": [_log(event, span["start_ns"]) for event in span["events"] or ()],
        "processID": process,
        "warnings": ["its parent is not in this trace"] if missing else None,
    }


def _reference(kind: str, trace_id: str, span_id: str) -> dict[str, str]:
    return {"refType": kind, "traceID": trace_id, "spanID": span_id}


def _fields(span: Row) -> Iterator[tuple[str, Any]]:
    """Yields what Jaeger keeps of a span as tags."""
    if span["kind"] in KINDS:
        yield "span.kind", span["kind"].lower()
    if span["status_code"] in CODES:
        yield "otel.status_code", span["status_code"]
    if span["status_code"] == "ERROR":
        yield "error", True
    if span["status_message"]:
        yield "otel.status_description", span["status_message"]
    if span["scope_name"]:
        yield "otel.scope.name", span["scope_name"]
    if span["scope_version"]:
        yield "otel.scope.version", span["scope_version"]


def _log(event: Row, start_ns: int) -> dict[str, Any]:
    named = [_tag("event", event["name"])] if event.get("name") else []
    at_ns = time_ns(event, start_ns)
    fields = [_tag(name, value) for name, value in flat(event.get("attributes"))]
    return {"timestamp": at_ns // 1000, "fields": [*named, *fields]}


def time_ns(event: Row, start_ns: int) -> int:
    """Returns the time of an event, its span's start where it says none."""
    try:
        # Rows that were inserted may spell it as OTLP's JSON does.
        return int(event.get("time_ns") or event.get("time_unix_nano") or start_ns)
    except (TypeError, ValueError):
        return start_ns


def _tag(name: str, value: Any) -> dict[str, Any]:
    if isinstance(value, bool):
        return {"key": name, "type": "bool", "value": value}
    if isinstance(value, int):
        return {"key": name, "type": "int64", "value": value}
    if isinstance(value, float):
        return {"key": name, "type": "float64", "value": value}
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
    return {"key": name, "type": "string", "value": text}


def flat(value: Any, before: str = "") -> Iterator[tuple[str, Any]]:
    """Yields attributes with their keys joined by dots; lists stay whole, null is left out."""
    if not isinstance(value, Mapping):
        return
    # Not by recursion: a stranger chose the depth.
    waiting = [(f"{before}{key}", each) for key, each in _backwards(value)]
    while waiting:
        name, each = waiting.pop()
        if isinstance(each, Mapping) and each:
            waiting += [(f"{name}.{key}", inner) for key, inner in _backwards(each)]
        elif each is not None:
            yield name, each


def _backwards(value: Mapping[str, Any]) -> list[tuple[str, Any]]:
    return list(value.items())[::-1]


def otlp_document(spans: Sequence[Row]) -> dict[str, Any]:
    """Returns spans as OTLP's JSON; those of one resource and scope stand together."""
    resources: dict[str, dict[str, Any]] = {}
    scopes: dict[tuple[str, Any, Any], list[dict[str, Any]]] = {}
    for span in spans:
        key = json.dumps(span["resource"], sort_keys=True, default=str)
        if key not in resources:
            resources[key] = {
                "resource": {"attributes": _key_values(span["resource"])},
                "scopeSpans": [],
            }
        place = (key, span["scope_name"], span["scope_version"])
        if place not in scopes:
            scopes[place] = []
            scope = {"name": span["scope_name"] or "", "version": span["scope_version"] or ""}
            resources[key]["scopeSpans"].append({"scope": scope, "spans": scopes[place]})
        scopes[place].append(_otlp_span(span))
    return {"resourceSpans": list(resources.values())}


def _otlp_span(span: Row) -> dict[str, Any]:
    code = CODES.get(span["status_code"], 0)
    events = [
        {
            "timeUnixNano": str(time_ns(event, span["start_ns"])),
            "name": str(event.get("name") or ""),
            "attributes": _key_values(event.get("attributes")),
        }
        for event in span["events"] or ()
    ]
    links = [
        {
            "traceId": link["trace_id"],
            "spanId": link["span_id"],
            "attributes": _key_values(link.get("attributes")),
        }
        for link in span["links"] or ()
        if link.get("trace_id") and link.get("span_id")
    ]
    return {
        "traceId": span["trace_id"],
        "spanId": span["span_id"],
        "parentSpanId": span["parent_span_id"] or "",
        "name": span["name"] or "",
        "kind": KINDS.get(span["kind"], 0),
        "startTimeUnixNano": str(span["start_ns"]),
        "endTimeUnixNano": str(span["start_ns"] + span["duration_ns"]),
        "attributes": _key_values(span["attributes"]),
        "events": events,
        "links": links,
        "status": {"code": code, "message": span["status_message"] or ""} if code else {},
    }


def _key_values(attributes: Any) -> list[dict[str, Any]]:
    return [{"key": name, "value": _any_value(value)} for name, value in flat(attributes)]


def _any_value(value: Any) -> dict[str, Any]:
    if isinstance(value, bool):
        return {"boolValue": value}
    if isinstance(value, int):
        # OTLP has no integer beyond 64 bits.
        return (
            {"intValue": str(value)} if -(2**63) <= value < 2**63 else {"stringValue": str(value)}
        )
    if isinstance(value, float):
        return {"doubleValue": value}
    if isinstance(value, list) and all(isinstance(item, str | int | float) for item in value):
        return {"arrayValue": {"values": [_any_value(item) for item in value]}}
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
    return {"stringValue": text}


def summary(spans: Sequence[Row]) -> dict[str, Any]:
    """Returns one trace in sum, as the pages of Jaeger 2 list it."""
    root = next((span for span in spans if not span["parent_span_id"]), spans[0])
    services: dict[str, dict[str, Any]] = {}
    for span in spans:
        name = span["service"] or "unknown"
        counted = services.setdefault(name, {"name": name, "spanCount": 0, "errorSpanCount": 0})
        counted["spanCount"] += 1
        counted["errorSpanCount"] += span["status_code"] == "ERROR"
    return {
        "traceId": spans[0]["trace_id"],
        "rootServiceName": root["service"] or "unknown",
        "rootOperationName": root["name"] or "",
        "minStartTimeUnixNano": str(min(span["start_ns"] for span in spans)),
        "maxEndTimeUnixNano": str(max(span["start_ns"] + span["duration_ns"] for span in spans)),
        "spanCount": len(spans),
        "errorSpanCount": sum(span["status_code"] == "ERROR" for span in spans),
        "services": [services[name] for name in sorted(services)],
    }
