"""What a kind of provider is: how a call is written for it, and how its answer is read."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from tracestore.play.providers.calls import Delta, ModelCall


class SaidError(ValueError):
    """What a provider says is wrong, in the middle of an answer.

    Attributes:
        is_passing: whether the same call may work later.
    """

    def __init__(self, text: str, *, is_passing: bool = False) -> None:
        super().__init__(text)
        self.is_passing = is_passing


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A request: where below the base URL, and its body."""

    path: str
    body: dict[str, Any]


@dataclass(slots=True)
class Reading:
    """What is known of one answer while it is read.

    Attributes:
        is_whole: whether the provider has said that it ends.
        model: which model answered, by its own name.
        state: of the adapter's own.
    """

    is_whole: bool = False
    model: str = ""
    state: dict[Any, Any] = field(default_factory=dict)


class Adapter(Protocol):
    """One kind of provider."""

    models_path: str

    def headers(self, key: str) -> dict[str, str]:
        """Returns the headers that a key is sent in, and others of every request."""

    def outgoing(self, call: ModelCall, host: str) -> Outgoing:
        """Returns a call as a request for a stream; `host` is the provider's."""

    def deltas(self, name: str, data: str, reading: Reading) -> Iterator[Delta]:
        """Yields the parts of the answer that an event of a stream brings; raises SaidError."""

    def whole(self, document: Mapping[str, Any], reading: Reading) -> Iterator[Delta]:
        """Yields the parts of an answer that came whole; raises SaidError."""


def said(document: Any) -> str:
    """Returns what a provider says in an error's document, as a line; empty where it says nothing."""
    error = document.get("error", document) if isinstance(document, Mapping) else document
    if isinstance(error, Mapping):
        message = error.get("message") or error.get("detail") or error.get("type")
        return message if isinstance(message, str) else json.dumps(error, ensure_ascii=False)
    return error if isinstance(error, str) else ""


def text_of(content: Any) -> str:
    """Returns the text of a message's content: its text parts joined."""
    if isinstance(content, list):
        return "".join(
            part if isinstance(part, str) else str(part.get("text") or "")
            for part in content
            if isinstance(part, str | Mapping)
        )
    if content is None or isinstance(content, str):
        return content or ""
    return json.dumps(content, ensure_ascii=False)


def as_text(value: Any) -> str:
    """Returns a value as a provider takes it in place of text: text as it is, others as JSON."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def calls_of(message: Mapping[str, Any]) -> list[tuple[str, str, Any]]:
    """Returns the id, the name and the arguments of each tool call of a message."""
    found = []
    for call in message.get("tool_calls") or ():
        if isinstance(call, Mapping):
            function = call.get("function") or {}
            name = function.get("name") or call.get("name") or ""
            arguments = function.get("arguments", call.get("arguments", {}))
            found.append((str(call.get("id") or ""), str(name), arguments))
    return found
