"""The table of conventions as the kernels read it, and messages that come by another way than a span's attributes."""

from __future__ import annotations

import json
from typing import Any, Final

from tracestore import _native
from tracestore.variant.convention_messages import MEMBERS_OF_MESSAGES, PARTS, ROLES, SYSTEM
from tracestore.variant.conventions import (
    AGGREGATED,
    AGGREGATING,
    BEGUN,
    ERROR_MESSAGE,
    ERROR_TYPE,
    EVALUATION,
    FIRST_TOKEN_EVENTS,
    FLAGS,
    MEMBERS,
    METADATA,
    METADATA_PREFIXES,
    METRICS,
    MOVED,
    NESTED,
    OBJECTS,
    PARSED,
    PROVIDER_SUFFIXES,
    TYPE_IN_JSON,
    TYPES,
    USAGE,
    WRAPPED,
    WRAPPED_ROOTS,
)
from tracestore.variant.tables import SPANS

_FIRST_MEMBER_RANK: Final = 40
"""What members say stands behind every list of attributes: none is as long."""


def _compiled() -> _native.Conventions:
    table = _native.Conventions(AGGREGATING, WRAPPED)
    slots: dict[str, int] = {}
    for field, attributes in MOVED.items():
        table.add_slot("moved", _node(field), "")
        _add(table, attributes)
    for attribute in NESTED:
        table.add_numbered(attribute.removesuffix("*"), None, 0, _flags(attribute))
    _add_names(table)
    for field, attributes in PARSED.items():
        table.add_slot("parsed", _node(field), "")
        _add(table, attributes)
    for kind, parent, named in (
        ("usage", "metrics", USAGE),
        ("aggregated", "metrics", AGGREGATED),
        ("number", "metrics", METRICS),
        ("scalar", "metadata", METADATA),
    ):
        for name, attributes in named.items():
            slot = table.add_slot(kind, _node(parent), name)
            slots.setdefault(name, slot)
            _add(table, attributes)
            if name == "time_to_first_token":
                for rank, event in enumerate(FIRST_TOKEN_EVENTS):
                    table.add_event(event, len(attributes) + rank)
    for suffix in PROVIDER_SUFFIXES:
        table.add_provider_suffix(suffix)
    for prefix, flags in METADATA_PREFIXES.items():
        table.add_prefix(prefix, _node("metadata"), flags)
    table.add_slot("begun", 0, "")
    _add(table, BEGUN)
    table.add_slot("type", 0, "")
    for rank, (attribute, words) in enumerate(TYPES.items()):
        table.add_type(attribute, rank, words, in_json=attribute in TYPE_IN_JSON)
    slots["message"] = _add_errors(table)
    _add_members(table, slots)
    return table


def _add_names(table: _native.Conventions) -> None:
    """Adds what the names in messages mean, by their place in the lists, and the slot of the system's words."""
    table.add_slot("system", _node("input"), "")
    _add(table, SYSTEM)
    for kind, names in enumerate((MEMBERS_OF_MESSAGES, ROLES, PARTS), start=1):
        for meaning, words in enumerate(names.values(), start=1):
            for word in words:
                table.add_name(kind, word, meaning)


def _add_errors(table: _native.Conventions) -> int:
    """Adds the slots of errors and evaluations; returns that of an error's message."""
    table.add_slot("error type", _node("error"), "")
    _add(table, ERROR_TYPE)
    message = table.add_slot("error message", _node("error"), "")
    _add(table, ERROR_MESSAGE)
    for kind, attribute in zip(("evaluation name", "evaluation score"), EVALUATION, strict=True):
        table.add_slot(kind, _node("scores"), "")
        _add(table, (attribute,))
    return message


def _add(table: _native.Conventions, attributes: tuple[str, ...]) -> None:
    """Adds the attributes of the slot added last, in order of precedence."""
    for rank, attribute in enumerate(attributes):
        if attribute.endswith(".*"):
            table.add_numbered(attribute.removesuffix("*"), True, rank, _flags(attribute))
        else:
            table.add_attribute(attribute, rank, _flags(attribute))


def _add_members(table: _native.Conventions, slots: dict[str, int]) -> None:
    numbers = {kind: number for number, kind in enumerate(MEMBERS, start=1)}
    for kind, named in MEMBERS.items():
        for name, paths in named.items():
            for path in paths:
                table.add_member(numbers[kind], path, slots[name])
    for rank, (attribute, kind) in enumerate(OBJECTS.items()):
        table.add_members(attribute, numbers[kind], _FIRST_MEMBER_RANK + rank)


def _flags(attribute: str) -> list[str]:
    """Returns the names of what holds for an attribute, or for its numbered keys."""
    flags = [flag for flag, names in FLAGS.items() if attribute in names]
    is_wrapped = attribute.endswith(".*") and attribute.startswith(WRAPPED_ROOTS)
    return [*flags, "wrapped"] if is_wrapped else flags


def _node(field: str) -> int:
    """Returns the kernels' number of a variant column: the root is 0."""
    return 1 + SPANS.variants.index(field)


CONVENTIONS: Final = _compiled()
"""The table as the kernels read it."""


def one_form(messages: Any, *, asked: bool) -> list[Any] | None:
    """Returns messages of any spelling in the one form of `input` and `output`, None where they are none.

    Args:
        messages: a list of them, a request or an answer.
        asked: whether one that names no role is a user's, not an assistant's.
    """
    text = json.dumps(messages, ensure_ascii=False).encode("utf-8", "replace")
    normal = _native.normal_messages(CONVENTIONS, text, asked)
    return None if normal is None else list(json.loads(normal))
