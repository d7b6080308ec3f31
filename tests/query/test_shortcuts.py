"""What is left out before the engine reads it never changes an answer: every statement is asked with and without."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from typing import Any

import pytest

import tracestore
from data.stores import span
from tracestore_query import Query

START_NS = 1_790_000_000_000_000_000  # 2026-09-21T14:13:20Z
HOUR_NS = 3600 * 10**9
HOURS = 24

CASES: list[tuple[str, dict[str, Any] | None, list[tuple[Any, ...]] | None]] = [
    ("SELECT count(*) FROM spans WHERE start_time >= '2026-09-22 06:00:00'::DATE", None, [(14,)]),
    (
        "SELECT count(*) FROM spans WHERE start_time >= $t::DATE",
        {"t": "2026-09-22T06:00:00"},
        [(14,)],
    ),
    ("SELECT count(*) FROM spans WHERE start_time >= DATE '2026-09-22'", None, [(14,)]),
    (
        "SELECT count(*) FROM spans WHERE start_time >= $t",
        {"t": dt.datetime(2026, 9, 22, tzinfo=dt.UTC)},
        [(14,)],
    ),
    (
        "SELECT count(*) FROM spans WHERE start_time BETWEEN SYMMETRIC '2026-09-22 06:00' AND '2026-09-22 00:00'",
        None,
        [(6,)],
    ),
    (
        "SELECT count(*) FROM spans WHERE start_time BETWEEN '2026-09-22 00:00' AND '2026-09-22 06:00'",
        None,
        [(6,)],
    ),
    (
        "SELECT count(*) FROM spans WHERE start_time >= TIMESTAMPTZ '2026-09-21 01:00:00+00' + INTERVAL '1.5' DAY",
        None,
        [(13,)],
    ),
    ("SELECT count(*) FROM spans WHERE start_time < now() + INTERVAL 1000 YEAR", None, [(24,)]),
    ("SELECT count(*) FROM spans WHERE start_time >= '2026-09-22 06:00+02:00'", None, None),
    (
        "SELECT count(*) FROM spans WHERE start_time >= TIMESTAMP '2026-09-22 06:00:00.5'",
        None,
        None,
    ),
    ("SELECT count(*) FROM spans WHERE NOT (start_time >= '2026-09-22')", None, [(10,)]),
    ("SELECT count(*) FROM spans WHERE start_time >= '2026-09-22' OR name = 'n0'", None, [(15,)]),
    (
        (
            "SELECT a.name, b.name AS other FROM spans a ASOF JOIN spans b ON a.start_time >= b.start_time "
            "WHERE b.start_time < '2026-09-22' ORDER BY ALL"
        ),
        None,
        [(f"n{i}", f"n{i}") for i in sorted(range(10), key=str)],
    ),
    (
        (
            "SELECT count(*) FROM (SELECT name FROM spans ORDER BY start_ns) a POSITIONAL JOIN "
            "(SELECT name AS other FROM spans ORDER BY start_ns) b WHERE other = 'n3'"
        ),
        None,
        [(1,)],
    ),
    (
        (
            "SELECT count(*) FROM spans a LEFT JOIN spans b ON a.span_id = b.span_id AND b.attributes.i > 20 "
            "WHERE a.start_time >= '2026-09-22'"
        ),
        None,
        [(14,)],
    ),
    (
        "SELECT count(*) FROM spans a ANTI JOIN spans b ON a.attributes.i = b.attributes.rare WHERE a.name <> 'n1'",
        None,
        None,
    ),
    (
        "SELECT count(*) FROM spans a SEMI JOIN spans b ON a.attributes.i = b.attributes.rare",
        None,
        [(1,)],
    ),
    ("SELECT count(*) FROM spans WHERE attributes.rare = 5", None, [(1,)]),
    (
        "SELECT count(*) FROM spans WHERE attributes.rare > ALL (SELECT 1 WHERE false)",
        None,
        [(24,)],
    ),
    ("SELECT count(*) FROM spans WHERE attributes.rare = ANY (SELECT 1 WHERE false)", None, [(0,)]),
    ("SELECT count(*) FROM spans WHERE attributes.rare IS DISTINCT FROM 5", None, [(23,)]),
    ("SELECT count(*) FROM spans WHERE NOT attributes.rare = 5", None, [(0,)]),
    ("SELECT name FROM spans ORDER BY start_time DESC LIMIT 2", None, [("n23",), ("n22",)]),
    ("SELECT name FROM spans ORDER BY start_time LIMIT 2 OFFSET 1", None, [("n1",), ("n2",)]),
    (
        f"SELECT (SELECT count(*) FROM spans b WHERE a.trace_id IN ('{1:032x}')) FROM spans a ORDER BY 1 DESC LIMIT 2",
        None,
        [(24,), (0,)],
    ),
]


@pytest.fixture(scope="module")
def hourly(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Query, Query]]:
    """Gives queries with and without shortcuts over a store of a segment an hour."""
    with tracestore.open(tmp_path_factory.mktemp("hourly") / "store", background=False) as store:
        for i in range(HOURS):
            rare = {"rare": i} if i == 5 else {}
            attributes = {"i": i, **rare}
            row = span(i, name=f"n{i}", start_ns=START_NS + i * HOUR_NS, attributes=attributes)
            row["trace_id"] = f"{i + 1:032x}"
            store.insert("spans", [row])
            store.flush()
        plain = Query(store, shortcuts=False)
        yield store.query, plain
        plain.close()


@pytest.mark.parametrize(("sql", "parameters", "expected"), CASES, ids=[case[0] for case in CASES])
def test_an_answer_is_the_same_without_shortcuts(
    hourly: tuple[Query, Query],
    sql: str,
    parameters: dict[str, Any] | None,
    expected: list[tuple[Any, ...]] | None,
) -> None:
    with_shortcuts, without = (
        [tuple(row.values()) for row in query.sql(sql, parameters).rows()] for query in hourly
    )
    assert with_shortcuts == without
    if expected is not None:
        assert without == expected


def test_shortcuts_leave_segments_out(hourly: tuple[Query, Query]) -> None:
    sql = "SELECT count(*) AS n FROM spans WHERE start_time >= '2026-09-22 06:00'"
    pruned = [query.sql(sql).stats.segments_pruned for query in hourly]
    assert pruned[0] > 0 == pruned[1]
