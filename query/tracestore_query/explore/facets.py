"""Facets: of any path its types, how many rows have it, and its most frequent values or the spread of its numbers."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Final

from tracestore.store import NO_PATHS, Store
from tracestore.variant import format_path, parse_path
from tracestore_query.answer.json_texts import plain
from tracestore_query.explore.selection import RowQuery, Selection, check_expression

TOP_VALUES: Final = 8
"""Values of one facet: what a person takes in at a glance."""

SPREAD_BUCKETS: Final = 6
"""Ranges of a facet of many different numbers."""

FACET_TIMEOUT_S: Final = 10.0
"""Seconds that one facet may take; the next is tried all the same."""

MAX_VALUE_CHARACTERS: Final = 300
"""Characters of a value that are sent; more would be no name of anything."""

CHOSEN_PATHS: Final = 12
"""Paths chosen where the caller names none: a column of the page holds about as many."""

_FIXED: Final = {
    "spans": ("type", "status_code", "name", "service"),
    "logs": ("severity_text", "service"),
}
# What people filter by comes first; payloads and ids are no facets.
_ROOTS: Final = ("scores", "metadata", "tags", "attributes", "error", "metrics", "resource")
_SKIPPED: Final = frozenset({"session_id", "user_id", "trace_id", "span_id", "id", "comments"})
_NUMBERS: Final = frozenset({"int64", "double", "BIGINT", "DOUBLE", "i64", "f64"})


def choose_paths(
    store: Store, table: str, projects: frozenset[str] | None, most: int = CHOSEN_PATHS
) -> list[str]:
    """Returns the paths that make the most telling facets: columns first, then frequent short paths.

    Args:
        store: an open store.
        table: `spans` or `logs`.
        projects: whose paths count, None for all.
        most: paths at most; a part of them may be below one column.
    """
    with store.snapshot((table,), projects, reads=NO_PATHS) as snapshot:
        types = snapshot.tables[table].leaf_types
        candidates = [
            (_ROOTS.index(str(keys[0])), -sum(kinds.values()), _as_written(keys))
            for path, kinds in types.items()
            if _is_telling(keys := parse_path(path), kinds)
        ]
    per_root: dict[int, int] = {}
    chosen = list(_FIXED[table])
    for root, _, path in sorted(candidates):
        per_root[root] = per_root.get(root, 0) + 1
        if per_root[root] <= max(4, most // 4) and len(chosen) < most:
            chosen.append(path)
    return chosen


def _is_telling(keys: list[str | int], kinds: Mapping[str, int]) -> bool:
    if not keys or keys[0] not in _ROOTS or len(keys) > 3:
        return False
    if "json" in kinds or "json[]" in kinds or "bin" in kinds:
        return False
    last = str(keys[-1])
    return last not in _SKIPPED and not last.endswith((".id", "_id", ".messages"))


def _as_written(keys: list[str | int]) -> str:
    """Returns a path as people write it: a key with dots reads the same as its parts."""
    first, *rest = (str(key) for key in keys)
    if all(part.isidentifier() for key in rest for part in key.split(".")):
        return ".".join([first, *rest])
    return format_path(keys)


def row_count(run: RowQuery, selection: Selection) -> int:
    """Returns how many rows a selection has."""
    sql = f"SELECT count(*) AS n FROM {selection.table} WHERE {selection.condition()}"
    return int(run(sql, timeout_s=FACET_TIMEOUT_S).rows()[0]["n"])


def facet(run: RowQuery, selection: Selection, path: str, total: int) -> dict[str, Any]:
    """Returns one facet.

    Args:
        run: answers SQL.
        selection: the rows that count.
        path: an expression over a row, mostly a path.
        total: rows of the selection.
    """
    check_expression(path)
    result = run(
        f"""
        WITH counted AS (
            SELECT {path} AS value, typeof({path}) AS type, count(*) AS n
            FROM {selection.table} WHERE {selection.condition()} GROUP BY 1, 2
        )
        SELECT type, left(value::VARCHAR, {MAX_VALUE_CHARACTERS}) AS text, value, n,
               (sum(n) OVER ())::BIGINT AS present, count(*) OVER () AS distinct_values,
               (SELECT string_agg(DISTINCT type, '|') FROM counted WHERE value IS NOT NULL) AS types
        FROM counted WHERE value IS NOT NULL ORDER BY n DESC, text LIMIT {TOP_VALUES}""",
        timeout_s=FACET_TIMEOUT_S,
    )
    rows = result.rows()
    present = int(rows[0]["present"]) if rows else 0
    distinct = int(rows[0]["distinct_values"]) if rows else 0
    types = sorted(rows[0]["types"].split("|")) if rows else []
    answer: dict[str, Any] = {
        "path": path,
        "types": types,
        "rows": present,
        "total": total,
        "distinct": distinct,
        "values": [
            {"value": _short(row["value"], row["text"]), "type": row["type"], "rows": row["n"]}
            for row in rows
        ],
        "spread": [],
        "warnings": list(result.warnings),
    }
    if distinct > TOP_VALUES and types and set(types) <= _NUMBERS:
        answer["spread"] = _spread(run, selection, path)
    return answer


def _short(value: Any, text: str | None) -> Any:
    """Returns a value as JSON holds it; what is too long to be a name of anything is cut."""
    if isinstance(value, (str, list, dict)) and len(str(value)) > MAX_VALUE_CHARACTERS:
        return text
    return plain(value)


def _spread(run: RowQuery, selection: Selection, path: str) -> list[dict[str, Any]]:
    """Returns ranges of numbers, of equal width, with their rows."""
    condition = selection.condition(f"{path} IS NOT NULL")
    ends = run(
        f"SELECT min({path})::DOUBLE AS low, max({path})::DOUBLE AS high, "
        f"quantile_cont({path}::DOUBLE, 0.95) AS most FROM {selection.table} WHERE {condition}",
        timeout_s=FACET_TIMEOUT_S,
    ).rows()[0]
    low, high, most = ends["low"], ends["high"], ends["most"]
    if low is None or not math.isfinite(low) or not math.isfinite(high) or low == high:
        return []
    # A few very large numbers must not put all others into one range: the last one is open.
    width = _round_width((max(most, low + (high - low) * 1e-9) - low) / (SPREAD_BUCKETS - 1))
    start = math.floor(low / width) * width
    last = SPREAD_BUCKETS - 1
    counted = run(
        f"SELECT least({last}, greatest(0, floor(({path}::DOUBLE - {start!r}) / {width!r})))::INTEGER AS bucket, "
        f"count(*) AS n FROM {selection.table} WHERE {condition} GROUP BY 1 ORDER BY 1",
        timeout_s=FACET_TIMEOUT_S,
    ).rows()
    rows_of = {row["bucket"]: row["n"] for row in counted}
    return [
        {
            "from": _clean(start + number * width),
            "to": _clean(start + (number + 1) * width) if number < last else None,
            "rows": rows_of.get(number, 0),
        }
        for number in range(SPREAD_BUCKETS)
        if rows_of.get(number) or number < last
    ]


def _round_width(width: float) -> float:
    """Returns the next width of 1, 2, 2.5 or 5 times a power of ten."""
    power = 10.0 ** math.floor(math.log10(width))
    return next(step * power for step in (1, 2, 2.5, 5, 10) if step * power >= width * 0.999)


def _clean(number: float) -> float:
    return float(f"{number:.12g}")
