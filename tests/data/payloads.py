"""Makes OTLP requests of our own: the same ones for the same seed.

They hold what real ones hold (chat messages as JSON text, tool calls, HTTP attributes, exceptions
as events, links) and what the format allows and exporters rarely send (bytes, empty values, nested
lists, duplicate keys, bad ids).
"""

from __future__ import annotations

import json
import random
from typing import Any

from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue

START_NS = 1_790_000_000_000_000_000
MODELS = ("gpt-large", "claude-small", "open-8b")


def any_value(value: Any) -> AnyValue:
    """Returns a Python value as an AnyValue; None is the empty one."""
    message = AnyValue()
    if isinstance(value, bool):
        message.bool_value = value
    elif isinstance(value, int):
        message.int_value = value
    elif isinstance(value, float):
        message.double_value = value
    elif isinstance(value, str):
        message.string_value = value
    elif isinstance(value, bytes):
        message.bytes_value = value
    elif isinstance(value, list):
        message.array_value.SetInParent()
        message.array_value.values.extend(any_value(item) for item in value)
    elif isinstance(value, dict):
        message.kvlist_value.SetInParent()
        message.kvlist_value.values.extend(key_values(value))
    return message


def key_values(attributes: dict[str, Any]) -> list[KeyValue]:
    """Returns a dict as a list of KeyValue."""
    return [KeyValue(key=key, value=any_value(value)) for key, value in attributes.items()]


def odd_value(rng: random.Random, depth: int = 0) -> Any:
    """Returns a value of any kind that OTLP can carry."""
    kind = rng.randrange(12 if depth < 4 else 8)
    match kind:
        case 0:
            return None
        case 1:
            return rng.random() < 0.5
        case 2:
            return rng.choice([0, 1, -1, 2**63 - 1, -(2**63), rng.randrange(-(10**9), 10**9)])
        case 3 | 4:
            return rng.choice([0.0, -0.0, 1.0, 1e300, 5e-324, float("inf"), rng.random()])
        case 5 | 6:
            return rng.choice(["", "x", 'quote " back \\ slash', "naïve ☃ 🎈", "nul \0 tab \t"])
        case 7:
            return rng.randbytes(rng.randrange(6))
        case 8 | 9:
            return [odd_value(rng, depth + 1) for _ in range(rng.randrange(4))]
        case 10:
            return [rng.choice([1, 2, 3]) for _ in range(rng.randrange(5))]
        case _:
            keys = rng.sample(["a", "b", "a.b", "", "c d", 'q"', "ключ"], rng.randrange(4))
            return {key: odd_value(rng, depth + 1) for key in keys}


def chat(rng: random.Random, turns: int) -> list[dict[str, Any]]:
    """Returns a chat history in the shape of the GenAI conventions."""
    words = ["the", "store", "keeps", "every", "path", "as", "a", "typed", "column"]
    return [
        {
            "role": ("user", "assistant")[turn % 2],
            "parts": [{"type": "text", "content": " ".join(rng.choices(words, k=12))}],
        }
        for turn in range(turns)
    ]


def span_attributes(rng: random.Random, number: int) -> dict[str, Any]:
    """Returns the attributes of one span: an LLM call, a tool call or an HTTP request."""
    match number % 3:
        case 0:
            return {
                "gen_ai.operation.name": "chat",
                "gen_ai.request.model": rng.choice(MODELS),
                "gen_ai.request.temperature": rng.choice([0.0, 0.7, 1.0]),
                "gen_ai.response.finish_reasons": ["stop"],
                "gen_ai.usage.input_tokens": rng.randrange(5000),
                "gen_ai.usage.output_tokens": rng.randrange(900),
                "gen_ai.input.messages": json.dumps(chat(rng, 4)),
                "gen_ai.output.messages": chat(rng, 1),
            }
        case 1:
            return {
                "gen_ai.operation.name": "execute_tool",
                "gen_ai.tool.name": "search",
                "gen_ai.tool.call.arguments": {"query": "weather", "limit": rng.randrange(9)},
                "gen_ai.tool.call.result": [{"title": "a", "score": rng.random()}, None, "end"],
            }
        case _:
            # One exporter in this imaginary fleet sends the status as text: a type conflict.
            status: Any = rng.choice([200, 200, 404, "500"])
            return {
                "http.request.method": rng.choice(["GET", "POST"]),
                "http.response.status_code": status,
                "url.path": f"/items/{rng.randrange(50)}",
                "server.port": 443,
            }


