"""A call of a model in one form, whoever answers it: what is asked, what comes piece by piece, and the whole of it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any, TypeAlias

Message: TypeAlias = dict[str, Any]
"""A message in the one form of docs/guide/conventions.md."""


@dataclass(frozen=True, slots=True)
class ToolDefinition:
    """What a model is told of a tool.

    Attributes:
        parameters: the JSON schema of its arguments.
    """

    name: str
    description: str
    parameters: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class ModelCall:
    """What a model is asked.

    Attributes:
        parameters: by OpenAI's names (`temperature`, `top_p`, `max_tokens`, `stop`, `seed`, `tool_choice`, …); what
            is not known goes to the provider as it is.
        response_schema: the JSON schema that the answer must meet, None for text.
    """

    model: str
    messages: Sequence[Message]
    parameters: Mapping[str, Any] = field(default_factory=dict)
    tools: Sequence[ToolDefinition] = ()
    response_schema: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class TextDelta:
    """The next part of the answer's text."""

    text: str


@dataclass(frozen=True, slots=True)
class ReasoningDelta:
    """The next part of what the model thought."""

    text: str


@dataclass(frozen=True, slots=True)
class ToolCallDelta:
    """The next part of a tool call; `index` tells calls of one answer apart, `arguments` is a part of JSON text."""

    index: int
    call_id: str = ""
    name: str = ""
    arguments: str = ""


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens of a call as `metrics` counts them: cached ones are of the prompt, reasoned ones of the completion."""

    prompt_tokens: int = 0
    completion_tokens: int = 0
    prompt_cached_tokens: int = 0
    prompt_cache_creation_tokens: int = 0
    completion_reasoning_tokens: int = 0

    def __add__(self, other: Usage) -> Usage:
        """Returns the tokens of both."""
        return Usage(
            *(getattr(self, each.name) + getattr(other, each.name) for each in fields(self))
        )

    def counts(self) -> dict[str, int]:
        """Returns the counts by their names in `metrics`, without those of parts that are 0."""
        told = {each.name: getattr(self, each.name) for each in fields(self)}
        whole = ("prompt_tokens", "completion_tokens")
        counts = {name: count for name, count in told.items() if count or name in whole}
        return {**counts, "tokens": self.prompt_tokens + self.completion_tokens}


@dataclass(frozen=True, slots=True)
class Finish:
    """Why the answer ends: stop, length, tool_calls, content_filter, or what the provider says."""

    reason: str


Delta: TypeAlias = TextDelta | ReasoningDelta | ToolCallDelta | Usage | Finish


@dataclass(slots=True)
class _GatheredCall:
    """A tool call whose parts come."""

    call_id: str = ""
    name: str = ""
    arguments: list[str] = field(default_factory=list)


@dataclass(slots=True)
class Gathered:
    """An answer whose parts come.

    Attributes:
        usage: the last that was told, None before.
        finish_reason: None before the end.
    """

    texts: list[str] = field(default_factory=list)
    reasoning: list[str] = field(default_factory=list)
    usage: Usage | None = None
    finish_reason: str | None = None
    _calls: dict[int, _GatheredCall] = field(default_factory=dict)

    def add(self, delta: Delta) -> None:
        """Adds one part."""
        match delta:
            case TextDelta():
                self.texts.append(delta.text)
            case ReasoningDelta():
                self.reasoning.append(delta.text)
            case ToolCallDelta():
                call = self._calls.setdefault(delta.index, _GatheredCall())
                call.call_id = delta.call_id or call.call_id
                call.name = delta.name or call.name
                call.arguments.append(delta.arguments)
            case Usage():
                self.usage = delta
            case Finish():
                self.finish_reason = delta.reason

    @property
    def text(self) -> str:
        """Returns the answer's text as far as it came."""
        return "".join(self.texts)

    def message(self) -> Message:
        """Returns the answer as a message in the one form."""
        message: Message = {"role": "assistant"}
        if self.reasoning:
            message["reasoning"] = "".join(self.reasoning)
        if self.texts or not self._calls:
            message["content"] = self.text
        if self._calls:
            message["tool_calls"] = [
                {
                    "id": call.call_id or f"call_{index}",
                    "function": {"name": call.name, "arguments": _value("".join(call.arguments))},
                }
                for index, call in sorted(self._calls.items())
            ]
        if self.finish_reason is not None:
            message["finish_reason"] = self.finish_reason
        return message


def _value(arguments: str) -> Any:
    """Returns a call's arguments as a value, as text where they are no JSON."""
    if not arguments.strip():
        return {}
    try:
        return json.loads(arguments)
    except (ValueError, RecursionError):
        return arguments
