"""Rows of the side-by-side benchmark as NDJSON: the same bytes for the same seed, modelled on real files.

| workload | modelled on (../shared/data) |
|---|---|
| apm | otlp/nezha-onlineboutique: a few services, traces of ten spans; otlp/replay-otel-python-contrib |
| llm | llm/moatless-trajectories, otlp/replay-pydantic-ai: every turn sends all messages again; tool calls, scores |
| llm-large | the same with a system prompt and longer messages: 5 to 50 KB a span |
| evolving | json/octokit-webhooks, json/scoop-extras: paths that come and go, types that change, rare keys |
| events | json/bluesky-atproto: records of several collections in one stream, the shape of JSONBench |
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterator
from typing import Any

from bench.datagen.spans import START_NS, WORDS

BATCH_ROWS = 10_000
RARE_KEYS = 10_000
SERVICES = ("frontend", "cart", "checkout", "payment", "shipping", "ads", "currency", "mail")
MODELS = ("gpt-large", "gpt-small", "claude-big", "claude-small", "open-8b")
COLLECTIONS = ("app.bsky.feed.like", "app.bsky.graph.follow", "app.bsky.feed.post", "app.bsky.feed.repost",
               "app.bsky.graph.block", "app.bsky.actor.profile")  # fmt: skip
COLLECTION_SHARES = (50, 25, 10, 9, 4, 2)

Row = dict[str, Any]


def _base(rng: random.Random, number: int, spans_per_trace: int) -> Row:
    trace = random.Random(number // spans_per_trace).getrandbits(128) | 1
    return {
        "trace_id": f"{trace:032x}",
        "span_id": f"{number + 1:016x}",
        "name": rng.choice(("GET", "POST", "call", "select")),
        "service": SERVICES[min(int(rng.expovariate(0.6)), len(SERVICES) - 1)],
        "start_ns": START_NS + number * 3_000_000 + rng.randrange(1_000_000),
        "duration_ns": int(rng.lognormvariate(16, 1.2)),
        "experiment": None,
    }


def apm(rng: random.Random, number: int) -> Row:
    """Returns a small span with 15 attributes."""
    row = _base(rng, number, 10)
    status = rng.choices((200, 404, 500), (94, 4, 2))[0]
    attributes: Row = {
        "http.request.method": rng.choice(("GET", "POST", "PUT")),
        "http.route": f"/api/v1/{WORDS[int(rng.triangular(0, 39, 0))]}/:id",
        "url.path": f"/api/v1/{rng.choice(WORDS)}/{rng.choice(WORDS)}/{rng.randrange(10**6)}",
        "url.scheme": "https",
        "server.address": "shop.example.org",
        "server.port": 443,
        "client.address": f"10.0.{rng.randrange(256)}.{rng.randrange(256)}",
        "network.protocol.version": "1.1",
        "http.response.body.size": int(rng.lognormvariate(8, 1.5)),
        "enduser.id": f"user-{int(rng.paretovariate(0.5)) % 20_000}",
        "cart": {"items": rng.randrange(20), "total": round(rng.random() * 500, 2)},
        "cache.hit": rng.random() < 0.7,
        "sampling.weight": rng.random(),
        # One instrumentation writes numbers, another one text.
        "code": status if rng.random() < 0.95 else rng.choice(("OK", "timeout")),
    }
    if rng.random() < 0.0005:
        attributes["debug.retries"] = rng.randrange(1, 9)
    return {**row, "attributes": attributes}


def evolving(rng: random.Random, number: int) -> Row:
    """Returns a span whose attributes change all the time: new paths, other types, 10,000 rare keys."""
    row = apm(rng, number)
    era = number // 20_000
    attributes = row["attributes"]
    attributes[f"feature_{era % 50}"] = {"on": rng.random() < 0.5, "weight": rng.random()}
    attributes["version"] = era if era % 2 else f"1.{era}"
    attributes["limits"] = {"cpu": 1} if era % 3 else "none"
    attributes["rare"] = {f"k{rng.randrange(RARE_KEYS)}": value for value in (number, "x")}
    return row


class Conversations:
    """A maker of LLM spans: interleaved conversations, each turn with all messages before it.

    Args:
        system_words: of the message that each conversation begins with, 0 for none.
        asked_words: the most words of what a user or a tool says.
        replied_words: the most words of a reply.
    """

    def __init__(
        self, *, system_words: int = 0, asked_words: int = 150, replied_words: int = 120
    ) -> None:
        self._histories: list[list[Row]] = [[] for _ in range(40)]
        self._system_words = system_words
        self._asked_words = asked_words
        self._replied_words = replied_words

    def __call__(self, rng: random.Random, number: int) -> Row:
        """Returns the next span."""
        row = _base(rng, number, 12)
        place = rng.randrange(len(self._histories))
        history = self._histories[place]
        if len(history) >= 30:
            history = self._histories[place] = []
        if not history and self._system_words:
            history.append({"role": "system", "content": _text(rng, self._system_words)})
        said = len(history) - bool(self._system_words)
        role = "user" if said % 4 == 0 else "tool"
        history.append({"role": role, "content": _text(rng, self._asked_words)})
        messages = list(history)
        reply: Row = {"role": "assistant", "content": _text(rng, self._replied_words)}
        if rng.random() < 0.4:
            reply["tool_calls"] = [
                {"name": rng.choice(WORDS), "arguments": {"q": rng.choice(WORDS)}}
            ]
        history.append(reply)
        tokens = sum(len(message["content"]) for message in messages) // 4
        attributes: Row = {
            "gen_ai.operation.name": "chat",
            "gen_ai.request.model": rng.choices(MODELS, (5, 3, 2, 1, 1))[0],
            "gen_ai.request.temperature": rng.choice((0.1, 0.2, 0.7)),
            "gen_ai.usage.input_tokens": tokens,
            "gen_ai.usage.output_tokens": len(reply["content"]) // 4,
            "enduser.id": f"user-{place * 7 + rng.randrange(7)}",
            "cart": {"items": rng.randrange(20), "total": round(rng.random() * 500, 2)},
            "code": 200 if rng.random() < 0.95 else "rate_limited",
        }
        if rng.random() < 0.001:
            attributes["debug.retries"] = rng.randrange(1, 9)
        return {
            **row,
            "experiment": ("a", "b", None)[number % 3],
            "attributes": attributes,
            "input": {"messages": messages},
            "output": reply["content"],
            "scores": {"quality": round(rng.random(), 4)},
            "metadata": {"case": f"case-{number // 3}"},
        }  # fmt: skip


def events(rng: random.Random, number: int) -> Row:
    """Returns a record of a social network's stream as the body of a log record."""
    time_us = START_NS // 1000 + number * 1_700
    body: Row = {
        "did": f"did:plc:{int(rng.paretovariate(0.4)) % 50_000:024x}",
        "time_us": time_us,
        "kind": "commit" if rng.random() < 0.99 else "identity",
    }
    if body["kind"] == "identity":
        body["identity"] = {
            "did": body["did"],
            "handle": f"{rng.choice(WORDS)}.bsky.social",
            "seq": number,
        }
    else:
        collection = rng.choices(COLLECTIONS, COLLECTION_SHARES)[0]
        operation = "create" if rng.random() < 0.95 else "delete"
        commit: Row = {"rev": f"{number:013x}", "operation": operation, "collection": collection,
                       "rkey": f"{rng.getrandbits(60):013x}"}  # fmt: skip
        if operation == "create":
            commit["record"] = _record(rng, collection)
            commit["cid"] = f"bafyrei{rng.getrandbits(200):050x}"
        body["commit"] = commit
    return {"time_ns": time_us * 1000, "body": body}