def trace_request(seed: int, spans: int = 20, *, odd: bool = False) -> Any:
    """Returns an ExportTraceServiceRequest of a few resources and scopes."""
    rng = random.Random(seed)
    request = ExportTraceServiceRequest()
    trace_id = rng.randbytes(16)
    for number in range(spans):
        if number % 7 == 0:
            group = request.resource_spans.add(schema_url="https://example.org/schema")
            group.resource.attributes.extend(
                key_values({"service.name": rng.choice(["shop", "agent"]), "host.cpus": 8})
            )
        if number % 5 == 0 or number % 7 == 0:
            scoped = group.scope_spans.add()
            scoped.scope.name = "example.instrumentation"
            scoped.scope.version = "1.2"
        start = START_NS + number * 1_000_003
        span = scoped.spans.add(
            trace_id=trace_id,
            span_id=rng.randbytes(8),
            name=f"step {number % 4}",
            kind=1 + number % 5,
            start_time_unix_nano=start,
            end_time_unix_nano=start + rng.randrange(10**9),
            flags=257,
        )
        if number:
            span.parent_span_id = b"12345678"
        span.attributes.extend(key_values(span_attributes(rng, number)))
        if number % 6 == 5:
            span.status.code = 2
            span.status.message = "it broke"
            event = span.events.add(name="exception", time_unix_nano=start + 5)
            event.attributes.extend(key_values({"exception.type": "ValueError", "depth": 3}))
        if number % 8 == 3:
            span.links.add(trace_id=trace_id, span_id=b"abcdefgh", flags=1, trace_state="k=v")
        if odd:
            _make_odd(rng, span)
    return request


def _make_odd(rng: random.Random, span: Any) -> None:
    keys = rng.sample(["x", "x.y", "", "y", "gen_ai.request.model", "very odd"], 3)
    span.attributes.extend(key_values({key: odd_value(rng) for key in keys}))
    match rng.randrange(8):
        case 0:
            span.span_id = b"short"
        case 1:
            span.trace_id = bytes(16)
        case 2:
            span.parent_span_id = bytes(8)
        case 3:
            span.parent_span_id = b"too long for one"
        case 4:
            span.end_time_unix_nano = span.start_time_unix_nano - 10
        case 5:
            span.dropped_attributes_count = 7
            span.trace_state = "vendor=1"
        case _:
            event = span.events.add(dropped_attributes_count=2)
            event.attributes.extend(key_values({"v": odd_value(rng)}))


def log_request(seed: int, records: int = 20, *, odd: bool = False) -> Any:
    """Returns an ExportLogsServiceRequest."""
    rng = random.Random(seed)
    request = ExportLogsServiceRequest()
    group = request.resource_logs.add()
    group.resource.attributes.extend(key_values({"service.name": "shop"}))
    scoped = group.scope_logs.add(schema_url="https://example.org/schema")
    scoped.scope.name = "logger"
    for number in range(records):
        record = scoped.log_records.add(
            time_unix_nano=START_NS + number if number % 4 else 0,
            observed_time_unix_nano=START_NS + number + 1,
            severity_number=9,
            severity_text="INFO",
            event_name="gen_ai.choice" if number % 2 else "",
            flags=1,
        )
        if number % 3:
            record.trace_id, record.span_id = rng.randbytes(16), rng.randbytes(8)
        body: Any = "plain text" if number % 2 else {"message": {"content": "hi"}, "index": number}
        if odd:
            body = odd_value(rng)
            if rng.random() < 0.2:
                record.span_id = b"bad"
        if not (odd and number % 5 == 0):
            record.body.CopyFrom(any_value(body))
        attributes = {"k": odd_value(rng)} if odd else {"thread": number % 4}
        record.attributes.extend(key_values(attributes))
    return request


def request(signal: str, seed: int, rows: int = 20, *, odd: bool = False) -> Any:
    """Returns a request of either signal."""
    make = trace_request if signal == "traces" else log_request
    return make(seed, rows, odd=odd)
