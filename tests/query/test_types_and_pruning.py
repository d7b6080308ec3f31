"""The type of a path, and so what a query makes of its values, does not depend on which segments are read."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

import tracestore
from data.stores import span
from tracestore_query import Query

START_NS = 1_790_000_000_000_000_000
HOUR_NS = 3600 * 10**9
ROWS_OF_HOUR = 20

VALUES: dict[str, list[Any]] = {
    "mixed": [1, "a", None, 2.5, [1], {"k": 1}, True],
    "number": [1, 2.5, None, 3, 4.25, None, 7],
    "text": ["a", None, "b", None, None, "c", "d"],
    "lists": [[1], ["a"], [], [2.5], [1, "a"], None, [True]],
    "rare": [None, None, None, None, 5, "x", None],
}
HOURS = range(7)
EXPRESSIONS = (
    *("{}", "typeof({})", "{} + 1", "{} IS NULL", "coalesce({}, 'none')", "{}::VARCHAR"),
    *("[{}]", "max({}) OVER ()", "{} > 1", "concat({}, '!')"),
)


@pytest.fixture(scope="module")
def hourly(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Query, Query]]:
    """Gives queries with and without shortcuts over a store of a segment an hour, each with values of its own."""
    with tracestore.open(tmp_path_factory.mktemp("hourly") / "store", background=False) as store:
        for hour in HOURS:
            attributes = {name: values[hour] for name, values in VALUES.items()}
            if attributes["rare"] is None:
                del attributes["rare"]
            rows = [
                span(
                    hour * ROWS_OF_HOUR + i,
                    start_ns=START_NS + hour * HOUR_NS + i,
                    attributes=attributes,
                )
                for i in range(ROWS_OF_HOUR)
            ]
            store.insert("spans", rows)
            store.flush()
        plain = Query(store, shortcuts=False)
        yield store.query, plain
        plain.close()


@pytest.mark.parametrize("name", VALUES)
def test_a_range_of_time_changes_no_type_and_no_value(
    hourly: tuple[Query, Query], name: str
) -> None:
    items = ", ".join(
        f"{expression.format(f'attributes.{name}')} AS c{i}"
        for i, expression in enumerate(EXPRESSIONS)
    )
    pruning, plain = hourly
    whole = f"SELECT {items} FROM spans"
    types = [row["column_type"] for row in pruning.sql(f"DESCRIBE {whole}").rows()]
    for hour in HOURS:
        low = START_NS + hour * HOUR_NS
        sql = f"{whole} WHERE start_ns >= {low} AND start_ns < {low + HOUR_NS} ORDER BY start_ns"
        answer = pruning.sql(sql)
        assert answer.stats.segments_pruned > 0
        described = pruning.sql(f"DESCRIBE {sql}").rows()
        assert [row["column_type"] for row in described] == types
        assert answer.rows() == plain.sql(sql).rows()


def test_a_column_of_nulls_alone_has_the_type_of_the_others(hourly: tuple[Query, Query]) -> None:
    sql = f"DESCRIBE SELECT attributes.text AS t FROM spans WHERE start_ns = {START_NS + HOUR_NS}"
    assert [row["column_type"] for row in hourly[0].sql(sql).rows()] == ["VARCHAR"]


def test_a_place_that_takes_one_kind_reads_no_other(hourly: tuple[Query, Query]) -> None:
    def read(sql: str) -> str:
        steps = {row["step"]: row["detail"] for row in hourly[0].sql(f"EXPLAIN {sql}").rows()}
        return str(steps["leaf columns"]).replace("attributes.mixed:", "")

    count = "SELECT count(*) FROM spans WHERE attributes.mixed"
    assert set(read(f"{count} > 1").split(", ")) <= {"i64", "f64", "json"}
    assert read(f"{count} = 'a'") == "str"
    assert read(f"{count}") == "bool"
    assert len(read("SELECT max(attributes.mixed) FROM spans").split(", ")) > 4
