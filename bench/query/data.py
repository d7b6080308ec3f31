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


def batches(rows: int, *, rare: bool = False) -> Iterator[bytes]:
    """Yields NDJSON of spans; with `rare`, each has five of 200,000 rare keys."""
    rng = random.Random(7)
    for start in range(0, rows, BATCH_ROWS):
        stop = min(start + BATCH_ROWS, rows)
        yield "\n".join(json.dumps(_span(rng, i, rare=rare)) for i in range(start, stop)).encode()


def _span(rng: random.Random, i: int, *, rare: bool) -> dict[str, object]:
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
    if rare:
        attributes["rare"] = {f"key{int(rng.paretovariate(0.6)) % RARE_KEYS}": i for _ in range(3)}
        attributes["rare"].update({f"key{rng.randrange(RARE_KEYS)}": i for _ in range(2)})  # type: ignore[attr-defined]
    return {
        "trace_id": f"{rng.getrandbits(128) | 1:032x}" if i % 5 == 0 else f"{i // 5 + 1:032x}",
        "span_id": f"{i + 1:016x}",
        "name": rng.choice(TOOLS),
        "kind": "CLIENT",
        "start_ns": START_NS + i * 1_000_000,
        "duration_ns": tokens * 1_000_000,
        "status_code": "ERROR" if rng.random() < 0.02 else "OK",
        "attributes": attributes,
    }
