"""What is different: the paths whose values are more frequent in one selection than in another."""

from __future__ import annotations

from typing import Any, Final

from tracestore_query.answer.json_texts import plain
from tracestore_query.explore.selection import RowQuery, Selection, check_condition

SHOWN_PATHS: Final = 12
SHOWN_VALUES: Final = 5
"""Paths and values of an answer, those that differ most first."""

LEAST_DIFFERENCE: Final = 0.05
"""Shares that differ less tell nothing to a person."""

DIFFERENCE_TIMEOUT_S: Final = 10.0
"""Seconds that one path may take."""


def differences(
    run: RowQuery, selection: Selection, inside: str, paths: list[str]
) -> dict[str, Any]:
    """Returns the paths that tell rows inside from rows outside, with the share of each value on both sides.

    Args:
        run: answers SQL.
        selection: the rows that are compared.
        inside: a condition; rows that match it are inside, others outside.
        paths: expressions over a row that may differ.
    """
    check_condition(inside)
    is_inside = f"coalesce(({inside}\n), false)"
    condition = selection.condition()
    counts = run(
        f"SELECT count(*) AS n, count(*) FILTER (WHERE {is_inside}) AS inside "
        f"FROM {selection.table} WHERE {condition}",
        timeout_s=DIFFERENCE_TIMEOUT_S,
    ).rows()[0]
    within = int(counts["inside"])
    without = int(counts["n"]) - within
    answer: dict[str, Any] = {
        "inside": within,
        "outside": without,
        "differences": [],
        "warnings": [],
    }
    if not within or not without:
        return answer
    found = [_difference(run, selection, is_inside, path, within, without) for path in paths]
    telling = [each for each in found if each["score"] >= LEAST_DIFFERENCE]
    telling.sort(key=lambda each: -each["score"])
    answer["differences"] = telling[:SHOWN_PATHS]
    return answer


def _difference(
    run: RowQuery, selection: Selection, is_inside: str, path: str, within: int, without: int
) -> dict[str, Any]:
    result = run(
        f"""
        SELECT value, inside / {within} AS inside, outside / {without} AS outside FROM (
            SELECT {path} AS value, count(*) FILTER (WHERE {is_inside}) AS inside,
                   count(*) FILTER (WHERE NOT {is_inside}) AS outside
            FROM {selection.table} WHERE {selection.condition()} GROUP BY 1
        ) ORDER BY abs(inside / {within} - outside / {without}) DESC LIMIT {SHOWN_VALUES}""",
        timeout_s=DIFFERENCE_TIMEOUT_S,
    )
    values = [
        {
            "value": plain(row["value"]),
            "inside": float(row["inside"]),
            "outside": float(row["outside"]),
        }
        for row in result.rows()
    ]
    score = max((abs(each["inside"] - each["outside"]) for each in values), default=0.0)
    return {"path": path, "score": score, "values": values}
