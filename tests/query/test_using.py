"""JOIN ... USING over paths: the columns compare by the rule for values, and are one column to the reader."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from data.stores import STATES, build, log, span
from tracestore import Store
from tracestore.errors import QueryError

SPANS: list[dict[str, Any]] = [
    {"input": {"q": 1, "r": "a"}, "attributes": {"k": 1, "t": "x"}},
    {"input": {"r": "a", "q": 1.0}, "attributes": {"k": "two", "t": "y"}},
    {"input": "text", "attributes": {"k": 3.5, "t": "z"}},
    {"attributes": {"t": "w"}},
]
LOGS: list[dict[str, Any]] = [
    {"attributes": {"k": 1.0, "n": 10}, "body": {"q": 1, "r": "a"}},
    {"attributes": {"k": "two", "n": 20}, "body": "text"},
    {"attributes": {"k": True, "n": 30}},
]
A = "(SELECT name, attributes.k AS k, attributes.t AS t FROM spans) a"
B = "(SELECT attributes.k AS k, attributes.n AS n FROM logs) b"
OF_SPANS = "(SELECT input AS o FROM spans WHERE input.q = 1) a"
OF_LOGS = "(SELECT body AS o FROM logs WHERE body IS NOT NULL) b"
IN_TIME = "(SELECT attributes.k AS k, start_time AS s, attributes.t AS t FROM spans)"

CASES: list[tuple[str, list[tuple[Any, ...]]]] = [
    # A variant column of two tables.
    (
        "SELECT a.name, b.name FROM spans a JOIN spans b USING (input) ORDER BY ALL",
        [("op-0", "op-0"), ("op-0", "op-1"), ("op-1", "op-0"), ("op-1", "op-1"), ("op-2", "op-2")],
    ),
    (
        "SELECT input.r AS r, count(*) AS n FROM spans a JOIN spans b USING (input) GROUP BY ALL ORDER BY ALL",
        [("a", 4), (None, 1)],
    ),
    ("SELECT count(*) FROM spans a JOIN spans b USING (input, name)", [(3,)]),
    ("SELECT input FROM spans a SEMI JOIN logs b USING (attributes)", []),
    # A path and its alias in a subquery, of other types there.
    (f"SELECT k, t, n FROM {A} JOIN {B} USING (k) ORDER BY ALL", [(1, "x", 10), ("two", "y", 20)]),
    (
        f"SELECT k, t, n FROM {A} LEFT JOIN {B} USING (k) ORDER BY t",
        [(None, "w", None), (1, "x", 10), ("two", "y", 20), (3.5, "z", None)],
    ),
    (
        f"SELECT k, t, n FROM {A} RIGHT JOIN {B} USING (k) ORDER BY n",
        [(1, "x", 10), ("two", "y", 20), (True, None, 30)],
    ),
    (
        f"SELECT k, t, n FROM {A} FULL JOIN {B} USING (k) ORDER BY k, t",
        [(1, "x", 10), (3.5, "z", None), ("two", "y", 20), (True, None, 30), (None, "w", None)],
    ),
    (
        f"SELECT k, count(*) AS c, sum(n) AS s FROM {A} FULL JOIN {B} USING (k) GROUP BY k ORDER BY k",
        [(1, 1, 10), (3.5, 1, None), ("two", 1, 20), (True, 1, 30), (None, 1, None)],
    ),
    (
        f"SELECT upper(k) AS u, k + 1 AS v FROM {A} FULL JOIN {B} USING (k) GROUP BY k ORDER BY k",
        [(None, 2), (None, 4.5), ("TWO", None), (None, None), (None, None)],
    ),
    (f"SELECT name FROM {A} SEMI JOIN {B} USING (k) ORDER BY 1", [("op-0",), ("op-1",)]),
    (f"SELECT name FROM {A} ANTI JOIN {B} USING (k) ORDER BY 1", [("op-2",), ("op-3",)]),
    (
        f"SELECT * FROM {A} JOIN {B} USING (k) ORDER BY ALL",
        [("op-0", 1, "x", 10), ("op-1", "two", "y", 20)],
    ),
    (
        f"SELECT * FROM {A} FULL JOIN {B} USING (k) ORDER BY k, t LIMIT 2",
        [("op-0", 1, "x", 10), ("op-2", 3.5, "z", None)],
    ),
    (f"SELECT a.k, b.k FROM {A} JOIN {B} USING (k) ORDER BY 1", [(1, 1), ("two", "two")]),
    (f"SELECT b.* FROM {A} JOIN {B} USING (k) ORDER BY 1", [(1, 10), ("two", 20)]),
    # Beside a table of the engine's own types.
    (
        f"SELECT k, t, w FROM {A} JOIN (VALUES (1, 'one'), (9, 'nine')) v(k, w) USING (k)",
        [(1, "x", "one")],
    ),
    (
        f"SELECT k, w FROM {A} RIGHT JOIN (VALUES ('two', 2), ('no', 0)) v(k, w) USING (k) ORDER BY w",
        [("no", 0), ("two", 2)],
    ),
    (f"SELECT k FROM {A} JOIN (SELECT unnest([1, 2]) AS k) v USING (k)", [(1,)]),
    # Objects inside a merged column.
    (
        f"SELECT o.q AS q, o.r AS r FROM {OF_SPANS} FULL JOIN {OF_LOGS} USING (o) ORDER BY ALL",
        [(1, "a"), (1, "a"), (None, None), (None, None)],
    ),
    # Of three, and in parentheses.
    (
        f"SELECT k, n, w FROM {A} JOIN {B} USING (k) JOIN (VALUES ('two', 2)) v(k, w) USING (k)",
        [("two", 20, 2)],
    ),
    (
        f"SELECT k, n FROM {A} FULL JOIN {B} USING (k) FULL JOIN (VALUES ('new')) v(k) USING (k) ORDER BY k, n",
        [(1, 10), (3.5, None), ("new", None), ("two", 20), (True, 30), (None, None)],
    ),
    (
        f"SELECT k, n, w FROM (VALUES (1, 'one')) v(k, w) JOIN ({A} JOIN {B} USING (k)) USING (k)",
        [(1, 10, "one")],
    ),
    (f"SELECT k, n FROM {A} NATURAL JOIN {B} ORDER BY ALL", [(1, 10), ("two", 20)]),
    # In conditions, windows and orders.
    (f"SELECT t FROM {A} JOIN {B} USING (k) WHERE k = 'two'", [("y",)]),
    (f"SELECT t FROM {A} FULL JOIN {B} USING (k) WHERE k > 1", [("z",)]),
    (
        f"SELECT k, rank() OVER (ORDER BY k) AS r FROM {A} FULL JOIN {B} USING (k) ORDER BY r, t",
        [(1, 1), (3.5, 2), ("two", 3), (True, 4), (None, 5)],
    ),
    (
        f"SELECT t FROM {A} JOIN {B} USING (k) WHERE EXISTS (SELECT 1 FROM logs l WHERE l.attributes.k = k)",
        [("x",), ("y",)],
    ),
    (
        f"SELECT a.t, b.t FROM {IN_TIME} a ASOF JOIN {IN_TIME} b USING (k, s) ORDER BY ALL",
        [("x", "x"), ("y", "y"), ("z", "z")],
    ),
    # Of fixed columns, and of a path that no row has.
    ("SELECT count(*) FROM spans a JOIN spans b USING (span_id)", [(4,)]),
    (
        "SELECT span_id IS NULL FROM spans a FULL JOIN logs b USING (span_id) WHERE a.name = 'op-0'",
        [(False,)],
    ),
    (
        f"SELECT count(*) FROM {A} JOIN (SELECT attributes.nothing AS k FROM logs) b USING (k)",
        [(0,)],
    ),
]


@pytest.fixture(scope="module", params=STATES)
def store(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Store]:
    rows = {
        "spans": [span(i, **row) for i, row in enumerate(SPANS)],
        "logs": [log(i, **row) for i, row in enumerate(LOGS)],
    }
    with build(tmp_path_factory.mktemp("using") / "store", request.param, rows, pieces=2) as made:
        yield made


def test_using_joins_by_values(store: Store) -> None:
    wrong = []
    for sql, expected in CASES:
        try:
            columns = store.sql(sql).arrow()
            rows = [tuple(row.values()) for row in store.sql(sql).rows()]
        except QueryError as error:
            columns, rows = None, [(str(error),)]
        if rows != expected:
            wrong.append(f"{sql}\n  got  {rows}\n  want {expected}\n{columns and columns.schema}")
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize(
    ("sql", "message"),
    [
        ("SELECT 1 FROM spans JOIN logs USING (nothing)", "spans has no column nothing for USING"),
        (
            f"SELECT 1 FROM {A}, {B} JOIN logs USING (attribute)",
            "b has no column attribute for USING",
        ),
        (
            f"SELECT 1 FROM {A} JOIN {B} ON true JOIN (VALUES (1)) v(k) USING (k)",
            "column k of USING is in a, b; write ON a.k = ...",
        ),
        (f"SELECT k FROM {A} JOIN {B} ON true", "column k is in a, b; write which: a.k"),
    ],
)
def test_a_column_of_using_that_is_missing_or_twice_is_named(
    tmp_path: Path, sql: str, message: str
) -> None:
    with build(tmp_path / "store", "memtable", {"spans": [span(0)], "logs": [log(0)]}) as made:
        with pytest.raises(QueryError) as raised:
            made.sql(sql)
        assert message in str(raised.value)
