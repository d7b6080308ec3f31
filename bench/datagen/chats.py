"""Chat histories: every turn sends all earlier messages again, conversations interleaved."""

from __future__ import annotations

import random
from typing import Any

from bench.datagen.spans import START_NS, WORDS


def turns(conversations: int, length: int, seed: int = 4) -> list[dict[str, Any]]:
    """Returns span rows in arrival order; the messages of a turn are those before it and two more."""
    rng = random.Random(seed)
    histories: list[list[dict[str, str]]] = [[] for _ in range(conversations)]
    rows: list[dict[str, Any]] = []
    order = [number for number in range(conversations) for _ in range(length)]
    rng.shuffle(order)
    for position, number in enumerate(order):
        history = histories[number]
        for role in ("user", "assistant"):
            text = " ".join(rng.choice(WORDS) + str(rng.randrange(1000)) for _ in range(120))
            history.append({"role": role, "content": text})
        rows.append(
            {
                "trace_id": f"{rng.getrandbits(128) | 1:032x}",
                "span_id": f"{rng.getrandbits(64) | 1:016x}",
                "start_ns": START_NS + position * 1_000_003,
                "duration_ns": 10**9,
                "name": "chat",
                "input": {"messages": list(history)},
            }
        )
    return rows
