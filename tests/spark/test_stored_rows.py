"""Spark sees a store's rows as the store does: names, tails, later versions, deletes, patches, objects."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import tracestore
from data.stores import in_state, ndjson, span
from spark.answers import QUIET, STORED, alike, both
from tracestore import Store

pytestmark = [pytest.mark.filterwarnings(quiet) for quiet in QUIET]

ROWS = 120
QUERIES = (
    "SELECT span_id, name, attributes.number, attributes.model FROM spans",
    "SELECT span_id, attributes.rare.deep, attributes.rare.list FROM spans WHERE attributes.rare.deep IS NOT NULL",
    "SELECT span_id, attributes FROM spans WHERE attributes.number >= 3",
    "SELECT span_id, scores.judge, tags FROM spans WHERE scores.judge IS NOT NULL",
    "SELECT count(*), sum(attributes.number), max(scores.judge) FROM spans",
    'SELECT attributes."a.b:c `d`", attributes."Case", attributes."case" FROM spans WHERE attributes."a.b:c `d`" > 1',
    "SELECT * FROM spans ORDER BY span_id LIMIT 5",
    "SELECT span_count, name FROM traces",
)


def row(number: int, **more: Any) -> dict[str, Any]:
    attributes: dict[str, Any] = {"number": number, "model": f"m{number % 3}"}
    attributes |= {"a.b:c `d`": number / 2, "Case": number, "case": f"c{number}"}
    if number % 40 == 1:
        # Too rare for a column of its own.
        attributes["rare"] = {"deep": number, "list": [number, number + 1]}
    return span(number, attributes=attributes, **more)


@pytest.fixture(scope="module", params=STORED)
def store(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Store]:
    folder = tmp_path_factory.mktemp("late")
    rows = [row(number) for number in range(ROWS)]
    with tracestore.open(folder / "store", background=False, durability="async") as made:
        parts = [ndjson(rows[at : at + 30]) for at in range(0, ROWS, 30)]
        writes = [functools.partial(made.insert, "spans", part) for part in parts]
        in_state(made, request.param, writes)
        # What comes late: another version of a span, a delete and a patch.
        made.insert("spans", [row(7, name="again"), row(41, name="again")])
        made.flush()
        made.delete(trace_id=f"{3:032x}")
        for number in (0, 41, 90):
            made.patch(
                {
                    "trace_id": f"{number // 4 + 1:032x}",
                    "span_id": f"{number + 1:016x}",
                    "scores": {"judge": number / 100},
                    "tags": ["looked at"],
                }
            )
        yield made


@pytest.fixture(scope="module")
def connection(spark: Any, store: Store) -> Iterator[Any]:
    import tracestore_spark

    with tracestore_spark.connect(spark, store) as made:
        yield made


@pytest.mark.parametrize("sql", QUERIES)
def test_rows_are_those_of_the_store(sql: str, store: Store, connection: Any) -> None:
    ours, theirs = both(store, connection, sql)
    assert ours
    assert alike(ours, theirs)


def test_only_the_columns_that_a_query_names_are_read(spark: Any, stores: dict[str, Store]) -> None:
    import tracestore_spark

    with tracestore_spark.connect(spark, stores["one segment"]) as connection:
        frame = connection.sql("SELECT count(*) FROM spans WHERE attributes.ratio > 3")
    plan = frame._jdf.queryExecution().executedPlan().toString()
    schemas = {
        line.split("ReadSchema: ")[1] for line in plan.splitlines() if "ReadSchema: " in line
    }
    assert schemas
    columns = {name for schema in schemas for name in schema.split("<")[1].rstrip(">").split(",")}
    assert columns == {"attributes.ratio:f64:double"}


def test_a_folder_is_read_while_another_process_has_it(
    spark: Any, store: Store, connection: Any
) -> None:
    import tracestore_spark

    sql = "SELECT count(*) FROM spans"
    with tracestore_spark.connect(spark, store.folder) as reader:
        assert reader.sql(sql).collect() == connection.sql(sql).collect()


def test_an_integer_among_other_types_keeps_its_digits(tmp_path: Path, spark: Any) -> None:
    import tracestore_spark

    integers = [2**60 - 1, 2**60, 10**18, -(2**63), 2**64, 10**20, 1_764_300_000_000_000_000]
    values = [*({"n": n, "l": [n, "x"]} for n in integers), {"n": "text", "l": [True]}]
    sql = "SELECT attributes.n::VARCHAR AS n, attributes.l[0]::VARCHAR AS l FROM spans ORDER BY span_id"
    with tracestore.open(tmp_path / "store", background=False) as made:
        made.insert("spans", ndjson([span(i, attributes=each) for i, each in enumerate(values)]))
        made.flush()
        ours, theirs = both(made, tracestore_spark.connect(spark, made), sql)
    assert ours == theirs == [*([str(n), str(n)] for n in integers), ["text", "true"]]
