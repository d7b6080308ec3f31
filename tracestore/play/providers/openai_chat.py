"""OpenAI's chat completions, as many others serve them too."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any, Final

from tracestore.play.providers.adapter import (
    Outgoing,
    Reading,
    SaidError,
    as_text,
    calls_of,
    said,
)
from tracestore.play.providers.calls import (
    Delta,
    Finish,
    ModelCall,
    ReasoningDelta,
    TextDelta,
    ToolCallDelta,
    Usage,
)

_OWN_HOST: Final = "api.openai.com"

_RESERVED: Final = frozenset(
    {"model", "messages", "stream", "stream_options", "tools", "response_format", "n"}
)
"""Fields of a request that parameters do not set."""

_PASSING: Final = frozenset({"rate_limit_exceeded", "server_error", "overloaded", "timeout"})

_KEPT: Final = frozenset({"role", "content", "name", "tool_call_id", "refusal"})
"""Fields of a message that go out as they are."""


class OpenAiChat:
    """The adapter of endpoints with `/chat/completions`."""

    models_path = "/models"

    def headers(self, key: str) -> dict[str, str]:
        """Returns the headers that a key is sent in."""
        return {"Authorization": f"Bearer {key}"} if key else {}

    def outgoing(self, call: ModelCall, host: str) -> Outgoing:
        """Returns a call as a request for a stream."""
        given = {name: value for name, value in call.parameters.items() if name not in _RESERVED}
        if host == _OWN_HOST and "max_tokens" in given:
            # Its newer models refuse the older name; other endpoints know no other.
            given.setdefault("max_completion_tokens", given.pop("max_tokens"))
        body = {
            "model": call.model,
            "messages": [_message(message) for message in call.messages],
            **given,
            "stream": True,
            "stream_options": {"include_usage": True},
        }
        if call.tools:
            body["tools"] = [
                {
                    "type": "function",
                    "function": {
                        "name": tool.name,
                        "description": tool.description,
                        "parameters": dict(tool.parameters),
                    },
                }
                for tool in call.tools
            ]
        if call.response_schema is not None:
            schema = {"name": "answer", "schema": dict(call.response_schema), "strict": True}
            body["response_format"] = {"type": "json_schema", "json_schema": schema}
        return Outgoing("/chat/completions", body)

    def deltas(self, name: str, data: str, reading: Reading) -> Iterator[Delta]:
        """Yields the parts of the answer that an event of a stream brings."""
        del name
        if data.strip() == "[DONE]":
            reading.is_whole = True
            return
        chunk = _object(data)
        yield from self._read(chunk, "delta", reading)

    def whole(self, document: Mapping[str, Any], reading: Reading) -> Iterator[Delta]:
        """Yields the parts of an answer that came whole."""
        yield from self._read(document, "message", reading)
        reading.is_whole = True

    def _read(self, chunk: Mapping[str, Any], part: str, reading: Reading) -> Iterator[Delta]:
        if chunk.get("error"):
            error = chunk["error"]
            kind = error.get("code") or error.get("type") if isinstance(error, Mapping) else None
            raise SaidError(said(chunk), is_passing=kind in _PASSING)
        reading.model = str(chunk.get("model") or reading.model)
        choices = chunk.get("choices") or ()
        if choices and isinstance(choices[0], Mapping):
            choice = choices[0]
            yield from _parts(choice.get(part) or {})
            reason = choice.get("finish_reason")
            if reason:
                reading.is_whole = True
                yield Finish(str(reason))
        usage = chunk.get("usage")
        if isinstance(usage, Mapping):
            yield _usage(usage)


def _parts(delta: Mapping[str, Any]) -> Iterator[Delta]:
    reasoning = delta.get("reasoning_content") or delta.get("reasoning")
    if isinstance(reasoning, str) and reasoning:
        yield ReasoningDelta(reasoning)
    text = delta.get("content") or delta.get("refusal")
    if isinstance(text, str) and text:
        yield TextDelta(text)
    for place, call in enumerate(delta.get("tool_calls") or ()):
        function = call.get("function") or {}
        index = call.get("index")
        yield ToolCallDelta(
            index if isinstance(index, int) else place,
            str(call.get("id") or ""),
            str(function.get("name") or ""),
            str(function.get("arguments") or ""),
        )


def _message(message: Mapping[str, Any]) -> dict[str, Any]:
    """Returns a message as a request has it."""
    sent = {name: value for name, value in message.items() if name in _KEPT}
    content = sent.get("content")
    if isinstance(content, list):
        sent["content"] = [_part(part) for part in content]
    elif content is not None:
        sent["content"] = as_text(content)
    calls = calls_of(message)
    if calls:
        sent.setdefault("content", None)
        sent["tool_calls"] = [
            {
                "id": call_id or f"call_{place}",
                "type": "function",
                "function": {"name": name, "arguments": as_text(arguments)},
            }
            for place, (call_id, name, arguments) in enumerate(calls)
        ]
    elif "content" not in sent:
        sent["content"] = ""
    return sent


def _part(part: Any) -> dict[str, Any]:
    if isinstance(part, Mapping):
        if part.get("type") == "image" and "url" in part:
            return {"type": "image_url", "image_url": {"url": part["url"]}}
        if "type" in part:
            return dict(part)
    return {"type": "text", "text": as_text(part)}


def _usage(usage: Mapping[str, Any]) -> Usage:
    prompt = usage.get("prompt_tokens_details") or {}
    completion = usage.get("completion_tokens_details") or {}
    return Usage(
        prompt_tokens=_count(usage.get("prompt_tokens")),
        completion_tokens=_count(usage.get("completion_tokens")),
        prompt_cached_tokens=_count(prompt.get("cached_tokens")),
        completion_reasoning_tokens=_count(completion.get("reasoning_tokens")),
    )


def _count(value: Any) -> int:
    return value if isinstance(value, int) and value > 0 else 0


def _object(data: str) -> Mapping[str, Any]:
    try:
        chunk = json.loads(data)
    except (ValueError, RecursionError):
        chunk = None
    if not isinstance(chunk, Mapping):
        raise SaidError("an event of its answer is no JSON object")
    return chunk
