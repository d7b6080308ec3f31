"""Spans for the query benchmark: the same for the same size, as NDJSON for the store."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator

START_NS = 1_790_000_000_000_000_000
MODELS = ("gpt-large", "gpt-small", "claude-big", "claude-small", "open-8b")
TOOLS = ("search", "python", "browser", "calculator", "mail", "none")
RARE_KEYS = 200_000
BATCH_ROWS = 20_000


def batches(rows: int, *, rare_keys: int | None = None, shift_ns: int = 0) -> Iterator[bytes]:
    """Yields NDJSON of spans, all times shifted; with `rare_keys`, each has five of so many rare keys."""
    rng = random.Random(7)
    for start in range(0, rows, BATCH_ROWS):
        stop = min(start + BATCH_ROWS, rows)
        spans = (_span(rng, i, rare_keys, shift_ns) for i in range(start, stop))
        yield "\n".join(map(json.dumps, spans)).encode()


def _span(rng: random.Random, i: int, rare_keys: int | None, shift_ns: int) -> dict[str, object]:
    tokens = int(rng.lognormvariate(6, 1))
    attributes: dict[str, object] = {
        "gen_ai.request.model": rng.choices(MODELS, (5, 3, 2, 1, 1))[0],
        "gen_ai.usage.input_tokens": tokens,
        "gen_ai.usage.output_tokens": tokens // 4,
        "gen_ai.request.temperature": rng.choice((0.0, 0.2, 0.7, 1.0)),
        "http.response.status_code": rng.choices((200, 429, 500), (95, 3, 2))[0],
        "user.id": f"user-{rng.randrange(5000)}",
        "tool.name": rng.choice(TOOLS),
        "retry": {"count": rng.randrange(3), "reason": rng.choice(("none", "rate", "timeout"))},
        "cache.hit": rng.random() < 0.3,
    }
    if rare_keys is not None:
        numbers = [int(rng.paretovariate(0.6)) for _ in range(3)]
        numbers += [rng.randrange(rare_keys) for _ in range(2)]
        attributes["rare"] = {f"key{number % rare_keys}": i for number in numbers}
    return {
        "trace_id": f"{rng.getrandbits(128) | 1:032x}" if i % 5 == 0 else f"{i // 5 + 1:032x}",
        "span_id": f"{i + 1 + abs(shift_ns):016x}",
        "name": rng.choice(TOOLS),
        "kind": "CLIENT",
        "start_ns": START_NS + i * 1_000_000 + shift_ns,
        "duration_ns": tokens * 1_000_000,
        "status_code": "ERROR" if rng.random() < 0.02 else "OK",
        "attributes": attributes,
    }
