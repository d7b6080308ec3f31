"""What a provider answered, put together from its bytes: one JSON object, or the events of a stream."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any, Final, Literal

Shape = Literal["chat", "responses", "embeddings", "messages"]
"""Whose requests and answers: OpenAI's chat, its Responses API and embeddings, Anthropic's messages."""

EVENT_STREAM: Final = "text/event-stream"

_ENDED: Final = ("response.completed", "response.incomplete", "response.failed")


def answer_of(shape: Shape, content_type: str, body: bytes) -> dict[str, Any] | None:
    """Returns a provider's answer as it is when it is not streamed, None where the bytes hold none."""
    if content_type.partition(";")[0].strip().lower() != EVENT_STREAM:
        return _object(body)
    events = list(_events(body))
    if shape == "chat":
        return _chat(events)
    if shape == "responses":
        return _response(events)
    return _message(events) if shape == "messages" else None


def _object(body: bytes) -> dict[str, Any] | None:
    try:
        value = json.loads(body)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def _events(body: bytes) -> Iterator[dict[str, Any]]:
    """Yields the data of each event that is a JSON object. One that was cut off is none."""
    lines: list[bytes] = []
    for line in body.replace(b"\r\n", b"\n").replace(b"\r", b"\n").split(b"\n"):
        if line.startswith(b"data:"):
            lines.append(line[5:].removeprefix(b" "))
        elif not line and lines:
            event = _object(b"\n".join(lines))
            lines = []
            if event is not None:
                yield event


# --- OpenAI's chat -----------------------------------------------------------------------------------


def _chat(events: list[dict[str, Any]]) -> dict[str, Any] | None:
    choices: dict[int, dict[str, Any]] = {}
    whole: dict[str, Any] = {}
    for event in events:
        whole |= {name: value for name, value in event.items() if name != "choices" and value}
        for choice in _objects(event.get("choices")):
            number = choice.get("index")
            known = choices.setdefault(number if isinstance(number, int) else 0, _new_choice())
            _add_delta(known["message"], choice.get("delta"))
            if choice.get("finish_reason"):
                known["finish_reason"] = choice["finish_reason"]
    if not whole and not choices:
        return None
    whole["object"] = "chat.completion"
    whole["choices"] = [
        {"index": number, **_closed(choice)} for number, choice in sorted(choices.items())
    ]
    return whole


def _new_choice() -> dict[str, Any]:
    return {"message": {"role": "assistant"}, "finish_reason": None}


def _add_delta(message: dict[str, Any], delta: Any) -> None:
    """Adds what one event says to a message: texts grow, other values take the place of earlier ones."""
    if not isinstance(delta, Mapping):
        return
    for name, value in delta.items():
        if name == "tool_calls":
            calls = message.setdefault(name, {})
            for call in _objects(value):
                known = calls.setdefault(call.get("index", len(calls)), {})
                _add_delta(known, {key: item for key, item in call.items() if key != "index"})
        elif isinstance(value, str) and isinstance(message.get(name), str) and name not in _FIXED:
            message[name] += value
        elif isinstance(value, Mapping) and isinstance(message.get(name), dict):
            _add_delta(message[name], value)
        elif value is not None:
            message[name] = dict(value) if isinstance(value, Mapping) else value


_FIXED: Final = frozenset({"role", "id", "type"})
"""Members that an event says anew and not on."""


def _closed(choice: dict[str, Any]) -> dict[str, Any]:
    calls = choice["message"].get("tool_calls")
    if calls is not None:
        ordered = sorted(calls.items(), key=lambda entry: str(entry[0]).zfill(9))
        choice["message"]["tool_calls"] = [call for _, call in ordered]
    return choice


# --- OpenAI's Responses API --------------------------------------------------------------------------


