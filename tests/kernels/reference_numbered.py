"""Numbered keys as arrays, in plain Python: the twin of `numbered_keys`."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

from tracestore.variant import conventions as table

_NUMBER = re.compile("0|[1-9][0-9]{0,5}")
_MAX_LEVELS = 32
_MAX_HOLES = 16


class RefusedError(ValueError):
    """The fault of numbered keys that make no array."""


@dataclass(slots=True)
class _Node:
    """A place among numbered keys."""

    keys: int = 0
    value: Any = None
    is_value: bool = False
    children: dict[str, _Node] = field(default_factory=dict)


def fits_alone(prefix: str, key: str) -> bool:
    """Tells whether a key alone can be one of an array: numbers and names take turns."""
    parts = key[len(prefix) :].split(".")
    name = prefix[:-1].rpartition(".")[2]
    wrapped = prefix.startswith(table.WRAPPED_ROOTS)
    while parts and _NUMBER.fullmatch(parts[0]):
        parts.pop(0)
        if wrapped and (not parts or parts.pop(0) != table.WRAPPED.get(name)):
            return False
        if not parts or _NUMBER.fullmatch(parts[0]):
            return False
        while parts and not _NUMBER.fullmatch(parts[0]):
            name = parts.pop(0)
        if not parts:
            return True
    return False


def nest(prefix: str, pairs: list[tuple[str, Any]]) -> Any:
    """Returns the array that numbered keys make; raises RefusedError where they make none."""
    root = _Node()
    for key, value in pairs:
        node = root
        node.keys += 1
        for part in key[len(prefix) :].split("."):
            node = node.children.setdefault(part, _Node())
            node.keys += 1
        node.value, node.is_value = value, True
    wrapped = prefix.startswith(table.WRAPPED_ROOTS)
    return _built(root, prefix[:-1].rpartition(".")[2], 0, wrapped=wrapped)


def _built(node: _Node, name: str, level: int, *, wrapped: bool) -> Any:
    if level == _MAX_LEVELS or (node.is_value and node.children):
        raise RefusedError
    if node.is_value:
        value = node.value
        flat = not isinstance(value, list) or not any(
            isinstance(item, dict | list | bytes) for item in value
        )
        if isinstance(value, dict | bytes) or not flat:
            raise RefusedError
        return value
    numbers = [key for key in node.children if _NUMBER.fullmatch(key)]
    if not numbers and level:
        return {
            key: _built(child, key, level + 1, wrapped=wrapped)
            for key, child in node.children.items()
        }
    most = max((int(key) for key in numbers), default=0)
    if not numbers or len(numbers) < len(node.children) or most > 4 * node.keys + _MAX_HOLES:
        raise RefusedError
    items: list[Any] = [None] * (most + 1)
    for key in numbers:
        item = node.children[key]
        if wrapped:
            word = table.WRAPPED.get(name)
            if word is None or item.is_value or list(item.children) != [word]:
                raise RefusedError
            item = item.children[word]
        if item.is_value or any(_NUMBER.fullmatch(key) for key in item.children):
            raise RefusedError
        items[int(key)] = _built(item, key, level + 1, wrapped=wrapped)
    return items
