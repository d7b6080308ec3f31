"""A prompt with values put in: the messages that a model is sent, the same for the server and for who asks it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from tracestore.errors import PlayError
from tracestore.templates import mustache

LIST_ROLE: Final = "messages"
"""The role of a message that stands for a list of messages."""

Message = dict[str, Any]


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


def rendered(
    messages: Sequence[Mapping[str, Any]], values: Mapping[str, Any], *, is_template: bool
) -> RenderedPrompt:
    """Returns messages with values put in.

    Args:
        messages: those of a prompt.
        values: what the templates may name.
        is_template: whether their texts are templates, and not taken as they are.

    Raises:
        TemplateError: for a template that cannot be read.
        PlayError: where a message stands for a list of messages that is not there.
    """
    made: list[Message] = []
    missing: dict[str, None] = {}
    for message in messages:
        if message.get("role") == LIST_ROLE:
            made += _listed(message, values)
        elif is_template and "content" in message:
            content = _filled(message["content"], values, missing)
            made.append({**message, "content": content})
        else:
            made.append(dict(message))
    return RenderedPrompt(made, tuple(missing))


def _filled(content: Any, values: Mapping[str, Any], missing: dict[str, None]) -> Any:
    if isinstance(content, str):
        made = mustache.render(content, values)
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


def _listed(message: Mapping[str, Any], values: Mapping[str, Any]) -> list[Message]:
    content = message.get("content")
    path = content.strip() if isinstance(content, str) else ""
    value: Any = values
    for key in path.removeprefix("{{").removesuffix("}}").strip().split("."):
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
    return [dict(each) for each in value[message.get("from", 0) :]]
