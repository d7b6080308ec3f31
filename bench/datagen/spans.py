"""Makes OTLP trace requests for measurements: the same bytes for the same seed."""

from __future__ import annotations

import json
import random
from typing import Any

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

START_NS = 1_790_000_000_000_000_000
# What the SDKs send in one export.
SPANS_PER_REQUEST = 512
# fmt: off
WORDS = [
    "the", "a", "of", "agent", "store", "answers", "question", "with", "tool", "call", "result",
    "and", "user", "asked", "about", "weather", "order", "invoice", "shipping", "refund",
    "please", "check", "status", "yesterday", "tomorrow", "maybe", "again", "search",
    "document", "paragraph", "summary", "list", "item", "price", "total", "number", "customer",
    "account", "naïve", "café",
]
# fmt: on


def _set(pair: Any, key: str, value: Any) -> None:
    pair.key = key
    if isinstance(value, bool):
        pair.value.bool_value = value
    elif isinstance(value, int):
        pair.value.int_value = value
    elif isinstance(value, float):
        pair.value.double_value = value
    else:
        pair.value.string_value = value


def _http_attributes(rng: random.Random) -> dict[str, Any]:
    """Returns 15 attributes of an instrumented HTTP or database call, about 600 bytes a span."""
    return {
        "http.request.method": rng.choice(["GET", "POST", "PUT"]),
        "http.response.status_code": rng.choice([200, 200, 200, 404, 500]),
        "http.route": f"/api/v1/{rng.choice(WORDS)}/:id",
        "url.path": f"/api/v1/{rng.choice(WORDS)}/{rng.randrange(10**6)}",
        "url.scheme": "https",
        "server.address": "shop.example.org",
        "server.port": 443,
        "client.address": f"10.0.{rng.randrange(256)}.{rng.randrange(256)}",
        "network.protocol.version": "1.1",
        "user_agent.original": "Mozilla/5.0 (X11; Linux x86_64)",
        "enduser.id": f"user-{rng.randrange(10**5)}",
        "cart.items": rng.randrange(20),
        "cart.total": round(rng.random() * 500, 2),
        "cache.hit": rng.random() < 0.7,
        "sampling.weight": rng.random(),
    }


def _chat(rng: random.Random, size_bytes: int) -> str:
    messages = []
    held = 0
    while held < size_bytes:
        text = " ".join(rng.choices(WORDS, k=rng.randrange(20, 200)))
        messages.append({"role": "user", "parts": [{"type": "text", "content": text}]})
        held += len(text) + 60
    return json.dumps(messages, ensure_ascii=False)


def _llm_attributes(rng: random.Random) -> dict[str, Any]:
    """Returns the attributes of an LLM call of about 50 KB: messages are JSON text."""
    return {
        "gen_ai.operation.name": "chat",
        "gen_ai.request.model": rng.choice(["gpt-large", "claude-small"]),
        "gen_ai.request.temperature": rng.choice([0.0, 0.7]),
        "gen_ai.usage.input_tokens": rng.randrange(20_000),
        "gen_ai.usage.output_tokens": rng.randrange(2_000),
        "gen_ai.input.messages": _chat(rng, 46_000),
        "gen_ai.output.messages": _chat(rng, 2_000),
    }


def requests(seed: int, spans: int, per_request: int, attributes: Any) -> list[bytes]:
    rng = random.Random(seed)
    bodies = []
    for first in range(0, spans, per_request):
        request = ExportTraceServiceRequest()
        group = request.resource_spans.add()
        for key, value in {"service.name": "shop", "service.version": "1.2.3"}.items():
            _set(group.resource.attributes.add(), key, value)
        scoped = group.scope_spans.add()
        scoped.scope.name = "bench.instrumentation"
        for number in range(first, min(first + per_request, spans)):
            start = START_NS + number * 1_000_003
            span = scoped.spans.add(
                trace_id=rng.randbytes(16),
                span_id=rng.randbytes(8),
                parent_span_id=rng.randbytes(8),
                name=f"{rng.choice(['GET', 'POST'])} /api/v1/{rng.choice(WORDS)}",
                kind=rng.randrange(1, 6),
                start_time_unix_nano=start,
                end_time_unix_nano=start + rng.randrange(10**9),
                flags=257,
            )
            for key, value in attributes(rng).items():
                _set(span.attributes.add(), key, value)
        bodies.append(request.SerializeToString())
    return bodies


def small_spans(spans: int, seed: int = 1) -> list[bytes]:
    """Returns requests of spans of about 600 bytes with 15 attributes."""
    return requests(seed, spans, SPANS_PER_REQUEST, _http_attributes)


def llm_spans(spans: int, seed: int = 2) -> list[bytes]:
    """Returns requests of spans of about 50 KB."""
    return requests(seed, spans, 64, _llm_attributes)
