"""Lambdas, table functions, VALUES and subqueries give typed columns, which stand beside values of mixed type."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from data.stores import STATES, build, span
from tracestore import Store

ROWS: list[dict[str, Any]] = [
    {"ints": [1, 2], "strs": ["a", "it's"], "lists": [1, "a", 2], "mix": 1},
    {"ints": [], "strs": [], "lists": ["x"], "mix": "a"},
    {"ints": [3], "lists": [2], "mix": 3},
]

OF_ROWS: list[tuple[str, list[Any] | None]] = [
    ("list_transform(attributes.ints, i -> i + 1)", [[2, 3], [], [4]]),
    ("list_transform(attributes.ints, lambda i: -i * 2)", [[-2, -4], [], [-6]]),
    ("list_transform(attributes.ints, lambda x, i: x + i)", [[2, 4], [], [4]]),
    ("list_transform(attributes.strs, lambda i: upper(i))", [["A", "IT'S"], [], None]),
    ("list_transform(attributes.lists, lambda i: {'k': i})", None),
    ("list_filter(attributes.lists, lambda i: i + 1 > 2)", [[2], [], [2]]),
    ("list_filter(attributes.ints, lambda i: i > 1)", [[2], [], [3]]),
    ("list_reduce(attributes.ints, lambda x, y: x + y, 10)", [13, 10, 13]),
    ("list_reduce(attributes.lists, lambda x, y: concat(x, y), '.')", [".a", ".x", "."]),
    ("list_contains([1, attributes.ints[0]], attributes.mix)", [True, False, True]),
    ("CASE WHEN start_ns > 0 THEN attributes.mix ELSE length(name) END", [1, "a", 3]),
    ("attributes.mix IN (SELECT r FROM range(2) r)", [True, None, False]),
    ("attributes.mix = ANY (SELECT v.n FROM (VALUES (3, 'a')) v(n, w))", [False, None, True]),
    ("attributes.mix >= (SELECT max(length(name)) - 1 FROM spans)", [False, None, True]),
    ("coalesce(attributes.mix, (SELECT count(*) FROM spans))", [1, "a", 3]),
]
OF_TABLES: list[tuple[str, list[tuple[Any, ...]]]] = [
    ("SELECT range FROM range(2)", [(0,), (1,)]),
    ("SELECT r + 1 FROM range(2) r", [(1,), (2,)]),
    ("SELECT r.range FROM range(1) r", [(0,)]),
    ("SELECT * FROM range(1), range(1)", [(0, 0)]),
    ("SELECT generate_series FROM generate_series(1, 1)", [(1,)]),
    ("SELECT u FROM unnest([1]) u", [(1,)]),
    ("SELECT u.unnest FROM unnest([1]) u", [(1,)]),
    ("SELECT u.a FROM unnest([{'a': 1}]) u", [(1,)]),
    ("SELECT * FROM (VALUES (1, 'a'))", [(1, "a")]),
    (
        "SELECT name, a, ordinality FROM spans, unnest(attributes.ints) WITH ORDINALITY u(a) ORDER BY ALL",
        [("op-0", 1, 1), ("op-0", 2, 2), ("op-2", 3, 1)],
    ),
    (
        "SELECT name, i FROM spans, range(len(attributes.ints)) t(i) ORDER BY ALL",
        [("op-0", 0), ("op-0", 1), ("op-2", 0)],
    ),
    (
        (
            "SELECT mix FROM (SELECT attributes.mix FROM spans) "
            "UNION ALL SELECT count(*) FROM range(4) ORDER BY 1"
        ),
        [(1,), (3,), (4,), ("a",)],
    ),
    (
        (
            "SELECT list_filter(t.l, lambda i: i > 1) FROM "
            "(SELECT attributes.lists AS l, attributes.mix AS m FROM spans GROUP BY ALL) t ORDER BY ALL"
        ),
        [([],), ([2],), ([2],)],
    ),
    (
        "SELECT s.name, t.i FROM spans s JOIN range(5) t(i) ON s.attributes.mix = t.i ORDER BY ALL",
        [("op-0", 1), ("op-2", 3)],
    ),
]


@pytest.fixture(scope="module", params=STATES)
def store(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Store]:
    rows = [span(i, attributes=attributes) for i, attributes in enumerate(ROWS)]
    with build(
        tmp_path_factory.mktemp("parts") / "store", request.param, {"spans": rows}, pieces=3
    ) as made:
        yield made


@pytest.mark.parametrize(("expression", "expected"), OF_ROWS)
def test_an_expression_of_several_parts(
    store: Store, expression: str, expected: list[Any] | None
) -> None:
    rows = store.sql(f"SELECT {expression} AS c FROM spans ORDER BY start_ns").rows()
    if expected is None:
        expected = [[{"k": item} for item in row["lists"]] for row in ROWS]
    assert [row["c"] for row in rows] == expected


@pytest.mark.parametrize(("sql", "expected"), OF_TABLES)
def test_a_table_that_is_made(store: Store, sql: str, expected: list[tuple[Any, ...]]) -> None:
    assert [tuple(row.values()) for row in store.sql(sql).rows()] == expected