def _response(events: list[dict[str, Any]]) -> dict[str, Any] | None:
    whole: dict[str, Any] | None = None
    texts: list[str] = []
    for event in events:
        response = event.get("response")
        if isinstance(response, dict):
            whole = response
            if event.get("type") in _ENDED:
                return whole
        if event.get("type") == "response.output_text.delta":
            texts.append(str(event.get("delta", "")))
    if whole is not None and texts:
        # A stream that was cut off: what was said until then.
        part = {"type": "output_text", "text": "".join(texts)}
        said = {"type": "message", "role": "assistant", "content": [part]}
        return {**whole, "output": [said]}
    return whole


# --- Anthropic's messages ----------------------------------------------------------------------------


def _message(events: list[dict[str, Any]]) -> dict[str, Any] | None:
    whole: dict[str, Any] | None = None
    parts: dict[int, dict[str, Any]] = {}
    texts: dict[int, str] = {}
    for event in events:
        kind, number = event.get("type"), event.get("index", 0)
        if kind == "message_start" and isinstance(event.get("message"), dict):
            whole = dict(event["message"])
        elif kind == "content_block_start" and isinstance(event.get("content_block"), dict):
            parts[number] = dict(event["content_block"])
        elif kind == "content_block_delta" and isinstance(event.get("delta"), dict):
            _add_part(parts.setdefault(number, {}), event["delta"], texts, number)
        elif kind == "message_delta" and whole is not None:
            whole |= event.get("delta") or {}
            whole["usage"] = {**(whole.get("usage") or {}), **(event.get("usage") or {})}
    if whole is None:
        return None
    for number, text in texts.items():
        with_input = _object(text.encode() or b"{}")
        parts[number]["input"] = text if with_input is None else with_input
    whole["content"] = [part for _, part in sorted(parts.items())]
    return whole


def _add_part(
    part: dict[str, Any], delta: Mapping[str, Any], texts: dict[int, str], number: int
) -> None:
    for name in ("text", "thinking", "signature"):
        if isinstance(delta.get(name), str):
            part[name] = str(part.get(name) or "") + delta[name]
    if isinstance(delta.get("partial_json"), str):
        texts[number] = texts.get(number, "") + delta["partial_json"]
    if isinstance(delta.get("citation"), dict):
        part["citations"] = [*(part.get("citations") or []), delta["citation"]]


# --- what all have -----------------------------------------------------------------------------------


def usage_of(shape: Shape, answer: Mapping[str, Any] | None) -> dict[str, int]:
    """Returns the tokens that an answer tells of, by the names of OpenTelemetry; what it does not tell is left out.

    Input counts what was read from a cache or written to one.
    """
    told = (answer or {}).get("usage")
    if not isinstance(told, Mapping):
        return {}
    first, second = (
        ("prompt_tokens", "completion_tokens")
        if shape in {"chat", "embeddings"}
        else ("input_tokens", "output_tokens")
    )
    given, made = _count(told.get(first)), _count(told.get(second))
    if shape == "messages":
        read = _count(told.get("cache_read_input_tokens"))
        written = _count(told.get("cache_creation_input_tokens"))
        given = None if given is None else given + (read or 0) + (written or 0)
        reasoned = None
    else:
        read = _count(_member(told, first + "_details", "cached_tokens"))
        written = _count(_member(told, first + "_details", "cache_write_tokens"))
        reasoned = _count(_member(told, second + "_details", "reasoning_tokens"))
    counts = {
        "input_tokens": given,
        "output_tokens": made,
        "cache_read.input_tokens": read,
        "cache_creation.input_tokens": written,
        "reasoning.output_tokens": reasoned,
        "total_tokens": None if given is None else given + (made or 0),
    }
    return {name: count for name, count in counts.items() if count is not None}


def _member(told: Mapping[str, Any], name: str, inner: str) -> Any:
    details = told.get(name)
    return details.get(inner) if isinstance(details, Mapping) else None


def _count(value: Any) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None


def _objects(value: Any) -> list[dict[str, Any]]:
    return [each for each in value if isinstance(each, dict)] if isinstance(value, list) else []
