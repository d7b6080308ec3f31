"""Views: tables that are a query of the language itself."""

from __future__ import annotations

from typing import Final

from sqlglot import exp

from tracestore_query.tables.repeated_calls import METRICS, REPEATED_CALLS, each
from tracestore_query.tables.span_end import TOGETHER_NS


def _of_root(column: str) -> str:
    """Returns a trace's field: the root's own, be it NULL, where a root has come, else the earliest span's."""
    return (
        f"CASE WHEN bool_or(is_root) THEN arg_min_null({column}, start_ns) FILTER (WHERE is_root) "
        f"ELSE arg_min({column}, start_ns) END AS {column}"
    )


def _once(metric: str) -> str:
    """Returns the sum of a metric over the calls of a trace, each counted once.

    Where no call reports it, the largest sum that another span reports stands for the trace.
    """
    return f"""coalesce(
                sum(metrics.{metric}) FILTER (WHERE again.{metric} IS NOT TRUE),
                max(metrics.aggregated.{metric}::{METRICS[metric]})) AS {metric}"""


def _traces(of_calls: str, source: str) -> str:
    """Returns one row a trace: the root's fields where the root has come, else the earliest span's."""
    return f"""
        SELECT
            spans.project AS project,
            spans.trace_id AS trace_id,
            {_of_root("experiment")},
            {_of_root("name")},
            {_of_root("service")},
            {_of_root("type")},
            coalesce(arg_min(spans.span_id, start_ns) FILTER (WHERE is_root), NULL) AS root_span_id,
            min(start_time) AS start_time,
            max(end_time) AS end_time,
            min(start_ns) AS start_ns,
            {TOGETHER_NS} AS duration_ns,
            {TOGETHER_NS} / 1e9 AS duration,
            count(*) AS span_count,
            count(*) FILTER (WHERE status_code = 'ERROR') AS error_count,
            {of_calls}
        FROM spans {source}
        GROUP BY spans.project, spans.trace_id
    """  # noqa: S608 - made of this file's own words


_AGAIN: Final = """LEFT JOIN repeated_calls AS again
        ON spans.project = again.project AND spans.trace_id = again.trace_id
            AND spans.span_id = again.span_id"""

VIEWS: Final = {
    "traces": _traces(", ".join(map(_once, METRICS)), _AGAIN),
    "repeated_calls": REPEATED_CALLS,
    # One row a named run: what its spans say, and what somebody recorded of it. Its root spans are its cases.
    "experiments": """
        SELECT
            coalesce(seen.project, told.project) AS project,
            coalesce(seen.name, told.name) AS name,
            told.created AS created,
            seen.start_time AS start_time,
            seen.end_time AS end_time,
            coalesce(seen.span_count, 0) AS span_count,
            coalesce(seen.case_count, 0) AS case_count,
            coalesce(seen.error_count, 0) AS error_count,
            told.dataset AS dataset,
            told.dataset_version AS dataset_version,
            told.base AS base,
            told.git_commit AS git_commit,
            CAST(told.metadata AS JSON) AS metadata
        FROM (
            SELECT
                project,
                experiment AS name,
                min(start_time) AS start_time,
                max(end_time) AS end_time,
                count(*) AS span_count,
                count(*) FILTER (WHERE is_root) AS case_count,
                count(*) FILTER (WHERE status_code = 'ERROR') AS error_count
            FROM spans
            WHERE experiment IS NOT NULL
            GROUP BY project, experiment
        ) AS seen
        FULL JOIN experiment_records AS told
        ON seen.project = told.project AND seen.name = told.name
    """,
}

_UNCOUNTED: Final = {
    "traces": _traces(each("sum(metrics.{m})::{kind} AS {m}"), ""),
}
"""The same columns for statements that name none of the sums over calls, without looking for calls told twice."""


def view_text(name: str, statement: exp.Expr) -> str:
    """Returns the text of a view for a statement that reads it."""
    if name in _UNCOUNTED and not _may_read_sums(statement):
        return _UNCOUNTED[name]
    return VIEWS[name]


def _may_read_sums(statement: exp.Expr) -> bool:
    """Tells whether a statement may read the sums of a trace: by name, or with all its columns. In doubt it may."""
    if not isinstance(statement, exp.Select):
        return True
    tables = {table.alias_or_name.lower() for table in statement.find_all(exp.Table)}
    for node in statement.walk():
        if isinstance(node, exp.Star) and not isinstance(node.parent, exp.Count):
            return True
        if isinstance(node, (exp.Anonymous, exp.Columns, exp.Pivot)):
            return True
        if isinstance(node, exp.Identifier) and node.name.lower() in METRICS:
            return True
        if isinstance(node, exp.Column) and node.name.lower() in tables:
            return True  # a whole row
    return False


JSON_COLUMNS: Final = {"experiments": frozenset({"metadata"})}
"""Columns of views that paths may go into."""
