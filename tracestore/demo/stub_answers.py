"""What the stub of the models says: a reply that follows from the call alone, spelled as each kind of endpoint does."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Protocol

ARGUMENTS: Final = {"order": 7}
"""Of every tool call."""

_WORDS: Final = re.compile(r"\s*\S+")

_CHOICES: Final = re.compile(r'"choice": "<one of: ([^>]*)>"')
"""Asks for a judgement."""

_COMPARED: Final = re.compile(r"^(answer|expected):(.*)$", re.IGNORECASE | re.MULTILINE)

_TOLD: Final = re.compile(r"^\W*(\w+): *(\S.*)$", re.MULTILINE)

_TOPICS: Final = (
    ("parcel", ("parcel", "deliver", "shipment", "track")),
    ("refund", ("refund", "money back", "return")),
    ("invoice", ("invoice", "bill", "receipt")),
    ("plan", ("plan", "single sign-on", "seats", "upgrade")),
    ("order", ("order", "cancel")),
)
"""What a question is about, by the first topic that one of its words names."""


@dataclass(frozen=True, slots=True)
class Reply:
    """What a model says to a call.

    Attributes:
        text: empty where it calls a tool.
        tool: the tool's name.
        arguments: of the tool's call.
    """

    text: str
    tool: str | None
    prompt_tokens: int
    completion_tokens: int
    arguments: Mapping[str, Any] = field(default_factory=lambda: ARGUMENTS)


class Events(Protocol):
    """A reply as one kind of endpoint spells it."""

    def whole(self) -> dict[str, Any]:
        """Returns it as one document."""

    def lines(self) -> Iterator[bytes]:
        """Yields it as events of a stream."""

    def error(self, message: str) -> bytes:
        """Returns the event that tells of an error."""


def reply_to(body: Mapping[str, Any], model: str, shown: Any) -> Reply:
    """Returns what a model says; `shown` is repeated as it is, where there is something."""
    texts = [_text(each.get("content")) for each in body["messages"] if isinstance(each, dict)]
    system = _text(body.get("system")) or (texts[0] if len(texts) > 1 else "")
    asked = texts[-1] if texts else ""
    prompt_tokens = 4 + sum(
        len(_WORDS.findall(text)) for text in [*texts, _text(body.get("system"))]
    )
    choice = body.get("tool_choice")
    if isinstance(choice, dict) and choice.get("type") == "tool":
        # The way in which an answer of Anthropic's meets a schema.
        return Reply("", str(choice["name"]), prompt_tokens, 6, {"topic": _topic(asked, system)})
    tool = _tool(body, model)
    if tool is not None:
        return Reply("", tool, prompt_tokens, 6)
    text = json.dumps(shown) if shown is not None else _said(body, system, asked, model)
    return Reply(text, None, prompt_tokens, len(_WORDS.findall(text)))


def _tool(body: Mapping[str, Any], model: str) -> str | None:
    tools = body.get("tools") or ()
    if not tools or model not in {"stub-tools", "stub-loop"}:
        return None
    answered = any(word in json.dumps(body["messages"]) for word in ('"tool"', '"tool_result"'))
    if answered and model == "stub-tools":
        return None
    return str(tools[0].get("name") or tools[0]["function"]["name"])


def _said(body: Mapping[str, Any], system: str, asked: str, model: str) -> str:
    choices = _CHOICES.search(asked)
    if choices is not None:
        return _judged(asked[: choices.start()], choices[1].split(", "))
    topic = _topic(asked, system)
    if (body.get("response_format") or {}).get("type") == "json_schema":
        return json.dumps({"topic": topic})
    if "one word" in system.lower():
        # A small model looks at the first word alone.
        return topic if model != "stub-small" else _topic(" ".join(asked.split()[:3]), system)
    return f"Thank you for your message. I think that this is about your {topic}. {asked}".strip()


def _judged(asked: str, choices: list[str]) -> str:
    """Returns a judgement: the first choice where what was answered is what was expected, else the last."""
    answers = {kind.lower(): text.strip().lower() for kind, text in _COMPARED.findall(asked)}
    same = answers.get("answer") == answers.get("expected")
    why = "They are the same." if same else "They differ."
    return json.dumps({"rationale": why, "choice": choices[0 if same else -1]})


def _topic(text: str, system: str) -> str:
    """Returns what a text is about: by the lines `topic: word, words` of the system's message, then by its own list."""
    lower = text.lower()
    told = [(topic, words.lower().split(",")) for topic, words in _TOLD.findall(system)]
    given = [(str(topic), tuple(word.strip() for word in words)) for topic, words in told]
    for topic, words in (*given, *_TOPICS):
        if any(word in lower for word in words):
            return topic
    return "other"


def _text(content: Any) -> str:
    if isinstance(content, list):
        return " ".join(_text(part.get("text") or part.get("content")) for part in content)
    return content if isinstance(content, str) else ""


