"""What listed cases asked and answered: input, what was expected, and the output of each experiment's first trial."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Any, Final

from tracestore_query.query import Query

_IDS: Final = 1000
"""Spans that one query looks up."""


def add_contents(
    query: Query,
    cases: Iterable[dict[str, Any]],
    projects: Collection[str] | None,
    timeout_s: float | None,
) -> None:
    """Adds `input` and `expected` to cases, and `output` to each of their experiments.

    Args:
        query: the query layer over a store.
        cases: as a comparison lists them; changed in place.
        projects: the projects that may be seen, None for all.
        timeout_s: seconds until one query is stopped, None for no bound.
    """
    runs = [(case, run) for case in cases for run in case["experiments"].values()]
    for start in range(0, len(runs), _IDS):
        some = runs[start : start + _IDS]
        ids = {
            "traces": [run["trace_id"] for _, run in some],
            "spans": [run["span_id"] for _, run in some],
        }
        sql = (
            "SELECT trace_id, span_id, input, expected, output FROM spans "
            "WHERE list_contains($traces, trace_id) AND list_contains($spans, span_id)"
        )
        with query.sql(sql, ids, projects=projects, timeout_s=timeout_s) as result:
            rows = {(row["trace_id"], row["span_id"]): row for row in result.rows()}
        for case, run in some:
            row = rows.get((run["trace_id"], run["span_id"]), {})
            for name in ("input", "expected"):
                if case.get(name) is None:
                    case[name] = row.get(name)
            run["output"] = row.get("output")
