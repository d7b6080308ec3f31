"""Makes requests of model calls of about 2 KB, as instrumentations spell them: the same bytes for the same seed."""

from __future__ import annotations

import json
import random
from typing import Any

from bench.datagen.spans import SPANS_PER_REQUEST, WORDS, requests


def _said(rng: random.Random) -> list[tuple[str, str]]:
    """Returns who says what in one call."""
    roles = ("system", "user", "assistant", "user", "assistant")
    return [(role, " ".join(rng.choices(WORDS, k=rng.randrange(30, 70)))) for role in roles]


def _numbered(rng: random.Random) -> dict[str, Any]:
    """Returns the attributes of a call by OpenInference: a key for each part of each message."""
    said = _said(rng)
    attributes: dict[str, Any] = {
        "openinference.span.kind": "LLM",
        "llm.model_name": rng.choice(["gpt-large", "claude-small"]),
        "llm.provider": "openai",
        "llm.token_count.prompt": rng.randrange(20_000),
        "llm.token_count.completion": rng.randrange(2_000),
        "llm.token_count.prompt_details.cache_read": rng.randrange(2_000),
        "llm.invocation_parameters": json.dumps({"temperature": 0.7, "max_tokens": 800}),
        "session.id": f"s{rng.randrange(1000)}",
    }
    for number, (role, text) in enumerate(said[:-1]):
        attributes[f"llm.input_messages.{number}.message.role"] = role
        attributes[f"llm.input_messages.{number}.message.content"] = text
    attributes["llm.output_messages.0.message.role"] = said[-1][0]
    attributes["llm.output_messages.0.message.content"] = said[-1][1]
    return attributes


def _messages(rng: random.Random) -> dict[str, Any]:
    """Returns the attributes of a call by the GenAI conventions: messages are JSON text."""
    messages = [
        {"role": role, "parts": [{"type": "text", "content": text}]} for role, text in _said(rng)
    ]
    return {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "openai",
        "gen_ai.request.model": rng.choice(["gpt-large", "claude-small"]),
        "gen_ai.usage.input_tokens": rng.randrange(20_000),
        "gen_ai.usage.output_tokens": rng.randrange(2_000),
        "gen_ai.conversation.id": f"s{rng.randrange(1000)}",
        "gen_ai.input.messages": json.dumps(messages[:-1]),
        "gen_ai.output.messages": json.dumps(messages[-1:]),
    }


def numbered(spans: int, seed: int = 3) -> list[bytes]:
    """Returns requests of calls whose messages are numbered keys."""
    return requests(seed, spans, SPANS_PER_REQUEST, _numbered)


def messages(spans: int, seed: int = 4) -> list[bytes]:
    """Returns requests of calls whose messages are JSON text."""
    return requests(seed, spans, SPANS_PER_REQUEST, _messages)
