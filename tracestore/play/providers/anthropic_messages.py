"""Anthropic's messages."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from tracestore.play.providers.adapter import (
    Outgoing,
    Reading,
    SaidError,
    as_text,
    calls_of,
    said,
    text_of,
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

VERSION: Final = "2023-06-01"

DEFAULT_MAX_TOKENS: Final = 4096
"""Of an answer, which a request must bound: a page or two."""

ANSWER_TOOL: Final = "final_answer"
"""The tool whose arguments are the answer where it must meet a schema."""

_RESERVED: Final = frozenset(
    {"model", "messages", "system", "stream", "tools", "response_format", "n"}
)
_PASSING: Final = frozenset({"overloaded_error", "rate_limit_error", "api_error", "timeout_error"})
_REASONS: Final = {
    "end_turn": "stop",
    "stop_sequence": "stop",
    "max_tokens": "length",
    "tool_use": "tool_calls",
    "refusal": "content_filter",
}
_DATA_URL: Final = re.compile(r"data:([\w.+-]+/[\w.+-]+);base64,(.*)", re.DOTALL)


class AnthropicMessages:
    """The adapter of endpoints with `/v1/messages`."""

    models_path = "/v1/models"

    def headers(self, key: str) -> dict[str, str]:
        """Returns the headers that a key is sent in, and the version of the API."""
        return {"anthropic-version": VERSION, **({"x-api-key": key} if key else {})}

    def outgoing(self, call: ModelCall, host: str) -> Outgoing:
        """Returns a call as a request for a stream."""
        del host
        given = {name: value for name, value in call.parameters.items() if name not in _RESERVED}
        if "stop" in given:
            stop = given.pop("stop")
            given["stop_sequences"] = [stop] if isinstance(stop, str) else stop
        tokens = given.pop("max_tokens", given.pop("max_completion_tokens", DEFAULT_MAX_TOKENS))
        choice = _choice(given.pop("tool_choice", None))
        body: dict[str, Any] = {
            "model": call.model,
            "max_tokens": tokens,
            **given,
            "messages": _messages(call.messages),
            "stream": True,
        }
        system = "\n\n".join(
            text_of(each.get("content")) for each in call.messages if _is_system(each)
        )
        if system:
            body["system"] = system
        tools = [
            {
                "name": tool.name,
                "description": tool.description,
                "input_schema": dict(tool.parameters),
            }
            for tool in call.tools
        ]
        if call.response_schema is not None:
            words = "Gives the answer. Call it once, with all of the answer."
            schema = dict(call.response_schema)
            tools.append({"name": ANSWER_TOOL, "description": words, "input_schema": schema})
            choice = {"type": "any"} if call.tools else {"type": "tool", "name": ANSWER_TOOL}
        if tools:
            body["tools"] = tools
            if choice is not None:
                body["tool_choice"] = choice
        return Outgoing("/v1/messages", body)

    def deltas(self, name: str, data: str, reading: Reading) -> Iterator[Delta]:
        """Yields the parts of the answer that an event of a stream brings."""
        try:
            event = json.loads(data)
        except (ValueError, RecursionError):
            event = None
        if not isinstance(event, Mapping):
            raise SaidError("an event of its answer is no JSON object")
        kind = event.get("type") or name
        if kind == "error":
            error = event.get("error") or {}
            raise SaidError(said(event), is_passing=error.get("type") in _PASSING)
        if kind == "message_start":
            message = event.get("message") or {}
            reading.model = str(message.get("model") or "")
            reading.state["usage"] = dict(message.get("usage") or {})
        elif kind == "content_block_start":
            yield from _begun(event.get("index", 0), event.get("content_block") or {}, reading)
        elif kind == "content_block_delta":
            yield from _more(event.get("index", 0), event.get("delta") or {}, reading)
        elif kind == "message_delta":
            reading.state.setdefault("usage", {}).update(event.get("usage") or {})
            reason = (event.get("delta") or {}).get("stop_reason")
            if reason:
                yield _finish(reason, reading)
            yield _usage(reading.state["usage"])
        elif kind == "message_stop":
            reading.is_whole = True

    def whole(self, document: Mapping[str, Any], reading: Reading) -> Iterator[Delta]:
        """Yields the parts of an answer that came whole."""
        if document.get("type") == "error" or "error" in document:
            raise SaidError(said(document))
        reading.model = str(document.get("model") or "")
        for index, block in enumerate(document.get("content") or ()):
            yield from _begun(index, block, reading)
            if block.get("input"):
                part = {"type": "input_json_delta", "partial_json": json.dumps(block["input"])}
                yield from _more(index, part, reading)
        yield _finish(document.get("stop_reason") or "end_turn", reading)
        yield _usage(document.get("usage") or {})
        reading.is_whole = True


def _begun(index: Any, block: Mapping[str, Any], reading: Reading) -> Iterator[Delta]:
    kind = block.get("type")
    if kind == "text" and block.get("text"):
        yield TextDelta(str(block["text"]))
    elif kind == "thinking" and block.get("thinking"):
        yield ReasoningDelta(str(block["thinking"]))
    elif kind == "tool_use":
        if block.get("name") == ANSWER_TOOL:
            reading.state["answer", index] = True
            return
        place = sum(1 for key in reading.state if isinstance(key, tuple) and key[0] == "call")
        reading.state["call", index] = place
        yield ToolCallDelta(place, str(block.get("id") or ""), str(block.get("name") or ""))


def _more(index: Any, delta: Mapping[str, Any], reading: Reading) -> Iterator[Delta]:
    kind = delta.get("type")
    if kind == "text_delta":
        yield TextDelta(str(delta.get("text") or ""))
    elif kind == "thinking_delta":
        yield ReasoningDelta(str(delta.get("thinking") or ""))
    elif kind == "input_json_delta":
        part = str(delta.get("partial_json") or "")
        if ("answer", index) in reading.state:
            yield TextDelta(part)
        elif ("call", index) in reading.state:
            yield ToolCallDelta(reading.state["call", index], arguments=part)


def _finish(reason: Any, reading: Reading) -> Finish:
    answered = any(isinstance(key, tuple) and key[0] == "answer" for key in reading.state)
    called = any(isinstance(key, tuple) and key[0] == "call" for key in reading.state)
    if reason == "tool_use" and answered and not called:
        return Finish("stop")
    return Finish(_REASONS.get(str(reason), str(reason)))


def _usage(usage: Mapping[str, Any]) -> Usage:
    def count(name: str) -> int:
        value = usage.get(name)
        return value if isinstance(value, int) and value > 0 else 0

    cached, written = count("cache_read_input_tokens"), count("cache_creation_input_tokens")
    return Usage(
        prompt_tokens=count("input_tokens") + cached + written,
        completion_tokens=count("output_tokens"),
        prompt_cached_tokens=cached,
        prompt_cache_creation_tokens=written,
    )


def _is_system(message: Mapping[str, Any]) -> bool:
    return message.get("role") in {"system", "developer"}


def _messages(messages: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Returns messages as a request has them: blocks of two speakers, in turns."""
    turns: list[dict[str, Any]] = []
    for message in messages:
        if _is_system(message):
            continue
        role = "assistant" if message.get("role") == "assistant" else "user"
        blocks = _blocks(message)
        if turns and turns[-1]["role"] == role:
            turns[-1]["content"] += blocks
        elif blocks:
            turns.append({"role": role, "content": blocks})
    return turns


