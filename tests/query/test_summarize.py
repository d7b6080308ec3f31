"""SUMMARIZE tells of each column of a query what plain DuckDB tells; PIVOT statements stand wherever a query may."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import duckdb
import pytest

from data.stores import STATES, build, span
from tracestore import Store

ROWS: list[dict[str, Any]] = [
    {"a": 1, "t": "x", "d": 0.5, "b": True, "m": 3},
    {"a": 2, "t": "y", "d": 1.5, "b": False, "m": "s"},
    {"a": 3, "t": None, "d": 2.5, "m": [1]},
    {"a": 6, "t": "x", "d": 8.0, "b": True, "m": 4},
]


@pytest.fixture(scope="module", params=STATES)
def store(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Store]:
    rows = [span(i, attributes=attributes) for i, attributes in enumerate(ROWS)]
    with build(
        tmp_path_factory.mktemp("summary") / "store", request.param, {"spans": rows}, pieces=2
    ) as made:
        yield made


@pytest.fixture(scope="module")
def plain() -> Iterator[duckdb.DuckDBPyConnection]:
    connection = duckdb.connect()
    connection.execute("CREATE TABLE r (a BIGINT, t VARCHAR, d DOUBLE, b BOOLEAN)")
    for row in ROWS:
        connection.execute(
            "INSERT INTO r VALUES (?, ?, ?, ?)", [row.get(name) for name in ("a", "t", "d", "b")]
        )
    yield connection
    connection.close()


def test_a_summary_is_that_of_plain_duckdb(store: Store, plain: duckdb.DuckDBPyConnection) -> None:
    ours = store.sql(
        "SUMMARIZE SELECT attributes.a, attributes.t, attributes.d, attributes.b FROM spans WHERE start_ns > $low",
        {"low": 0},
    )
    want = plain.sql("SUMMARIZE SELECT * FROM r")
    rows = [tuple(row.values()) for row in ours.rows()]
    assert list(ours.rows()[0]) == want.columns
    assert rows == want.fetchall()


def test_a_summary_of_values_of_several_kinds(store: Store) -> None:
    (row,) = store.sql("SUMMARIZE SELECT attributes.m FROM spans").rows()
    told = [row[name] for name in ("column_name", "column_type", "min", "max", "avg", "count")]
    assert told == ["m", "JSON", "3", "[1]", "3.5", 4]


def test_a_summary_of_a_table_has_a_row_for_each_column(store: Store) -> None:
    names = [row["column_name"] for row in store.sql("SUMMARIZE spans").rows()]
    assert names == [row["column_name"] for row in store.sql("DESCRIBE spans").rows()]


PIVOT = "PIVOT spans ON attributes.t USING sum(attributes.a)"


@pytest.mark.parametrize(
    "sql",
    [
        f"WITH p AS ({PIVOT}) SELECT x, y FROM p",
        f"SELECT p.x, p.y FROM ({PIVOT}) p",
        f"WITH p AS ({PIVOT}), q AS (SELECT x, y FROM p) SELECT * FROM q WHERE x > 0",
        f"SELECT a.x, b.y FROM ({PIVOT}) a, ({PIVOT}) b",
    ],
)
def test_a_pivot_inside_of_a_query(store: Store, sql: str) -> None:
    assert [[float(each) for each in row.values()] for row in store.sql(sql).rows()] == [[7.0, 2.0]]
