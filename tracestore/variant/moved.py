"""Attributes that moved to a column of their own: where they are, and how they are put back.

`moved_attributes` of a span is a JSON object from an attribute's name to its column and its form there:

| form | the attribute was |
|---|---|
| `value` | the value itself |
| `json` | the value as JSON text: put back with the same value, without its white space and order of keys |
| `numbered` | numbered keys, named with a star: `gen_ai.prompt.*` |
| `wrapped` | numbered keys with a fixed word behind each number: `llm.input_messages.*` |

The column of an array that stayed where it was is `attributes`.
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
    arrays: dict[str, str] = {}
    numbered: list[tuple[str, Any, str]] = []
    for name, (column, form) in json.loads(moved).items():
        if column == ATTRIBUTES:
            arrays[name.removesuffix(".*")] = form
        elif form in {"numbered", "wrapped"}:
            numbered.append((name.removesuffix(".*"), json.loads(values[column] or "[]"), form))
        else:
            text = values[column] or "null"
            members.append(f"{_text(name)}:{_text(text) if form == 'json' else text}")
    if arrays:
        stayed = json.loads(attributes or "{}")
        numbered += [(name, stayed.pop(name), form) for name, form in arrays.items()]
        attributes = _text(stayed)
    for name, items, form in numbered:
        for key, value in _keys(name, items, wrapped=form == "wrapped"):
            members.append(f"{_text(key)}:{_text(value)}")
    return _joined(attributes, members)


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
