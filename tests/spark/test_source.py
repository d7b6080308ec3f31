"""`spark.read.format("tracestore")` reads the rows of a table, each once, in as many parts as are asked for."""

from __future__ import annotations

from typing import Any

import pytest

from spark.answers import QUIET
from tracestore import Store
from tracestore.errors import QueryError

pytestmark = [pytest.mark.filterwarnings(quiet) for quiet in QUIET]


def test_rows_come_once_in_several_partitions(spark: Any, stores: dict[str, Store]) -> None:
    import tracestore_spark

    spark.dataSource.register(tracestore_spark.TraceStoreSource)
    store = stores["many segments"]
    frame = (
        spark.read.format("tracestore")
        .option("path", str(store.folder))
        .option("columns", "span_id, attributes.tokens AS tokens, start_time, attributes")
        .option("where", "kind = 'CLIENT'")
        .option("partitions", 3)
        .load()
    )
    assert frame.rdd.getNumPartitions() == 3
    with store.sql(
        "SELECT span_id, attributes.tokens AS tokens, start_time, attributes FROM spans WHERE kind = 'CLIENT'"
    ) as answer:
        ours = answer.arrow().sort_by("span_id").to_pylist()
    theirs = frame.toArrow().sort_by("span_id").to_pylist()
    assert ours == theirs


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"columns": "count(*)"}, "no row of the table"),
        ({"where": "span_id IN (SELECT span_id FROM logs)"}, "no row of the table"),
        ({"table": "traces"}, "no table traces"),
        ({"colums": "name"}, "no option colums"),
    ],
)
def test_what_is_no_row_of_a_table_is_refused(
    stores: dict[str, Store], options: dict[str, str], said: str
) -> None:
    pytest.importorskip("pyspark")
    import tracestore_spark

    given = {"path": str(stores["one segment"].folder), **options}
    with pytest.raises(QueryError, match=said):
        tracestore_spark.TraceStoreSource(given).schema()
