"""A prompt with a row's values put in: the messages that a model is sent."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tracestore import templates
from tracestore.errors import PlayError
from tracestore.play.prompts.body import LIST_ROLE, PromptBody, PromptMessage
from tracestore.play.providers.calls import Message


@dataclass(frozen=True, slots=True)
class RenderedPrompt:
    """The messages of a prompt for one row.

    Attributes:
        missing: names of values that were not there.
    """

    messages: list[Message]
    missing: tuple[str, ...]


def values_of(input: Any, expected: Any = None, metadata: Any = None) -> dict[str, Any]:  # noqa: A002 - the column's name
    """Returns what the templates of a prompt may name."""
    return {"input": input, "expected": expected, "metadata": metadata}


def rendered(prompt: PromptBody, values: Mapping[str, Any]) -> RenderedPrompt:
    """Returns the messages of a prompt for some values.

    Raises:
        TemplateError: for a template that cannot be read.
        PlayError: where a message stands for a list of messages that is not there.
    """
    messages: list[Message] = []
    missing: dict[str, None] = {}
    for message in prompt.messages:
        if message.role == LIST_ROLE:
            messages += _listed(message, values)
        elif prompt.template == "none":
            messages.append(_plain(message, message.content))
        else:
            messages.append(_plain(message, _filled(message.content, values, missing)))
    return RenderedPrompt(messages, tuple(missing))


def _plain(message: PromptMessage, content: Any) -> Message:
    sent: Message = {"role": message.role, **(message.model_extra or {})}
    if content is not None:
        sent["content"] = content
    return sent


def _filled(content: Any, values: Mapping[str, Any], missing: dict[str, None]) -> Any:
    if isinstance(content, str):
        made = templates.render(content, values)
        missing.update(dict.fromkeys(made.missing))
        return made.text
    if isinstance(content, list):
        return [_filled_part(part, values, missing) for part in content]
    return content


def _filled_part(part: Any, values: Mapping[str, Any], missing: dict[str, None]) -> Any:
    if isinstance(part, str):
        return _filled(part, values, missing)
    if isinstance(part, Mapping):
        # The URL of an image may be a value of the row.
        named = {name: part[name] for name in ("text", "url") if isinstance(part.get(name), str)}
        return {**part, **{name: _filled(text, values, missing) for name, text in named.items()}}
    return part


def _listed(message: PromptMessage, values: Mapping[str, Any]) -> list[Message]:
    path = message.content if isinstance(message.content, str) else ""
    value: Any = values
    for key in path.strip().removeprefix("{{").removesuffix("}}").strip().split("."):
        value = value.get(key) if isinstance(value, Mapping) else None
    if isinstance(value, Mapping) and "role" in value:
        value = [value]
    if not isinstance(value, list) or not all(
        isinstance(each, Mapping) and isinstance(each.get("role"), str) for each in value
    ):
        raise PlayError(
            f"cannot put messages in: {path or 'the path of a message of role messages'} is no list of messages "
            "in this row; name another path"
        )
    return [dict(each) for each in value[message.start :]]
