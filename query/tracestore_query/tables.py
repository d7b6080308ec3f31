"""The tables a query sees, and the functions that stand in FROM."""

from __future__ import annotations

from typing import Final

from sqlglot import exp

from tracestore.variant import TABLES
from tracestore_query.errors import UnknownNameError

STORED: Final = {name: spec for name, spec in TABLES.items() if name != "json"}
"""Tables that are scanned."""

CATALOG: Final = frozenset({"projects", "paths", "segments"})
"""Tables that the catalog answers."""

VIEWS: Final = {
    # One row a trace: the root's fields where the root has come, else the earliest span's. Where no model call
    # reports its tokens, the largest sum that another span reports stands for the trace.
    "traces": """
        SELECT
            project,
            trace_id,
            any_value(experiment) AS experiment,
            coalesce(arg_min(name, start_ns) FILTER (WHERE is_root), arg_min(name, start_ns)) AS name,
            coalesce(arg_min(service, start_ns) FILTER (WHERE is_root), arg_min(service, start_ns)) AS service,
            coalesce(arg_min(type, start_ns) FILTER (WHERE is_root), arg_min(type, start_ns)) AS type,
            coalesce(arg_min(span_id, start_ns) FILTER (WHERE is_root), NULL) AS root_span_id,
            min(start_time) AS start_time,
            max(end_time) AS end_time,
            min(start_ns) AS start_ns,
            max(start_ns + coalesce(duration_ns, 0)) - min(start_ns) AS duration_ns,
            (max(start_ns + coalesce(duration_ns, 0)) - min(start_ns)) / 1e9 AS duration,
            count(*) AS span_count,
            count(*) FILTER (WHERE status_code = 'ERROR') AS error_count,
            coalesce(sum(metrics.prompt_tokens), max(metrics.aggregated.prompt_tokens::BIGINT)) AS prompt_tokens,
            coalesce(sum(metrics.completion_tokens), max(metrics.aggregated.completion_tokens::BIGINT))
                AS completion_tokens,
            coalesce(sum(metrics.tokens), max(metrics.aggregated.tokens::BIGINT)) AS tokens,
            coalesce(sum(metrics.estimated_cost), max(metrics.aggregated.estimated_cost::DOUBLE)) AS estimated_cost
        FROM spans
        GROUP BY project, trace_id
    """,
    # One row a named run; its root spans are its cases.
    "experiments": """
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
    """,
}

FUNCTIONS: Final = frozenset({"experiment", "project_logs"})


def table_function(name: str, arguments: list[exp.Expr]) -> str:
    """Returns the predicate over `spans` that a table function stands for.

    Raises:
        UnknownNameError: where the arguments are not the function's.
    """
    texts = [
        str(argument.this)
        for argument in arguments
        if isinstance(argument, exp.Literal) and argument.is_string
    ]
    if len(texts) != len(arguments):
        raise UnknownNameError(f"cannot run query: {name}() takes names in quotes")
    if name == "experiment" and len(texts) in {1, 2}:
        predicate = f"experiment = {quoted(texts[0])}"
        return predicate if len(texts) == 1 else f"{predicate} AND project = {quoted(texts[1])}"
    if name == "project_logs" and len(texts) == 1:
        return f"experiment IS NULL AND project = {quoted(texts[0])}"
    usage = {
        "experiment": "experiment('name'[, 'project'])",
        "project_logs": "project_logs('project')",
    }
    raise UnknownNameError(
        f"cannot run query: {name}() has other arguments; want {usage.get(name, name + '()')}"
    )


def quoted(text: str) -> str:
    """Returns a text as a literal of SQL."""
    return "'" + text.replace("'", "''") + "'"
