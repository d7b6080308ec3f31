"""Every query of tests/sql/*.test, in four states of a store, against plain DuckDB over the JSON itself."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pytest

import tracestore_query
from data.stores import STATES, build
from sql import oracle, sql_rows, sqllogic
from sql.sqllogic import Record
from tracestore import Store
from tracestore.errors import QueryError

FOLDER = Path(__file__).parent
RECORDS = [record for path in sorted(FOLDER.glob("*.test")) for record in sqllogic.read(path)]

_LETTER = (
    ("I", re.compile(r"U?(TINY|SMALL|BIG|HUGE)?INT(EGER)?")),
    ("R", re.compile(r"DOUBLE|FLOAT|DECIMAL.*")),
    ("L", re.compile(r".*\[\]|.*\[\d+\]")),
    ("J", re.compile(r"JSON")),
    ("T", re.compile(r"VARCHAR|BLOB|UUID|INTERVAL|STRUCT.*|MAP.*")),
    ("B", re.compile(r"BOOLEAN")),
    ("D", re.compile(r"DATE|TIME.*")),
)


@pytest.fixture(scope="session")
def stores(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Store]]:
    rows = {"spans": sql_rows.spans(), "logs": sql_rows.logs()}
    made = {state: build(tmp_path_factory.mktemp("sql") / "store", state, rows) for state in STATES}
    yield made
    for store in made.values():
        store.close()


@pytest.fixture(scope="session")
def plain() -> duckdb.DuckDBPyConnection:
    return oracle.oracle({"spans": sql_rows.spans(), "logs": sql_rows.logs()})


def test_the_states_are_what_they_are_called(stores: dict[str, Store]) -> None:
    stats = {state: store.stats() for state, store in stores.items()}
    assert stats["memtable"].segments == 0
    assert stats["many segments"].segments > stats["compacted"].segments > 0
    for state in ("one segment", "many segments", "compacted"):
        assert stats[state].memory_rows == 0


@pytest.mark.parametrize("record", RECORDS, ids=[record.place for record in RECORDS])
def test_query(record: Record, stores: dict[str, Store], plain: duckdb.DuckDBPyConnection) -> None:
    if record.error is not None:
        name, text = record.error
        expected: type[QueryError] = getattr(tracestore_query, name)
        for store in stores.values():
            with pytest.raises(expected, match=text):
                store.sql(record.sql).rows()
        return
    wanted = record.rows
    if record.oracle is not None:
        found = plain.execute(record.oracle)
        types = [str(column[1]) for column in found.description]
        by_oracle = [_row(row, types) for row in found.fetchall()]
        if wanted is not None:
            assert _same(by_oracle, wanted, record.sort), (
                f"{record.place}: the oracle says {by_oracle}"
            )
        wanted = by_oracle
    assert wanted is not None
    for state, store in stores.items():
        with store.sql(record.sql) as result:
            table = result.arrow()
        columns = [column.to_pylist() for column in table.columns]
        rows = [_row(row, result.types) for row in zip(*columns, strict=True)]
        letters = "".join(_letter(kind) for kind in result.types)
        assert letters == record.types, f"{record.place}, {state}: columns are {result.types}"
        assert _same(rows, wanted, record.sort), (
            f"{record.place}, {state}:\n got {rows[:40]}\nwant {wanted[:40]}"
        )


def _letter(sql_type: str) -> str:
    return next(letter for letter, pattern in _LETTER if pattern.fullmatch(sql_type))


def _row(row: tuple[Any, ...], types: list[str]) -> list[Any]:
    return [_value(value, kind) for value, kind in zip(row, types, strict=True)]


def _value(value: Any, kind: str) -> Any:
    if value is None:
        return None
    if kind == "JSON":
        return json.loads(value)
    if kind == "JSON[]":
        return [None if item is None else json.loads(item) for item in value]
    if isinstance(value, Decimal):
        return float(value)
    if isinstance(value, list | dict | str | int | float | bool):
        return value
    return str(value.isoformat() if hasattr(value, "isoformat") else value)


def _same(left: list[list[Any]], right: list[list[Any]], sort: str) -> bool:
    if sort == "rowsort":
        left, right = sorted(left, key=_key), sorted(right, key=_key)
    return len(left) == len(right) and all(map(_alike, left, right))


def _key(row: list[Any]) -> str:
    # Numbers that differ by rounding must sort alike.
    return json.dumps([_rounded(value) for value in row], sort_keys=True, default=str)


def _rounded(value: Any) -> Any:
    if isinstance(value, float | int) and not isinstance(value, bool):
        return f"{value:.9g}"
    if isinstance(value, list):
        return [_rounded(item) for item in value]
    if isinstance(value, dict):
        return {key: _rounded(item) for key, item in value.items()}
    return value


def _alike(left: Any, right: Any) -> bool:
    if isinstance(left, bool) or isinstance(right, bool):
        return left is right
    if isinstance(left, int | float) and isinstance(right, int | float):
        return left == right or math.isclose(left, right, rel_tol=1e-9, abs_tol=1e-12)
    if isinstance(left, list) and isinstance(right, list):
        return len(left) == len(right) and all(map(_alike, left, right))
    if isinstance(left, dict) and isinstance(right, dict):
        return left.keys() == right.keys() and all(_alike(left[key], right[key]) for key in left)
    return bool(left == right)
