"""A server that answers as OpenAI's and Anthropic's models do, always the same and with all that usage may say.

A question with tools and without a tool's result is answered with a call of the first tool. A model whose name begins
with `broken` is refused. `tokens` is the truth: what the answers said that calls used, whatever is stored of it.
"""

from __future__ import annotations

import contextlib
import json
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final

ANSWER: Final = "Your parcel is in Bonn."
ARGUMENTS: Final = {"order": 7}

CHAT_USAGE: Final = {
    "prompt_tokens": 21,
    "completion_tokens": 9,
    "total_tokens": 30,
    "prompt_tokens_details": {"cached_tokens": 16},
    "completion_tokens_details": {"reasoning_tokens": 4},
}
RESPONSES_USAGE: Final = {
    "input_tokens": 21,
    "input_tokens_details": {"cached_tokens": 16, "cache_write_tokens": 0},
    "output_tokens": 9,
    "output_tokens_details": {"reasoning_tokens": 4},
    "total_tokens": 30,
}
MESSAGES_USAGE: Final = {
    "input_tokens": 21,
    "output_tokens": 9,
    "cache_read_input_tokens": 16,
    "cache_creation_input_tokens": 5,
}
EMBEDDING_USAGE: Final = {"prompt_tokens": 8, "total_tokens": 8}

CHAT_TOKENS: Final = 30
MESSAGES_TOKENS: Final = 21 + 16 + 5 + 9
EMBEDDING_TOKENS: Final = 8
CREATED: Final = 1_700_000_000


@dataclass(slots=True)
class Models:
    """The stub while it runs.

    Attributes:
        url: where it listens, without a path.
        tokens: what each answered call used, in order.
    """

    url: str
    tokens: list[int] = field(default_factory=list)


Event = tuple[str | None, dict[str, Any]]


def _asks_for_tool(body: Mapping[str, Any], messages: Any) -> bool:
    texts = json.dumps(messages)
    answered = any(word in texts for word in ('"tool"', '"tool_result"', '"function_call_output"'))
    return bool(body.get("tools")) and not answered


def _tool_name(body: Mapping[str, Any]) -> str:
    tool = body["tools"][0]
    return str(tool.get("name") or tool["function"]["name"])


def _content(body: Mapping[str, Any]) -> str:
    form = body.get("response_format") or {}
    return '{"city": "Bonn"}' if form.get("type") == "json_schema" else ANSWER


def chat(body: Mapping[str, Any], number: int) -> dict[str, Any]:
    """Returns an answer of OpenAI's chat."""
    message: dict[str, Any] = {"role": "assistant", "content": _content(body), "refusal": None}
    reason = "stop"
    if _asks_for_tool(body, body["messages"]):
        function = {"name": _tool_name(body), "arguments": json.dumps(ARGUMENTS)}
        call = {"id": f"call_{number}", "type": "function", "function": function}
        message |= {"content": None, "tool_calls": [call]}
        reason = "tool_calls"
    return {
        "id": f"chatcmpl-{number}",
        "object": "chat.completion",
        "created": CREATED,
        "model": body["model"],
        "choices": [{"index": 0, "finish_reason": reason, "message": message, "logprobs": None}],
        "usage": CHAT_USAGE,
    }


def chat_events(body: Mapping[str, Any], number: int) -> Iterator[Event]:
    """Yields the same answer as a stream."""
    whole = chat(body, number)
    [choice] = whole.pop("choices")
    usage = whole.pop("usage")
    whole["object"] = "chat.completion.chunk"
    message = choice["message"]
    deltas: list[dict[str, Any]] = [{"role": "assistant", "content": ""}]
    if "tool_calls" in message:
        deltas.append({"tool_calls": [{"index": 0, **message["tool_calls"][0]}]})
    else:
        middle = len(message["content"]) // 2
        deltas += [
            {"content": message["content"][:middle]},
            {"content": message["content"][middle:]},
        ]
    for delta in deltas:
        yield None, {**whole, "choices": [{"index": 0, "delta": delta, "finish_reason": None}]}
    last = {"index": 0, "delta": {}, "finish_reason": choice["finish_reason"]}
    yield None, {**whole, "choices": [last]}
    if (body.get("stream_options") or {}).get("include_usage"):
        yield None, {**whole, "choices": [], "usage": usage}


def response(body: Mapping[str, Any], number: int) -> dict[str, Any]:
    """Returns an answer of OpenAI's Responses API."""
    item: dict[str, Any] = {
        "id": f"msg_{number}",
        "type": "message",
        "role": "assistant",
        "status": "completed",
        "content": [{"type": "output_text", "text": ANSWER, "annotations": [], "logprobs": []}],
    }
    if _asks_for_tool(body, body["input"]):
        item = {
            "id": f"fc_{number}",
            "type": "function_call",
            "call_id": f"call_{number}",
            "name": _tool_name(body),
            "arguments": json.dumps(ARGUMENTS),
            "status": "completed",
        }
    return {
        "id": f"resp_{number}",
        "object": "response",
        "created_at": CREATED,
        "status": "completed",
        "model": body["model"],
        "output": [item],
        "instructions": body.get("instructions"),
        "parallel_tool_calls": True,
        "tool_choice": "auto",
        "tools": body.get("tools") or [],
        "temperature": 1.0,
        "top_p": 1.0,
        "error": None,
        "incomplete_details": None,
        "metadata": {},
        "usage": RESPONSES_USAGE,
    }


