"""What there is can be asked for, columns of one name are told apart, and PIVOT takes an order."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Iterator
from typing import Any

import pytest

from data.stores import STATES, build, log, span
from tracestore import Store
from tracestore.errors import QueryError
from tracestore_query.answer.formats import CSV, NDJSON, written


@pytest.fixture(scope="module", params=STATES)
def store(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Store]:
    rows = {
        "spans": [
            span(i, service=f"s{i % 2}", attributes={"k": "ab"[i % 2], "select": i, "l": ["x", i]})
            for i in range(6)
        ],
        "logs": [log(0)],
    }
    with build(tmp_path_factory.mktemp("around") / "store", request.param, rows, pieces=3) as made:
        yield made


def rows_of(store: Store, sql: str, parameters: Any = None) -> list[tuple[Any, ...]]:
    return [tuple(row.values()) for row in store.sql(sql, parameters).rows()]


def test_tables_are_shown_and_described(store: Store) -> None:
    shown = rows_of(store, "SHOW TABLES")
    assert {("spans",), ("logs",), ("traces",), ("experiments",)} <= set(shown)
    assert rows_of(store, "SELECT table_name FROM information_schema.tables ORDER BY 1") == shown
    for (table,) in shown:
        described = rows_of(store, f"DESCRIBE {table}")
        assert described == rows_of(store, f"DESCRIBE SELECT * FROM {table}")
        listed = rows_of(
            store,
            f"SELECT column_name, data_type FROM information_schema.columns WHERE table_name = '{table}' "
            "ORDER BY ordinal_position",
        )
        assert [name for name, *_ in described] == [name for name, _ in listed], table
        for (_, sql_type, *_), (name, told) in zip(described, listed, strict=True):
            # A variant is JSON, whatever its values are today.
            assert told in {None, "JSON", sql_type}, (table, name)
    assert ("events", "JSON", "YES", None, None, None) in rows_of(store, "DESCRIBE spans")


@pytest.mark.parametrize("sql", ["DESCRIBE nothing", "SHOW DATABASES", "SELECT * FROM main.spans"])
def test_what_is_not_ours_is_refused(store: Store, sql: str) -> None:
    with pytest.raises(QueryError):
        rows_of(store, sql)


def test_columns_of_one_name_are_told_apart(store: Store) -> None:
    columns = "name AS a, 1 AS a_1, service AS a, attributes AS b, attributes AS b"
    sql = f"SELECT {columns} FROM spans ORDER BY start_ns LIMIT 1"
    value = {"k": "a", "select": 0, "l": ["x", 0]}
    row = {"a": "op-0", "a_1": 1, "a_2": "s0", "b": value, "b_1": value}
    assert store.sql(sql).rows() == [row]
    assert [
        json.loads(line) for line in b"".join(written(store.query.sql(sql), NDJSON)).splitlines()
    ] == [row]
    assert (
        b"".join(written(store.query.sql(sql), CSV)).splitlines()[0] == b'"a","a_1","a_2","b","b_1"'
    )
    joined = "SELECT * FROM (SELECT name FROM spans) a, (SELECT name FROM spans) b LIMIT 1"
    assert list(store.sql(joined).rows()[0]) == ["name", "name_1"]


@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        (
            "PIVOT spans ON attributes.k USING count(*) GROUP BY service ORDER BY service DESC",
            [("s1", 0, 3), ("s0", 3, 0)],
        ),
        (
            "PIVOT spans ON attributes.k USING count(*) GROUP BY service ORDER BY service LIMIT 1",
            [("s0", 3, 0)],
        ),
        (
            "PIVOT spans ON attributes.k USING count(*) GROUP BY service ORDER BY a, 1",
            [("s1", 0, 3), ("s0", 3, 0)],
        ),
    ],
)
def test_pivot_takes_an_order(store: Store, sql: str, expected: list[tuple[Any, ...]]) -> None:
    assert rows_of(store, sql) == expected


@pytest.mark.parametrize(
    ("sql", "parameters", "expected"),
    [
        ("SELECT $a,$b", {"a": 1, "b": "x"}, [(1, "x")]),
        ("SELECT $a AS v GROUP BY ''", {"a": 1}, [(1,)]),
        ("SELECT count(*) FROM spans WHERE attributes.k IN $l", {"l": ["a", "z"]}, [(3,)]),
        ("SELECT count(*) FROM spans WHERE attributes.k = ANY($l)", {"l": ["a"]}, [(3,)]),
        (
            "SELECT count(*) FROM spans WHERE start_time > ?",
            [dt.datetime(2026, 1, 1, tzinfo=dt.UTC)],
            [(6,)],
        ),
        ("SELECT [x + 1 FOR x IN [1, 2] IF x > 1]", None, [([3],)]),
        (
            "SELECT [i FOR i IN attributes.l] FROM spans ORDER BY start_ns LIMIT 1",
            None,
            [(["x", 0],)],
        ),
        ("SELECT attributes.select FROM spans ORDER BY start_ns LIMIT 1", None, [(0,)]),
        ("SELECT attributes.l && ['x'] FROM spans ORDER BY start_ns LIMIT 1", None, [(True,)]),
        (
            (
                "SELECT count(*) FROM spans WHERE start_time < CURRENT_TIMESTAMP + INTERVAL 100 YEAR "
                "AND CURRENT_DATE > DATE '2020-01-01' AND localtimestamp IS NOT NULL AND current_time IS NOT NULL"
            ),
            None,
            [(6,)],
        ),
        ("SELECT DISTINCT typeof(events) FROM spans", None, [(None,)]),
    ],
)
def test_what_the_engine_can_is_not_refused(
    store: Store, sql: str, parameters: Any, expected: list[tuple[Any, ...]]
) -> None:
    assert rows_of(store, sql, parameters) == expected
