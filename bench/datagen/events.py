"""Makes NDJSON events for measurements: the same bytes for the same seed."""

from __future__ import annotations

import json
import random
from typing import Any

from bench.datagen.spans import WORDS

EVENTS_PER_BATCH = 2000


def _event(rng: random.Random, number: int) -> dict[str, Any]:
    event: dict[str, Any] = {
        "id": f"evt_{number:08d}",
        "type": rng.choice(["order.created", "order.paid", "cart.updated", "user.login"]),
        "ts": 1_790_000_000_000 + number * 13,
        "actor": {
            "id": rng.randrange(10**6),
            "login": f"user-{rng.randrange(10**5)}",
            "admin": rng.random() < 0.01,
            "email": None if rng.random() < 0.3 else "someone@example.org",
        },
        "payload": {
            "amount": round(rng.random() * 1000, 2),
            "currency": rng.choice(["EUR", "USD"]),
            "items": [rng.randrange(10**4) for _ in range(rng.randrange(1, 6))],
            "tags": rng.sample(WORDS, 3),
            "note": " ".join(rng.choices(WORDS, k=12)),
            "shipping": {"city": rng.choice(["Köln", "Lyon", "Oslo"]), "weight_kg": rng.random()},
        },
        "ok": True,
    }
    if number % 10 == 0:
        event["payload"]["lines"] = [{"sku": rng.randrange(10**4), "n": 1}, {"sku": 7, "n": 2}]
    return event


def ndjson(events: int, seed: int = 3) -> list[bytes]:
    """Returns batches of NDJSON, events of about 450 bytes."""
    rng = random.Random(seed)
    batches = []
    for first in range(0, events, EVENTS_PER_BATCH):
        lines = [
            json.dumps(_event(rng, number), ensure_ascii=False, separators=(",", ":"))
            for number in range(first, min(first + EVENTS_PER_BATCH, events))
        ]
        batches.append(("\n".join(lines) + "\n").encode())
    return batches
