"""Names of attributes and their values, for lists to choose from: names from the catalog, values from the columns."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from tracestore.errors import PathSyntaxError
from tracestore.variant import parse_path
from tracestore_query.doors.tempo.asked import Ask
from tracestore_query.doors.tempo.values import KINDS, STATUSES, typed_value
from tracestore_query.doors.traceql import tree
from tracestore_query.doors.traceql.conditions import TRACE_COLUMNS, values_sql
from tracestore_query.doors.traceql.parser import parse_field, parse_traceql
from tracestore_query.doors.traceql.spansets import Selection, Window
from tracestore_query.errors import QuerySyntaxError

MAX_TAGS: Final = 10_000
MAX_VALUES: Final = 1000
"""Names and values of one answer: more than a list to choose from can show."""

MAX_VALUE_CHARACTERS: Final = 1024
"""Longer texts are nothing to choose from."""

INTRINSICS: Final = (
    "duration",
    "event:name",
    "event:timeSinceStart",
    "instrumentation:name",
    "instrumentation:version",
    "kind",
    "link:spanID",
    "link:traceID",
    "name",
    "rootName",
    "rootServiceName",
    "span:duration",
    "span:id",
    "span:kind",
    "span:name",
    "span:parentID",
    "span:status",
    "span:statusMessage",
    "status",
    "statusMessage",
    "trace:duration",
    "trace:id",
    "trace:rootName",
    "trace:rootService",
    "traceDuration",
)

_COLUMNS: Final = {"span": "attributes", "resource": "resource", "instrumentation": "scope"}
_LISTS: Final = {"event": "events", "link": "links"}
_OF_ROOT: Final = {"root_name": "name", "root_service": "service"}
"""Columns of whole traces that are their root's."""

_STATUSES: Final = ("error", "ok", "unset")
_KINDS: Final = ("client", "consumer", "internal", "producer", "server", "unspecified")


def tags_of(scope: str, limit: int, ask: Ask) -> list[dict[str, Any]]:
    """Returns the names of each scope, or of one."""
    sql = """SELECT DISTINCT path FROM paths WHERE "table" = 'spans' ORDER BY path LIMIT $most"""
    rows = ask(sql, {"most": 20 * MAX_TAGS})
    found: dict[str, dict[str, None]] = {name: {} for name in (*_COLUMNS, *_LISTS)}
    for row in rows:
        named = _tag_of(row["path"])
        if named is not None and len(found[named[0]]) < min(limit, MAX_TAGS):
            found[named[0]][named[1]] = None
    if found["resource"] or rows:
        found["resource"].setdefault("service.name")
    scopes: Mapping[str, list[str]] = {
        **{name: sorted(tags) for name, tags in found.items()},
        "intrinsic": list(INTRINSICS),
    }
    wanted = scopes if scope in {"", "none", "all"} else {scope: scopes.get(scope, [])}
    return [{"name": name, "tags": tags} for name, tags in wanted.items() if tags]


def _tag_of(path: str) -> tuple[str, str] | None:
    """Returns the scope and the name of the attribute that a path is, None for what is none."""
    try:
        column, *keys = parse_path(path)
    except PathSyntaxError:
        # A place inside of a list, which has no index.
        return None
    for scope, name in _COLUMNS.items():
        if column == name and keys and all(isinstance(key, str) for key in keys):
            return scope, ".".join(map(str, keys))
    for scope, name in _LISTS.items():
        # An item's place, then its attributes.
        names = [key for key in keys[2:] if isinstance(key, str)]
        if column == name and keys[1:2] == ["attributes"] and names == keys[2:] != []:
            return scope, ".".join(names)
    return None


def values_of(name: str, text: str, window: Window, limit: int, ask: Ask) -> list[dict[str, str]]:
    """Returns the values of a field, the frequent ones first, each with its type.

    Args:
        name: the field as TraceQL writes it, e.g. `span.http.route` or `status`.
        text: the spans that are looked at, as TraceQL; one that is not finished yet does not count.
        window: the same, by time.
        limit: the most values.
        ask: asks the store.
    """
    field = parse_field(name)
    if field.scope == tree.INTRINSIC:
        if field.key in STATUSES | KINDS:
            words = _STATUSES if field.key in STATUSES else _KINDS
            return [{"type": "keyword", "value": word} for word in words]
        if field.key in TRACE_COLUMNS:
            column = _OF_ROOT.get(TRACE_COLUMNS[field.key])
            every = tree.Spanset(None)
            return _counted(column, every, window, limit, ask, "is_root") if column else []
    return _counted(values_sql(field), _spans_of(text), window, limit, ask, "true")


def _spans_of(text: str) -> tree.Spans:
    try:
        return parse_traceql(text).spans
    except QuerySyntaxError:
        # Somebody is still writing it.
        return tree.Spanset(None)


def _counted(
    value: str,
    spans: tree.Spans,
    window: Window,
    limit: int,
    ask: Ask,
    condition: str,
) -> list[dict[str, str]]:
    selected = Selection(spans, window)
    sql = (
        f"{selected.tables}SELECT value, count(*) AS spans FROM (SELECT {value} AS value FROM {selected.source} "
        f"AND {condition}) WHERE value IS NOT NULL GROUP BY value "
        f"ORDER BY spans DESC, value LIMIT {min(limit, MAX_VALUES):d}"
    )
    rows = ask(sql, selected.values())
    typed = [typed_value(row["value"]) for row in rows]
    return [each for each in typed if each and len(each["value"]) <= MAX_VALUE_CHARACTERS]
