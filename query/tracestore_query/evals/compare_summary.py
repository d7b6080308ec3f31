"""Experiments compared in sum: averages, what improved and regressed, new and missing cases, tokens, cost, time."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any, Final

import pyarrow as pa

from tracestore.errors import ExperimentError
from tracestore_query.evals.case_contents import add_contents
from tracestore_query.evals.compared_cases import METRICS, ComparedCases
from tracestore_query.query import Query
from tracestore_query.tables.compare import Comparison, comparison, path_sql

MAX_ROWS: Final = 4_000_000
"""Cases and scores of all experiments together, about 100 bytes each while they are summed."""


def compare_experiments(
    query: Query,
    names: Sequence[str],
    *,
    key: str | None = None,
    group_by: str | None = None,
    project: str | None = None,
    projects: Collection[str] | None = None,
    cases: int = 1000,
    contents: bool = True,
    timeout_s: float | None = 120.0,
) -> dict[str, Any]:
    """Returns experiments compared with the first of them.

    Args:
        query: the query layer over a store.
        names: two to eight experiments.
        key: the path whose value makes two cases the same; default their inputs.
        group_by: the path whose values part the summary; looked for on the case, then on its trace's spans.
        project: the project of all of them, None for every one that may be seen.
        projects: the projects that may be seen, None for all.
        cases: cases listed at most, those that fell most first.
        contents: whether listed cases have their input, what was expected, and each output.
        timeout_s: seconds until it is stopped, None for no bound.

    Raises:
        QueryError: for a key or group that is no path, or names that are not two to eight.
        ExperimentError: where one of them has no case, or there are too many.
    """
    wanted = comparison(names, key, project)
    group = None if group_by is None else path_sql(group_by)
    found = ComparedCases(wanted.names, _rows(query, wanted, group, projects, timeout_s))
    absent = [name for run, name in enumerate(wanted.names) if not found.has_cases(run)]
    if absent:
        raise ExperimentError(
            f"cannot compare experiment {absent[0]!r}: it has no root span"
            + ("" if key is None else f" with {key}")
            + "; see `SELECT * FROM experiments`"
        )
    listed = found.listed(cases)
    if contents:
        add_contents(query, listed, projects, timeout_s)
    summary = {
        "baseline": wanted.names[0],
        "experiments": found.summaries(),
        "cases": listed,
        "warnings": [],
    }
    if group is not None:
        summary["groups"] = [
            {"group": value, "experiments": found.summaries(number)}
            for number, value in found.groups()
        ]
    return summary


def _rows(
    query: Query,
    wanted: Comparison,
    group: str | None,
    projects: Collection[str] | None,
    timeout_s: float | None,
) -> pa.Table:
    sql = _cases_sql(wanted, group)
    with query.sql(sql, projects=projects, timeout_s=timeout_s, max_rows=MAX_ROWS) as result:
        table = result.arrow()
        if any("was cut" in text for text in result.warnings):
            raise ExperimentError(
                f"cannot compare experiments: they have more than {MAX_ROWS} cases and scores; compare fewer"
            )
    return table


def _cases_sql(wanted: Comparison, group: str | None) -> str:
    """Returns the query of every case of every experiment, and of every score of a case, each a row.

    Each comes once for the whole and, where there are groups, once for its group: a trial belongs to the group of
    its own value. A case that has a span of type `task` took as long as its last one: scorers and earlier tries are no
    part of it. Spans of scorers, told by their type or purpose, and all spans below them are no part of the task.
    """
    grouped = "NULL" if group is None else f"{group}::VARCHAR"
    shown = "NULL" if group is None else f"coalesce(root.{group}::VARCHAR, used.grouped)"
    sets = "(1, 2)" if group is None else "(1, 2), (1, 2, grouped)"
    of_scores = "(1, 2, score)" if group is None else "(1, 2, score), (1, 2, score, grouped)"
    sums = ",\n".join(
        f"sum({name}) AS sum_{name}, count({name}) AS count_{name}" for name in METRICS
    )
    part = "grouped, grouping(grouped)" if group is not None else "NULL::VARCHAR, 1"
    nothing = ", ".join(f"NULL::DOUBLE AS sum_{name}, 0 AS count_{name}" for name in METRICS)
    return f"""
        WITH RECURSIVE run_spans AS MATERIALIZED (
            SELECT
                project,
                experiment,
                trace_id,
                span_id,
                parent_span_id,
                coalesce(type, '') = 'score'
                    OR coalesce(attributes.tracestore.purpose::VARCHAR, '') = 'scorer'
                    OR coalesce(attributes.braintrust.purpose::VARCHAR, '') = 'scorer' AS is_scorer,
                coalesce(metrics.tokens + 0, metrics.prompt_tokens + metrics.completion_tokens) AS tokens,
                metrics.prompt_tokens AS prompt_tokens,
                metrics.completion_tokens AS completion_tokens,
                metrics.estimated_cost AS cost,
                coalesce(type, '') = 'task' AS is_task,
                start_ns,
                duration,
                {grouped} AS grouped
            FROM spans
            WHERE {wanted.spans}
        ),
        scorer_spans AS (
            SELECT project, trace_id, span_id FROM run_spans WHERE is_scorer
            UNION
            SELECT child.project, child.trace_id, child.span_id
            FROM run_spans AS child
            JOIN scorer_spans AS parent
            ON child.project = parent.project AND child.trace_id = parent.trace_id
                AND child.parent_span_id = parent.span_id
        ),
        used AS (
            SELECT
                project,
                experiment,
                trace_id,
                sum(tokens) AS tokens,
                sum(prompt_tokens) AS prompt_tokens,
                sum(completion_tokens) AS completion_tokens,
                sum(cost) AS cost,
                arg_max(struct_pack(parent := parent_span_id, seconds := duration), start_ns)
                    FILTER (WHERE is_task) AS task,
                max(grouped) AS grouped
            FROM run_spans
            WHERE (project, trace_id, span_id) NOT IN (SELECT (project, trace_id, span_id) FROM scorer_spans)
            GROUP BY project, experiment, trace_id
        ),
        trials AS MATERIALIZED (
            SELECT
                root.experiment AS run,
                root.{wanted.key}::VARCHAR AS case_key,
                root.input_key AS input_key,
                root.name AS name,
                root.trace_id AS trace_id,
                root.span_id AS span_id,
                root.start_ns AS start_ns,
                coalesce(root.status_code = 'ERROR', false) AS failed,
                CASE
                    WHEN used.task['parent'] = root.span_id THEN used.task['seconds']
                    ELSE root.duration
                END AS duration,
                used.tokens AS tokens,
                used.prompt_tokens AS prompt_tokens,
                used.completion_tokens AS completion_tokens,
                used.cost AS cost,
                {shown} AS grouped
            FROM (SELECT * FROM spans WHERE {wanted.cases}) AS root
            LEFT JOIN used
            ON used.project = root.project AND used.experiment = root.experiment AND used.trace_id = root.trace_id
        )
        SELECT
            run,
            case_key,
            {part.replace(",", " AS grouped,")} AS is_whole,
            NULL::VARCHAR AS score,
            NULL::DOUBLE AS value,
            min(input_key) AS input_key,
            min(struct_pack(at := start_ns, trace := trace_id, span := span_id, name := name)) AS first,
            list(trace_id ORDER BY start_ns, trace_id) AS trace_ids,
            count(*) AS trials,
            count(*) FILTER (WHERE failed) AS errors,
            {sums}
        FROM trials
        GROUP BY GROUPING SETS ({sets})
        UNION ALL
        SELECT
            run,
            case_key,
            {part},
            score,
            avg(value),
            NULL::BIGINT,
            NULL,
            NULL,
            0,
            0,
            {nothing}
        FROM (
            SELECT s.run AS run, s.case_key AS case_key, s.score AS score, s.value AS value, t.grouped AS grouped
            FROM {wanted.call("trial_scores")} AS s JOIN trials AS t
            ON s.run = t.run AND s.trace_id = t.trace_id AND s.span_id = t.span_id
        ) AS scored
        GROUP BY GROUPING SETS ({of_scores})
    """
