"""A search of Jaeger's as SQL of the language."""

from __future__ import annotations

import datetime as dt
import json
import re
from dataclasses import dataclass
from typing import Any, Final

from tracestore_query.doors.attribute_keys import attribute_path
from tracestore_query.errors import QueryParameterError

MAX_TRACES: Final = 1500
"""Traces of one answer: the most that Jaeger's own pages ask for."""

MAX_TAGS: Final = 50

_WORD: Final = re.compile(r'(?<!\S)([^\s=]+)=("(?:[^"\\]|\\.)*"|\S*)')


@dataclass(frozen=True, slots=True)
class Search:
    """The description of a span whose trace is looked for; what is empty or None does not count.

    Attributes:
        service, operation: the span's.
        tags: attributes of the span or its resource and their texts, as JSON or logfmt.
        begin, end: within which the span begins.
        shortest_ns, longest_ns: bounds of its duration.
        limit: traces that are wanted, the newest first.
    """

    service: str
    operation: str
    tags: str
    begin: dt.datetime | None
    end: dt.datetime | None
    shortest_ns: int | None
    longest_ns: int | None
    limit: int


def search_sql(search: Search, columns: str, most: int) -> tuple[str, dict[str, Any]]:
    """Returns the statement that gives all spans of the traces that are found, and its parameters.

    Raises:
        QueryParameterError: where the tags are neither JSON nor logfmt.
    """
    values: dict[str, Any] = {"most": most, "limit": search.limit}
    conditions = ["true"]
    named = {
        "service = $service": search.service or None,
        "name = $operation": search.operation or None,
        "start_time >= $begin": search.begin,
        "start_time < $end": search.end,
        "duration_ns >= $shortest_ns": search.shortest_ns,
        "duration_ns <= $longest_ns": search.longest_ns,
    }
    for condition, value in named.items():
        if value is not None:
            conditions.append(condition)
            values[condition.rpartition("$")[2]] = value
    for number, (key, text) in enumerate(_tags(search.tags).items()):
        conditions.append(_condition(key, number))
        values[f"tag{number}"] = text.lower() if key in _FIELDS else text
    found = " AND ".join(conditions)
    sql = (
        f"WITH found AS (SELECT trace_id, max(start_ns) AS last FROM spans WHERE {found} GROUP BY trace_id "
        f"ORDER BY last DESC LIMIT $limit) SELECT {columns} FROM spans "
        "WHERE trace_id IN (SELECT trace_id FROM found) ORDER BY start_ns LIMIT $most"
    )
    return sql, values


_FIELDS: Final = {
    "error": "(status_code = 'ERROR')::VARCHAR",
    "span.kind": "coalesce(lower(kind), '')",
    "otel.status_code": "lower(status_code)",
}
"""Tags of Jaeger's that are columns here, as small letters."""


def _condition(key: str, number: int) -> str:
    if key in _FIELDS:
        return f"{_FIELDS[key]} = $tag{number}"
    own, inherited = (attribute_path(column, key) for column in ("attributes", "resource"))
    return f"({own}::VARCHAR = $tag{number} OR {inherited}::VARCHAR = $tag{number})"


def _tags(text: str) -> dict[str, str]:
    """Returns keys and texts of tags."""
    if not text.strip():
        return {}
    try:
        found = json.loads(text) if text.lstrip().startswith("{") else dict(_WORD.findall(text))
    except (ValueError, RecursionError):
        raise QueryParameterError(
            f"cannot read tags: {text[:100]!r} is no JSON; want an object of texts"
        ) from None
    if not found or len(found) > MAX_TAGS:
        raise QueryParameterError(
            f"cannot read tags: want 1 to {MAX_TAGS} of them, as JSON or key=value"
        )
    return {str(key): _text(value) for key, value in found.items()}


def _text(value: Any) -> str:
    if isinstance(value, str):
        return value[1:-1] if len(value) > 1 and value[0] == value[-1] == '"' else value
    return json.dumps(value)