def _blocks(message: Mapping[str, Any]) -> list[dict[str, Any]]:
    content = message.get("content")
    if message.get("role") == "tool":
        name = str(message.get("tool_call_id") or "")
        return [{"type": "tool_result", "tool_use_id": name, "content": as_text(content)}]
    if isinstance(content, list):
        blocks = [_block(part) for part in content]
    else:
        text = "" if content is None else as_text(content)
        blocks = [{"type": "text", "text": text}] if text else []
    for place, (call_id, name, arguments) in enumerate(calls_of(message)):
        given = arguments if isinstance(arguments, Mapping) else {"value": arguments}
        blocks.append(
            {
                "type": "tool_use",
                "id": call_id or f"call_{place}",
                "name": name,
                "input": dict(given),
            }
        )
    return blocks


def _block(part: Any) -> dict[str, Any]:
    if isinstance(part, Mapping):
        if part.get("type") == "image" and isinstance(part.get("url"), str):
            found = _DATA_URL.fullmatch(part["url"])
            source: dict[str, Any] = (
                {"type": "base64", "media_type": found[1], "data": found[2]}
                if found
                else {"type": "url", "url": part["url"]}
            )
            return {"type": "image", "source": source}
        if "type" in part:
            return dict(part)
    return {"type": "text", "text": as_text(part)}


def _choice(choice: Any) -> dict[str, Any] | None:
    """Returns which tool must be called, in Anthropic's words."""
    if isinstance(choice, Mapping):
        name = (choice.get("function") or {}).get("name")
        return {"type": "tool", "name": name} if name else dict(choice)
    words = {"auto": "auto", "required": "any", "any": "any", "none": "none"}
    return {"type": words[choice]} if choice in words else None
