"""Many paths in one query, and objects of many keys: what they cost grows with their number, and no faster."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

import tracestore

FEW, MANY = 250, 1000
MOST_GROWTH = 1.5 * MANY / FEW


def calls_of(work: Callable[[], object]) -> int:
    """Returns how many calls of functions, of Python and of C, some work makes."""
    count = 0

    def note(_frame: object, event: str, _argument: object) -> None:
        nonlocal count
        count += event in {"call", "c_call"}

    sys.setprofile(note)
    try:
        work()
    finally:
        sys.setprofile(None)
    return count


@pytest.mark.parametrize(
    "item",
    [
        "attributes.k{}",
        "attributes.k{} AS c{}",
        "attributes.k{}::VARCHAR AS c{}",
        "coalesce(attributes.k{}, 0) AS c{}",
        "attributes AS c{}",
    ],
)
def test_planning_grows_with_the_number_of_paths(tmp_path: Path, item: str) -> None:
    rows = [{"name": f"n{i}", "attributes": {f"k{j}": j for j in range(MANY)}} for i in range(2)]
    with tracestore.open(tmp_path / "store", background=False) as store:
        store.insert("spans", rows)
        store.flush()

        def cost(paths: int) -> int:
            items = ", ".join(item.replace("{}", str(j)) for j in range(paths))
            return calls_of(lambda: store.sql(f"EXPLAIN SELECT {items} FROM spans").rows())

        cost(2)
        assert cost(MANY) < MOST_GROWTH * cost(FEW)


def test_names_behind_an_index_are_looked_for_in_one_call(tmp_path: Path) -> None:
    names = "content.body.parts[0].text.value.raw.data"
    item = {"content": {"body": {"parts": [{"text": {"value": {"raw": {"data": "x"}}}}]}}}
    with tracestore.open(tmp_path / "store", background=False) as store:
        store.insert("spans", [{"input": {"m": [item]}}])
        sql = f"SELECT count(*) AS n FROM spans WHERE input.m[0].{names} = 'x'"
        assert store.sql(sql).rows() == [{"n": 1}]
        explained = {
            row["step"]: row["detail"] for row in store.sql(f"EXPLAIN ANALYZE {sql}").rows()
        }
        # However many ways there are to join the names; the type of what is found is another call.
        assert explained["engine sql"].lower().count("json_extract(") <= 2
