"""Counts over time with errors, and how durations spread over time."""

from __future__ import annotations

import math
from typing import Any, Final

from tracestore_query.explore.selection import RowQuery, Selection

TIMELINE_TIMEOUT_S: Final = 20.0
"""Seconds that a timeline may take: a person waits no longer for a picture."""

MAX_BUCKETS: Final = 400
"""Buckets of time: more than a screen has room for."""

DECADE_STEPS: Final = 4
"""Rows of the heatmap for each power of ten of a duration."""

_ERROR: Final = {"spans": "status_code = 'ERROR'", "logs": "severity_number >= 17"}


def extent(run: RowQuery, selection: Selection) -> tuple[int, int] | None:
    """Returns the first and last time of a selection, None where it has no rows."""
    column = selection.time_column
    sql = f"SELECT min({column}) AS low, max({column}) AS high FROM {selection.table} WHERE {selection.condition()}"
    row = run(sql, timeout_s=TIMELINE_TIMEOUT_S).rows()[0]
    return None if row["low"] is None else (int(row["low"]), int(row["high"]))


def timeline(run: RowQuery, selection: Selection, buckets: int) -> dict[str, Any]:
    """Returns rows and errors of each bucket of time; an open range ends where the rows do."""
    ends = _range(run, selection)
    if ends is None:
        return {"from_ns": None, "step_ns": None, "rows": [], "errors": [], "total": 0}
    start, step, many = _buckets(*ends, min(buckets, MAX_BUCKETS))
    column = selection.time_column
    result = run(
        f"""
        SELECT ({column} - {start}) // {step} AS bucket, count(*) AS n,
               count(*) FILTER (WHERE {_ERROR[selection.table]}) AS errors
        FROM {selection.table} WHERE {selection.condition()} GROUP BY 1""",
        timeout_s=TIMELINE_TIMEOUT_S,
    )
    rows, errors = [0] * many, [0] * many
    for row in result.rows():
        at = min(max(int(row["bucket"]), 0), many - 1)
        rows[at] += row["n"]
        errors[at] += row["errors"]
    return {
        "from_ns": start,
        "step_ns": step,
        "rows": rows,
        "errors": errors,
        "total": sum(rows),
    }


def heatmap(run: RowQuery, selection: Selection, buckets: int) -> dict[str, Any]:
    """Returns how many spans of each bucket of time took how long, on a logarithmic scale."""
    ends = _range(run, selection)
    if ends is None:
        return {"from_ns": None, "step_ns": None, "columns": 0, "floor": 0, "cells": []}
    start, step, many = _buckets(*ends, min(buckets, MAX_BUCKETS))
    column = selection.time_column
    result = run(
        f"""
        SELECT ({column} - {start}) // {step} AS bucket,
               floor(log10(greatest(duration_ns, 1)) * {DECADE_STEPS})::INTEGER AS height, count(*) AS n,
               count(*) FILTER (WHERE {_ERROR[selection.table]}) AS errors
        FROM {selection.table} WHERE {selection.condition("duration_ns IS NOT NULL")} GROUP BY 1, 2""",
        timeout_s=TIMELINE_TIMEOUT_S,
    )
    cells = [
        [min(max(int(row["bucket"]), 0), many - 1), int(row["height"]), row["n"], row["errors"]]
        for row in result.rows()
    ]
    return {
        "from_ns": start,
        "step_ns": step,
        "columns": many,
        "steps_per_decade": DECADE_STEPS,
        "cells": cells,
    }


def _range(run: RowQuery, selection: Selection) -> tuple[int, int] | None:
    if selection.from_ns is not None and selection.to_ns is not None:
        return selection.from_ns, selection.to_ns
    found = extent(run, selection)
    if found is None:
        return None
    low = selection.from_ns if selection.from_ns is not None else found[0]
    high = selection.to_ns if selection.to_ns is not None else found[1] + 1
    return low, max(high, low + 1)


def _buckets(low: int, high: int, wanted: int) -> tuple[int, int, int]:
    """Returns the start, the width and the number of buckets that cover a range."""
    step = max(1, math.ceil((high - low) / max(1, wanted)))
    return low, step, max(1, math.ceil((high - low) / step))
