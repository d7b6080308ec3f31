"""The older way to search: tags in logfmt and bounds of duration, as a tree of TraceQL."""

from __future__ import annotations

import re
from typing import Final

from tracestore_query.doors.tempo.moments import tempo_length
from tracestore_query.doors.traceql import tree
from tracestore_query.doors.traceql.parser import parse_field
from tracestore_query.errors import QueryParameterError

MAX_TAGS: Final = 50

_PAIR: Final = re.compile(r'(?<!\S)([^\s=]+)=("(?:[^"\\]|\\.)*"|\S*)')
_WORDS: Final = {"status": "status", "kind": "kind", "span.kind": "kind"}
_NUMBER: Final = re.compile(r"-?\d{1,18}")


def tagged_search(tags: str, shortest: str, longest: str) -> tree.Pipeline:
    """Returns the tree of a search by tags.

    Args:
        tags: `key=value` and `key="value"`, parted by spaces.
        shortest: the least duration of a span, e.g. `100ms`; empty for none.
        longest: the most.

    Raises:
        QueryParameterError: where they cannot be read.
    """
    conditions: list[tree.Expression] = []
    pairs = _PAIR.findall(tags)
    if len(pairs) > MAX_TAGS or _PAIR.sub("", tags).strip():
        raise QueryParameterError(
            f"cannot read tags: want up to {MAX_TAGS} of key=value; or ask with q=, in TraceQL"
        )
    for key, text in pairs:
        field = parse_field(key)
        conditions.append(tree.Comparison("=", field, _constant(key, text)))
    duration = parse_field("duration")
    for operator, name, text in ((">=", "minDuration", shortest), ("<=", "maxDuration", longest)):
        if text:
            nanoseconds = round(tempo_length(name, text).total_seconds() * 1e9)
            bound = tree.Constant("duration", nanoseconds)
            conditions.append(tree.Comparison(operator, duration, bound))
    if not conditions:
        return tree.Pipeline(tree.Spanset(None))
    return tree.Pipeline(tree.Spanset(tree.Joined("&&", tuple(conditions))))


def _constant(key: str, text: str) -> tree.Constant:
    if len(text) > 1 and text[0] == text[-1] == '"':
        return tree.Constant("text", re.sub(r"\\(.)", r"\1", text[1:-1], flags=re.DOTALL))
    if key in _WORDS:
        return tree.Constant("text", text.upper())
    if _NUMBER.fullmatch(text):
        return tree.Constant("number", int(text))
    if text in {"true", "false"}:
        return tree.Constant("boolean", text == "true")
    return tree.Constant("text", text)
