"""Attributes that moved to a column of their own: where they are, and how they are put back.

`moved_attributes` of a span is a JSON object from an attribute's name to its column and its form there:

| form | the attribute was |
|---|---|
| `value` | the value itself |
| `json` | the value as JSON text: put back with the same value, without its white space and order of keys |
| `numbered` | numbered keys, named with a star: `gen_ai.prompt.*` |
| `wrapped` | numbered keys with a fixed word behind each number: `llm.input_messages.*` |
| `parts` | JSON text of messages that held a list of `parts` each |

A third word says what inside of messages was JSON text and is a value: `arguments` of calls, `results` of calls (and
metadata of documents), or `arguments and results`. The column of what stayed where it was, as an array of numbered keys
or as the value of JSON text, is `attributes`: messages stay of which the column holds another form.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any, Final

from tracestore.variant.conventions import MOVED, NESTED, WRAPPED

COLUMN: Final = "moved_attributes"
"""The column of spans that says what moved."""

ATTRIBUTES: Final = "attributes"

COLUMNS: Final = tuple(MOVED)
"""Columns that attributes move to."""

SOURCES: Final[dict[str, str]] = {
    name: column for column, names in MOVED.items() for name in names
} | dict.fromkeys(NESTED, ATTRIBUTES)
"""Attributes that may have moved, numbered ones with their star, and the column they move to."""


def restore_attributes(
    attributes: str | None, moved: str | None, values: Mapping[str, str | None]
) -> str | None:
    """Returns a span's attributes as they came: JSON text of an object, None where it had none.

    Rows that are inserted say themselves what moved: a record that does not fit them is left alone.

    Args:
        attributes: JSON text of what stayed.
        moved: the span's `moved_attributes`.
        values: JSON text of each column that something moved to.
    """
    if moved is None or (attributes is not None and not attributes.startswith("{")):
        return attributes
    try:
        return _restored(attributes, moved, values)
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
        return attributes


def _restored(attributes: str | None, moved: str, values: Mapping[str, str | None]) -> str | None:
    """Returns the same; raises where the record is none, or is not of this row."""
    members: list[str] = []
    stayed: dict[str, str] = {}
    numbered: list[tuple[str, Any, str]] = []
    for name, (column, form, *texts) in json.loads(moved).items():
        text = values.get(column) or "null"
        if column == ATTRIBUTES:
            stayed[name.removesuffix(".*")] = form
        elif form in {"numbered", "wrapped"}:
            items = json.loads(values[column] or "[]")
            numbered.append((name.removesuffix(".*"), spelled(items, form, *texts), form))
        else:
            if texts or form == "parts":
                text = _text(spelled(json.loads(text), form, *texts))
            members.append(f"{_text(name)}:{text if form == 'value' else _text(text)}")
    if stayed:
        own = json.loads(attributes or "{}")
        for name, form in stayed.items():
            if form == "json":
                own[name] = _text(own[name])
            else:
                numbered.append((name, own.pop(name), form))
        attributes = _text(own)
    for name, items, form in numbered:
        for key, value in _keys(name, items, wrapped=form == "wrapped"):
            members.append(f"{_text(key)}:{_text(value)}")
    return _joined(attributes, members)


def spelled(messages: Any, form: str, texts: str = "") -> Any:
    """Returns messages as they were spelled before they had one form.

    Args:
        messages: a list of them, or of documents.
        form: `parts` where each held a list of parts.
        texts: what was JSON text, see above.
    """
    return [_spelled(item, form, texts) if isinstance(item, dict) else item for item in messages]


def _spelled(message: dict[str, Any], form: str, texts: str) -> dict[str, Any]:
    result = dict(message)
    if "results" in texts:
        for name in ("content", "metadata"):
            is_result = message.get("role") == "tool" or name == "metadata"
            if is_result and name in message and not isinstance(message[name], str):
                result[name] = _text(message[name])
    calls = result.get("tool_calls")
    if "arguments" in texts and isinstance(calls, list):
        result["tool_calls"] = calls = [_with_text(call) for call in calls]
    return _with_parts(result) if form == "parts" else result


def _with_text(call: Any) -> Any:
    """Returns a call with its arguments as text."""
    function = call.get("function") if isinstance(call, dict) else None
    if not isinstance(function, dict) or isinstance(function.get("arguments", ""), str):
        return call
    return {**call, "function": {**function, "arguments": _text(function["arguments"])}}


def _with_parts(message: dict[str, Any]) -> dict[str, Any]:
    """Returns a message with what it says as parts: thoughts, text, calls, or the result of one."""
    result = dict(message)
    parts: list[dict[str, Any]] = []
    if "tool_call_id" in message:
        response = {"id": result.pop("tool_call_id"), "response": result.pop("content")}
        parts.append({"type": "tool_call_response", **response})
    if "reasoning" in result:
        parts.append({"type": "reasoning", "content": result.pop("reasoning")})
    if "content" in result:
        parts.append({"type": "text", "content": result.pop("content")})
    parts += [
        {"type": "tool_call", "id": call["id"], **call["function"]}
        for call in result.pop("tool_calls", [])
    ]
    return {**result, "parts": parts}


def _keys(name: str, value: Any, *, wrapped: bool) -> Iterator[tuple[str, Any]]:
    """Yields the numbered keys of an array, or the keys of an object, with their values.

    A list without an object is a value: an array of numbered keys holds objects, and null where one was missing.
    """
    if isinstance(value, dict):
        for key, item in value.items():
            yield from _keys(f"{name}.{key}", item, wrapped=wrapped)
    elif isinstance(value, list) and any(isinstance(item, dict) for item in value):
        word = WRAPPED.get(name.rpartition(".")[2]) if wrapped else None
        for number, item in enumerate(value):
            if item is not None:
                inside = f"{name}.{number}.{word}" if word else f"{name}.{number}"
                yield from _keys(inside, item, wrapped=wrapped)
    else:
        yield name, value


def _text(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def _joined(attributes: str | None, members: list[str]) -> str | None:
    """Returns an object's text with members behind its own."""
    if not members:
        return attributes
    own = attributes[1:-1] if attributes is not None else ""
    return "{" + ",".join([*([own] if own else []), *members]) + "}"
