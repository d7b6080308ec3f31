"""Views: tables that are a query of the language itself."""

from __future__ import annotations

from typing import Final


def _of_root(column: str) -> str:
    """Returns a trace's field: the root's own, be it NULL, where a root has come, else the earliest span's."""
    return (
        f"CASE WHEN bool_or(is_root) THEN arg_min_null({column}, start_ns) FILTER (WHERE is_root) "
        f"ELSE arg_min({column}, start_ns) END AS {column}"
    )


def _once(metric: str) -> str:
    """Returns the sum of a metric over the calls of a trace, each counted once.

    A call inside of a call that reports the metric is the same call again, seen by a second instrumentation. Where no
    call reports it, the largest sum that another span reports stands for the trace.
    """
    kind = "DOUBLE" if metric == "estimated_cost" else "BIGINT"
    told = f"FILTER (WHERE metrics.{metric} IS NOT NULL)"
    return f"""coalesce(
                CASE WHEN len(list_intersect(list(parent_span_id) {told}, list(span_id) {told})) > 0
                THEN list_sum(list_transform(list_filter(
                    list(struct_pack(parent := parent_span_id, amount := metrics.{metric}::{kind})) {told},
                    lambda call: NOT coalesce(list_contains(list(span_id) {told}, call.parent), false)),
                    lambda call: call.amount))
                ELSE sum(metrics.{metric}) END,
                max(metrics.aggregated.{metric}::{kind})) AS {metric}"""


VIEWS: Final = {
    # One row a trace: the root's fields where the root has come, else the earliest span's.
    "traces": f"""
        SELECT
            project,
            trace_id,
            {_of_root("experiment")},
            {_of_root("name")},
            {_of_root("service")},
            {_of_root("type")},
            coalesce(arg_min(span_id, start_ns) FILTER (WHERE is_root), NULL) AS root_span_id,
            min(start_time) AS start_time,
            max(end_time) AS end_time,
            min(start_ns) AS start_ns,
            max(start_ns + coalesce(duration_ns, 0)) - min(start_ns) AS duration_ns,
            (max(start_ns + coalesce(duration_ns, 0)) - min(start_ns)) / 1e9 AS duration,
            count(*) AS span_count,
            count(*) FILTER (WHERE status_code = 'ERROR') AS error_count,
            {_once("prompt_tokens")},
            {_once("completion_tokens")},
            {_once("tokens")},
            {_once("estimated_cost")}
        FROM spans
        GROUP BY project, trace_id
    """,  # noqa: S608 - made of this file's own words
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

JSON_COLUMNS: Final = {"experiments": frozenset({"metadata"})}
"""Columns of views that paths may go into."""