def response_events(body: Mapping[str, Any], number: int) -> Iterator[Event]:
    """Yields the same answer as a stream."""
    whole = response(body, number)
    begun = {**whole, "status": "in_progress", "output": [], "usage": None}
    [item] = whole["output"]
    place = {"output_index": 0, "item_id": item["id"]}
    events: list[dict[str, Any]] = [
        {"type": "response.created", "response": begun},
        {
            "type": "response.output_item.added",
            "output_index": 0,
            "item": {**item, "status": "in_progress"},
        },
    ]
    if item["type"] == "message":
        [part] = item["content"]
        events += [
            {
                "type": "response.content_part.added",
                **place,
                "content_index": 0,
                "part": {**part, "text": ""},
            },
            {
                "type": "response.output_text.delta",
                **place,
                "content_index": 0,
                "delta": ANSWER,
                "logprobs": [],
            },
            {
                "type": "response.output_text.done",
                **place,
                "content_index": 0,
                "text": ANSWER,
                "logprobs": [],
            },
            {"type": "response.content_part.done", **place, "content_index": 0, "part": part},
        ]
    else:
        words = item["arguments"]
        events += [
            {"type": "response.function_call_arguments.delta", **place, "delta": words},
            {
                "type": "response.function_call_arguments.done",
                **place,
                "arguments": words,
                "name": item["name"],
            },
        ]
    events += [
        {"type": "response.output_item.done", "output_index": 0, "item": item},
        {"type": "response.completed", "response": whole},
    ]
    for sequence, event in enumerate(events):
        yield event["type"], {**event, "sequence_number": sequence}


def message(body: Mapping[str, Any], number: int) -> dict[str, Any]:
    """Returns an answer of Anthropic's Messages API."""
    part: dict[str, Any] = {"type": "text", "text": ANSWER}
    reason = "end_turn"
    if _asks_for_tool(body, body["messages"]):
        part = {
            "type": "tool_use",
            "id": f"toolu_{number}",
            "name": _tool_name(body),
            "input": ARGUMENTS,
        }
        reason = "tool_use"
    return {
        "id": f"msg_{number}",
        "type": "message",
        "role": "assistant",
        "model": body["model"],
        "content": [part],
        "stop_reason": reason,
        "stop_sequence": None,
        "usage": MESSAGES_USAGE,
    }


def message_events(body: Mapping[str, Any], number: int) -> Iterator[Event]:
    """Yields the same answer as a stream."""
    whole = message(body, number)
    [part] = whole["content"]
    usage = {**MESSAGES_USAGE, "output_tokens": 1}
    begun = {**whole, "content": [], "stop_reason": None, "usage": usage}
    empty = {**part, "text": ""} if part["type"] == "text" else {**part, "input": {}}
    words = json.dumps(part.get("input"))
    delta = (
        {"type": "text_delta", "text": part["text"]}
        if part["type"] == "text"
        else {"type": "input_json_delta", "partial_json": words}
    )
    ended = {"stop_reason": whole["stop_reason"], "stop_sequence": None}
    for event in (
        {"type": "message_start", "message": begun},
        {"type": "content_block_start", "index": 0, "content_block": empty},
        {"type": "content_block_delta", "index": 0, "delta": delta},
        {"type": "content_block_stop", "index": 0},
        {"type": "message_delta", "delta": ended, "usage": {"output_tokens": 9}},
        {"type": "message_stop"},
    ):
        yield str(event["type"]), event


def embeddings(body: Mapping[str, Any]) -> dict[str, Any]:
    """Returns vectors of OpenAI's embeddings, one for each text."""
    texts = body["input"] if isinstance(body["input"], list) else [body["input"]]
    vector = [0.25, -0.5, 0.75, 1.0]
    data = [
        {"object": "embedding", "index": index, "embedding": vector} for index in range(len(texts))
    ]
    return {"object": "list", "data": data, "model": body["model"], "usage": EMBEDDING_USAGE}


class _Handler(BaseHTTPRequestHandler):
    """One connection of a client of the models."""

    models: Models

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        if str(body.get("model", "")).startswith("broken"):
            fault = {"type": "invalid_request_error", "message": "no such model", "code": None}
            self._send(400, {"type": "error", "error": fault})
            return
        number = len(self.models.tokens) + 1
        if self.path.endswith("/embeddings"):
            self.models.tokens.append(EMBEDDING_TOKENS)
            self._send(200, embeddings(body))
        elif self.path.endswith("/messages"):
            self.models.tokens.append(MESSAGES_TOKENS)
            self._answer(body, message(body, number), message_events(body, number))
        elif self.path.endswith("/responses"):
            self.models.tokens.append(CHAT_TOKENS)
            self._answer(body, response(body, number), response_events(body, number))
        elif self.path.endswith("/chat/completions"):
            self.models.tokens.append(CHAT_TOKENS)
            self._answer(body, chat(body, number), chat_events(body, number), b"data: [DONE]\n\n")
        else:
            self._send(404, {"error": {"message": "no such route"}})

    def _answer(
        self, body: dict[str, Any], whole: dict[str, Any], events: Iterator[Event], end: bytes = b""
    ) -> None:
        if not body.get("stream"):
            self._send(200, whole)
            return
        lines = [
            (f"event: {name}\n" if name else "") + f"data: {json.dumps(event)}\n\n"
            for name, event in events
        ]
        self._write(200, "text/event-stream", "".join(lines).encode() + end)

    def _send(self, status: int, document: dict[str, Any]) -> None:
        self._write(status, "application/json", json.dumps(document).encode())

    def _write(self, status: int, content_type: str, data: bytes) -> None:
        self.send_response(status)
        self.send_header("content-type", content_type)
        self.send_header("content-length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_: Any) -> None:
        """Says nothing."""


@contextlib.contextmanager
def serving() -> Iterator[Models]:
    """Runs the stub in a thread until the block is left."""
    models = Models("")
    handler = type("Handler", (_Handler,), {"models": models})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    models.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield models
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
