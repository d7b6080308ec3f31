"""PIVOT and UNPIVOT behind a table, a CTE or a subquery: values of paths count by their types, and all rows once."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from data.stores import STATES, build, span
from tracestore import Store

ROWS: list[dict[str, Any]] = [
    {"service": "a", "kind": "CLIENT", "attributes": {"n": 1, "code": 200, "x": {"k": 1}}},
    {"service": "a", "kind": "SERVER", "attributes": {"n": 2.5, "code": "err", "x": {"k": 2}}},
    {"service": "b", "kind": "CLIENT", "attributes": {"n": "many", "code": 200, "y": {"k": 3}}},
    {"service": "b", "kind": "CLIENT", "attributes": {"n": 4, "code": "err"}},
    {"service": "b", "kind": "INTERNAL", "attributes": {"code": True}},
]

KINDS = "FOR kind IN ('CLIENT', 'SERVER')"
BELOW = "v FOR what IN (attributes.n, attributes.code)"
PARTS = "SELECT service, kind, attributes.n AS n, attributes.code AS code FROM spans"

CASES: list[tuple[str, list[tuple[Any, ...]]]] = [
    (
        f"SELECT * FROM spans PIVOT (count(*) {KINDS} GROUP BY service) ORDER BY service",
        [("a", 1, 1), ("b", 2, 0)],
    ),
    (f"SELECT * FROM spans PIVOT (count(*) {KINDS})", [(3, 1)]),
    (
        f"SELECT p.CLIENT, service FROM spans PIVOT (sum(attributes.n) {KINDS} GROUP BY service) AS p ORDER BY 2",
        [(1.0, "a"), (4.0, "b")],
    ),
    (
        "SELECT * FROM spans PIVOT (count(*) FOR attributes.code IN (200, 'err', true) GROUP BY service) ORDER BY 1",
        [("a", 1, 1, 0), ("b", 1, 1, 1)],
    ),
    (
        "SELECT * FROM spans PIVOT (max(attributes.n), count(*) FOR kind IN ('CLIENT') GROUP BY service) ORDER BY 1",
        [("a", 1, 1), ("b", "many", 2)],
    ),
    (
        f"WITH t AS ({PARTS}) SELECT * FROM (SELECT service, kind, n FROM t) PIVOT (sum(n) {KINDS}) ORDER BY service",
        [("a", 1.0, 2.5), ("b", 4.0, None)],
    ),
    (
        f"WITH t AS (SELECT service, kind, n FROM ({PARTS})) SELECT * FROM t PIVOT (sum(n) {KINDS}) ORDER BY service",
        [("a", 1.0, 2.5), ("b", 4.0, None)],
    ),
    (
        f"WITH t AS (SELECT service, code FROM ({PARTS})) PIVOT t ON code USING count(*) ORDER BY service",
        [("a", 1, 1, 0), ("b", 1, 1, 1)],
    ),
    (
        "PIVOT spans ON kind IN ('SERVER', 'CLIENT') USING sum(attributes.n) GROUP BY service ORDER BY service",
        [("a", 2.5, 1.0), ("b", None, 4.0)],
    ),
    ("PIVOT spans ON attributes.code IN ('err', 200) USING count(*)", [(2, 2)]),
    (
        "PIVOT spans ON kind IN ('CLIENT'), attributes.code IN ('err', 200) USING count(*)",
        [(1, 2)],
    ),
    ("PIVOT spans ON attributes.x.k USING sum(attributes.y.k), count(*)", [(None, 1, None, 1)]),
    (
        "PIVOT spans ON upper(attributes.code) USING count(*) GROUP BY attributes.n ORDER BY 1",
        [(1, 0), (2.5, 1), (4, 1), ("many", 0), (None, 0)],
    ),
    (
        f"SELECT service, what, v FROM spans UNPIVOT ({BELOW}) WHERE service = 'a' ORDER BY v",
        [("a", "n", 1), ("a", "n", 2.5), ("a", "code", 200), ("a", "code", "err")],
    ),
    (
        f"FROM (UNPIVOT (SELECT n, code AS c FROM ({PARTS}) LIMIT 2) ON COLUMNS(*) INTO NAME what VALUE v) ORDER BY 2",
        [("n", 1), ("n", 2.5), ("c", 200), ("c", "err")],
    ),
    (
        f"UNPIVOT (SELECT n, code FROM ({PARTS}) WHERE service = 'a') ON n, code INTO NAME what VALUE v ORDER BY v",
        [("n", 1), ("n", 2.5), ("code", 200), ("code", "err")],
    ),
]


@pytest.fixture(scope="module", params=STATES)
def store(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Store]:
    rows = [span(i, **row) for i, row in enumerate(ROWS)]
    with build(
        tmp_path_factory.mktemp("pivots") / "store", request.param, {"spans": rows}, pieces=2
    ) as made:
        yield made


@pytest.mark.parametrize(("sql", "right"), CASES, ids=[sql for sql, _ in CASES])
def test_what_stands_behind_a_table_is_pivoted(
    store: Store, sql: str, right: list[tuple[Any, ...]]
) -> None:
    assert [tuple(row.values()) for row in store.sql(sql).rows()] == right
