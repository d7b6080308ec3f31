"""Rows as lines for fine-tuning a chat model: `{"messages": [{"role", "content"}, …]}`."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

_ROLES: Final = frozenset({"system", "developer", "user", "assistant", "tool", "function"})


def chat_line(row: Mapping[str, Any]) -> bytes | None:
    """Returns a row as a line, None where it holds no conversation that ends with an answer.

    The input is a text, a list of messages, or an object with `messages`; the answer is `expected` where
    there is one, else `output`: a text, a message, an object with `messages`, `content` or `text`, or
    OpenAI's completion. Any other answer is given as its JSON.
    """
    asked = _messages(row.get("input"), "user")
    answer = row.get("expected")
    answer = row.get("output") if answer is None else answer
    answered = _messages(answer, "assistant")
    if answered is None and answer is not None:
        answered = [{"role": "assistant", "content": json.dumps(answer, ensure_ascii=False)}]
    if not asked or not answered or answered[-1]["role"] != "assistant":
        return None
    # An output may repeat the conversation that led to it.
    whole = answered if answered[: len(asked)] == asked else [*asked, *answered]
    return json.dumps({"messages": whole}, ensure_ascii=False).encode() + b"\n"


def _messages(value: Any, role: str) -> list[dict[str, Any]] | None:
    """Returns the messages that a value is or holds, None where it is something else."""
    if isinstance(value, str):
        return [{"role": role, "content": value}]
    if isinstance(value, list):
        messages = [message for item in value if (message := _message(item, role))]
        return messages if messages and len(messages) == len(value) else None
    if not isinstance(value, dict):
        return None
    if isinstance(value.get("messages"), list):
        return _messages(value["messages"], role)
    if isinstance(value.get("choices"), list) and value["choices"]:
        return _messages([value["choices"][0].get("message")], role)
    one = _message(value, role)
    return None if one is None else [one]


def _message(value: Any, role: str) -> dict[str, Any] | None:
    if not isinstance(value, dict):
        return None
    spoken = value.get("role", role)
    content = value.get("content", value.get("parts", value.get("text")))
    text = _text(content)
    calls = value.get("tool_calls")
    if spoken not in _ROLES or (text is None and not calls):
        return None
    also = {name: value[name] for name in ("name", "tool_calls", "tool_call_id") if value.get(name)}
    return {"role": spoken, "content": text, **also}


def _text(content: Any) -> str | None:
    """Returns a text, or the texts among the parts of a content joined."""
    if isinstance(content, str):
        return content
    if isinstance(content, list):
        texts = [
            part if isinstance(part, str) else part.get("text", part.get("content"))
            for part in content
            if isinstance(part, str | dict)
        ]
        parts = [text for text in texts if isinstance(text, str)]
        return "\n".join(parts) if parts else None
    return None
