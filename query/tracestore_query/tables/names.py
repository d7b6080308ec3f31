"""The tables a query sees, and the functions that stand in FROM."""

from __future__ import annotations

from typing import Final

from sqlglot import exp

from tracestore.variant import TABLES
from tracestore_query.errors import UnknownNameError
from tracestore_query.tables.predicate import Equals, IsNull, Predicate

STORED: Final = {name: spec for name, spec in TABLES.items() if name != "json"}
"""Tables that are scanned."""

NAMED: Final = frozenset({"spans", "logs"})
"""Scanned tables that FROM may name; rows of datasets come by `dataset('name')` alone."""

HIDDEN: Final = {"dataset_rows": frozenset({"dataset_id", "deleted", "digest"})}
"""Stored columns that no query sees."""

CATALOG: Final = frozenset(
    {"projects", "paths", "segments", "datasets", "dataset_versions", "experiment_records"}
)
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

FUNCTIONS: Final = frozenset({"compare", "dataset", "experiment", "project_logs"})

_READ_BY: Final = {
    "compare": "spans",
    "dataset": "dataset_rows",
    "experiment": "spans",
    "project_logs": "spans",
}


def called(table: exp.Table) -> str | None:
    """Returns the name of the function that stands for a table, None for a table's own name."""
    call = table.this
    if not isinstance(call, exp.Func):
        return None
    return (str(call.this) if isinstance(call, exp.Anonymous) else call.sql_name()).lower()


def stored_table(table: exp.Table) -> str | None:
    """Returns the stored table whose rows a table in FROM reads, None where it reads none."""
    function = called(table)
    if function is not None:
        return _READ_BY.get(function)
    name = table.name.lower()
    if name in VIEWS:
        return "spans"
    return name if name in NAMED else None


def scanned_table(table: exp.Table) -> str | None:
    """Returns the same where each row of the table in FROM is one stored row."""
    aggregated = called(table) == "compare" or (
        called(table) is None and table.name.lower() in VIEWS
    )
    return None if aggregated else stored_table(table)


def table_function(name: str, arguments: list[exp.Expr]) -> Predicate:
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
        columns = ("experiment", "project")
        return tuple(Equals(column, text) for column, text in zip(columns, texts, strict=False))
    if name == "project_logs" and len(texts) == 1:
        return (IsNull("experiment"), Equals("project", texts[0]))
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
