"""A search: which traces hold spans as a text says, and what is shown of them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from typing import Any, Final

from tracestore_query.doors.tempo.asked import Ask, Rows
from tracestore_query.doors.tempo.nested_sets import NestedSets
from tracestore_query.doors.tempo.values import any_value, field_value, shown_key
from tracestore_query.doors.traceql import tree
from tracestore_query.doors.traceql.conditions import (
    NESTED,
    TRACE_COLUMNS,
    shown_sql,
)
from tracestore_query.doors.traceql.spansets import Selection, Window
from tracestore_query.errors import QuerySyntaxError
from tracestore_query.tables.names import quoted
from tracestore_query.tables.span_end import END_NS

MAX_TRACES: Final = 1000
"""Traces of one answer; the planner looks up as many by their ids."""

MAX_SHOWN_SPANS: Final = 100
"""Spans shown of one trace."""

MAX_SPANS: Final = 100_000
"""Spans read of all traces of one answer, for their services and their structure."""

_OWN: Final = frozenset({"name", "span:name", "duration", "span:duration", "trace:id", "span:id"})
"""Fields that an answer shows of each span anyway."""

_OPERATORS: Final = {"=": "=", "!=": "<>", ">": ">", ">=": ">=", "<": "<", "<=": "<="}


def search(
    pipeline: tree.Pipeline, window: Window, limit: int, shown_spans: int, ask: Ask
) -> dict[str, Any]:
    """Returns Tempo's answer to a search: the newest traces that match.

    Raises:
        QuerySyntaxError: where the text asks for series, or for what is not answered.
    """
    if any(
        isinstance(stage, tree.Metric | tree.Ranked | tree.Compared) for stage in pipeline.stages
    ):
        raise QuerySyntaxError("cannot search by a metric; ask for it at /api/metrics/query_range")
    picked = _picked(Selection(pipeline.spans, window), pipeline, limit, ask)
    if not picked:
        return {"traces": [], "metrics": {}}
    matched = {row["trace_id"]: row["matched"] for row in picked}
    narrow = Window(window.begin, window.end, tuple(matched))
    fields = _shown(pipeline)
    spans = _spans(Selection(pipeline.spans, narrow), fields, shown_spans, ask)
    told = _told(tuple(matched), ask)
    sets = _nested_sets(fields, tuple(matched), ask)
    by_trace: dict[str, Rows] = defaultdict(list)
    for span in spans:
        by_trace[span["trace_id"]].append(span)
    return {
        "traces": [
            _trace(trace_id, count, by_trace[trace_id], told.get(trace_id, []), fields, sets)
            for trace_id, count in matched.items()
        ],
        "metrics": {"inspectedTraces": len(matched)},
    }


def _picked(selected: Selection, pipeline: tree.Pipeline, limit: int, ask: Ask) -> Rows:
    """Returns the newest traces that match, and how many of their spans do."""
    thresholds = [stage for stage in pipeline.stages if isinstance(stage, tree.Threshold)]
    having = " AND ".join(_threshold(selected, each) for each in thresholds)
    sql = (
        f"{selected.tables}SELECT trace_id, count(*) AS matched, max(start_ns) AS last FROM {selected.source} "
        f"GROUP BY trace_id {f'HAVING {having} ' if having else ''}ORDER BY last DESC, trace_id LIMIT {limit:d}"
    )
    return ask(sql, selected.values())


def _threshold(selected: Selection, stage: tree.Threshold) -> str:
    if stage.operator not in _OPERATORS:
        raise QuerySyntaxError(f"cannot compare {stage.function}() by {stage.operator}")
    of = "count(*)" if stage.of is None else f"{stage.function}({selected.conditions.of(stage.of)})"
    return f"{of} {_OPERATORS[stage.operator]} {selected.conditions.of(stage.bound)}"


def _shown(pipeline: tree.Pipeline) -> tuple[tree.Field, ...]:
    """Returns the fields that are shown of each span: what is selected, and what the conditions name."""
    return tuple(
        field
        for field in tree.fields_of(pipeline)
        if not (field.scope == tree.INTRINSIC and field.key in _OWN | TRACE_COLUMNS.keys())
    )


def _is_nested(field: tree.Field) -> bool:
    return field.scope == tree.INTRINSIC and field.key in NESTED


def _spans(selected: Selection, fields: tuple[tree.Field, ...], shown_spans: int, ask: Ask) -> Rows:
    named = "".join(
        f", {shown_sql(field)} AS f{number}"
        for number, field in enumerate(fields)
        if not _is_nested(field)
    )
    sql = (
        f"{selected.tables}SELECT trace_id, span_id, name, start_ns, coalesce(duration_ns, 0) AS duration_ns{named} "
        f"FROM {selected.source} QUALIFY row_number() OVER "
        f"(PARTITION BY trace_id ORDER BY start_ns, span_id) <= {shown_spans:d} ORDER BY start_ns, span_id"
    )
    return ask(sql, selected.values())


def _told(trace_ids: tuple[str, ...], ask: Ask) -> Mapping[str, Rows]:
    """Returns what is known of whole traces: a row for each service of each."""
    sql = (
        "SELECT trace_id, service, count(*) AS spans, count(*) FILTER (WHERE status_code = 'ERROR') AS errors, "
        f"min(start_ns) AS begin, max({END_NS}) AS finish, bool_or(is_root) AS has_root, "
        "arg_min(name, start_ns) FILTER (WHERE is_root) AS root_name "
        f"FROM spans WHERE trace_id IN ({', '.join(map(quoted, trace_ids))}) GROUP BY trace_id, service"
    )
    told: dict[str, Rows] = defaultdict(list)
    for row in ask(sql, {}):
        told[row["trace_id"]].append(row)
    return told


def _nested_sets(
    fields: tuple[tree.Field, ...], trace_ids: tuple[str, ...], ask: Ask
) -> NestedSets | None:
    if not any(map(_is_nested, fields)):
        return None
    sql = (
        "SELECT trace_id, span_id, parent_span_id FROM spans "
        f"WHERE trace_id IN ({', '.join(map(quoted, trace_ids))}) ORDER BY start_ns LIMIT {MAX_SPANS}"
    )
    return NestedSets(ask(sql, {}))


def _trace(
    trace_id: str,
    matched: int,
    spans: Rows,
    services: Rows,
    fields: tuple[tree.Field, ...],
    sets: NestedSets | None,
) -> dict[str, Any]:
    begin = min((row["begin"] for row in services), default=0)
    finish = max((row["finish"] for row in services), default=0)
    root = next((row for row in services if row["has_root"]), None)
    shown = {
        "spans": [_span(span, fields, sets) for span in spans],
        "matched": matched,
    }
    return {
        "traceID": trace_id,
        "rootServiceName": (root["service"] or "") if root else "<root span not yet received>",
        "rootTraceName": (root["root_name"] or "") if root else "",
        "startTimeUnixNano": str(begin),
        "durationMs": (finish - begin) // 1_000_000,
        # Grafana before version 10 reads the one, later ones the other.
        "spanSet": shown,
        "spanSets": [shown],
        "serviceStats": {
            row["service"] or "unknown": _counts(row)
            for row in sorted(services, key=lambda row: row["service"] or "")
        },
    }


def _counts(row: Mapping[str, Any]) -> dict[str, int]:
    """Returns the counts of a service; Tempo leaves a zero out."""
    counts = {"spanCount": row["spans"], "errorCount": row["errors"]}
    return {name: count for name, count in counts.items() if count}


def _span(
    span: Mapping[str, Any], fields: tuple[tree.Field, ...], sets: NestedSets | None
) -> dict[str, Any]:
    attributes = []
    for number, field in enumerate(fields):
        if _is_nested(field) and sets is not None:
            value = any_value(sets.of(span["trace_id"], span["span_id"], field.key))
        elif span.get(f"f{number}") is None:
            continue
        else:
            value = field_value(field, span[f"f{number}"])
        attributes.append({"key": shown_key(field), "value": value})
    return {
        "spanID": span["span_id"],
        "name": span["name"] or "",
        "startTimeUnixNano": str(span["start_ns"]),
        "durationNanos": str(span["duration_ns"]),
        "attributes": attributes,
    }