@dataclass(frozen=True, slots=True)
class _OpenAi:
    model: str
    reply: Reply

    def whole(self) -> dict[str, Any]:
        message: dict[str, Any] = {"role": "assistant", "content": self.reply.text or None}
        if self.reply.tool:
            message["tool_calls"] = [self._call()]
        choice = {"index": 0, "message": message, "finish_reason": self._reason()}
        return {**self._head("chat.completion"), "choices": [choice], "usage": self._usage()}

    def lines(self) -> Iterator[bytes]:
        deltas: list[dict[str, Any]] = [{"role": "assistant", "content": ""}]
        if self.reply.tool:
            call = self._call()
            words = call["function"]["arguments"]
            call["function"] = {"name": self.reply.tool, "arguments": words[:4]}
            deltas.append({"tool_calls": [{"index": 0, **call}]})
            deltas.append({"tool_calls": [{"index": 0, "function": {"arguments": words[4:]}}]})
        deltas += [{"content": word} for word in _WORDS.findall(self.reply.text)]
        for delta in deltas:
            yield self._line([{"index": 0, "delta": delta, "finish_reason": None}])
        yield self._line([{"index": 0, "delta": {}, "finish_reason": self._reason()}])
        yield self._line([], usage=self._usage())
        yield b"data: [DONE]\n\n"

    def error(self, message: str) -> bytes:
        error = {"error": {"message": message, "type": "server_error", "code": "server_error"}}
        return f"data: {json.dumps(error)}\n\n".encode()

    def _line(self, choices: list[dict[str, Any]], **more: Any) -> bytes:
        chunk = {**self._head("chat.completion.chunk"), "choices": choices, **more}
        return f"data: {json.dumps(chunk)}\n\n".encode()

    def _head(self, kind: str) -> dict[str, Any]:
        return {"id": "chatcmpl-1", "object": kind, "created": 1_700_000_000, "model": self.model}

    def _call(self) -> dict[str, Any]:
        function = {"name": self.reply.tool, "arguments": json.dumps(self.reply.arguments)}
        return {"id": "call_1", "type": "function", "function": function}

    def _reason(self) -> str:
        return "tool_calls" if self.reply.tool else "stop"

    def _usage(self) -> dict[str, Any]:
        prompt, completion = self.reply.prompt_tokens, self.reply.completion_tokens
        return {
            "prompt_tokens": prompt,
            "completion_tokens": completion,
            "total_tokens": prompt + completion,
            "prompt_tokens_details": {"cached_tokens": 0},
        }


@dataclass(frozen=True, slots=True)
class _Anthropic:
    model: str
    reply: Reply

    def whole(self) -> dict[str, Any]:
        block: dict[str, Any] = {"type": "text", "text": self.reply.text}
        if self.reply.tool:
            block = {"type": "tool_use", "id": "toolu_1", "name": self.reply.tool}
            block["input"] = dict(self.reply.arguments)
        return {**self._head(), "content": [block], "stop_reason": self._reason()}

    def lines(self) -> Iterator[bytes]:
        begun = {**self._head(), "content": [], "stop_reason": None}
        yield _named("message_start", {"message": begun})
        empty: dict[str, Any] = {"type": "text", "text": ""}
        kind, field, words = "text_delta", "text", _WORDS.findall(self.reply.text)
        if self.reply.tool:
            text = json.dumps(self.reply.arguments)
            empty = {"type": "tool_use", "id": "toolu_1", "name": self.reply.tool, "input": {}}
            kind, field, words = "input_json_delta", "partial_json", [text[:4], text[4:]]
        yield _named("content_block_start", {"index": 0, "content_block": empty})
        yield _named("ping", {})
        for word in words:
            yield _named("content_block_delta", {"index": 0, "delta": {"type": kind, field: word}})
        yield _named("content_block_stop", {"index": 0})
        usage = {"output_tokens": self.reply.completion_tokens}
        ended = {"stop_reason": self._reason(), "stop_sequence": None}
        yield _named("message_delta", {"delta": ended, "usage": usage})
        yield _named("message_stop", {})

    def error(self, message: str) -> bytes:
        return _named("error", {"error": {"type": "overloaded_error", "message": message}})

    def _head(self) -> dict[str, Any]:
        usage = {
            "input_tokens": self.reply.prompt_tokens,
            "output_tokens": self.reply.completion_tokens,
            "cache_read_input_tokens": 0,
            "cache_creation_input_tokens": 0,
        }
        head = {"id": "msg_1", "type": "message", "role": "assistant", "model": self.model}
        return {**head, "stop_sequence": None, "usage": usage}

    def _reason(self) -> str:
        return "tool_use" if self.reply.tool else "end_turn"


def _named(name: str, data: dict[str, Any]) -> bytes:
    return f"event: {name}\ndata: {json.dumps({'type': name, **data})}\n\n".encode()


def openai_events(model: str, reply: Reply) -> Events:
    """Returns a reply as OpenAI's chat completions spell it."""
    return _OpenAi(model, reply)


def anthropic_events(model: str, reply: Reply) -> Events:
    """Returns a reply as Anthropic's messages spell it."""
    return _Anthropic(model, reply)