def _record(rng: random.Random, collection: str) -> Row:
    record: Row = {
        "$type": collection,
        "createdAt": f"2026-09-21T15:{rng.randrange(60):02}:00.000Z",
    }
    if collection.endswith("post"):
        record |= {"text": _text(rng, 15), "langs": [rng.choice(("en", "ja", "pt"))]}
        if rng.random() < 0.3:
            record["reply"] = {
                "root": {"uri": f"at://{rng.getrandbits(64):x}"},
                "parent": {"uri": "at://p"},
            }
    elif collection.endswith(("like", "repost")):
        record["subject"] = {
            "cid": f"bafyrei{rng.getrandbits(100):050x}",
            "uri": f"at://{rng.getrandbits(64):x}",
        }
    else:
        record["subject"] = f"did:plc:{rng.randrange(50_000):024x}"
    return record  # fmt: skip


def _text(rng: random.Random, words: int) -> str:
    return " ".join(
        f"{rng.choice(WORDS)}{rng.randrange(300)}" for _ in range(rng.randrange(words // 2, words))
    )


MAKERS: dict[str, Callable[[], Callable[[random.Random, int], Row]]] = {
    "apm": lambda: apm,
    "llm": Conversations,
    "llm-large": lambda: Conversations(system_words=1000, asked_words=205, replied_words=145),
    "evolving": lambda: evolving,
    "events": lambda: events,
}


def ndjson(workload: str, rows: int, seed: int = 11) -> Iterator[bytes]:
    """Yields NDJSON of a workload, 10,000 rows at a time, each line ended."""
    rng = random.Random(seed)
    make = MAKERS[workload]()
    for start in range(0, rows, BATCH_ROWS):
        made = (make(rng, number) for number in range(start, min(start + BATCH_ROWS, rows)))
        yield "".join(json.dumps(row, separators=(",", ":")) + "\n" for row in made).encode()
