"""Spark reads of the files what a query names: by its own metrics, not by what its plan says."""

from __future__ import annotations

import base64
import random
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

import tracestore
from data.stores import ndjson, span
from spark.answers import QUIET
from tracestore import Store

pytestmark = [pytest.mark.filterwarnings(quiet) for quiet in QUIET]

ROWS = 2_000
SEGMENTS = 2
WORDS_BYTES = 1_000
"""Of each row in the wide column: bytes that no codec makes smaller."""

OPENED_BYTES = 160 * 1024
"""Read of a file beside columns, at most."""

NUMBER, MODEL, WIDE = "attributes.number:i64", "attributes.model:str", "attributes.wide:str"


@pytest.fixture(scope="module")
def wide(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    """Gives a store of which one column holds nearly all bytes."""
    draw = random.Random(3)
    with tracestore.open(
        tmp_path_factory.mktemp("wide") / "store", background=False, durability="async"
    ) as store:
        for first in range(0, ROWS, ROWS // SEGMENTS):
            rows = [
                span(
                    number,
                    attributes={
                        "number": draw.randrange(10**12),
                        "model": f"m{number % 3}",
                        "wide": base64.b64encode(draw.randbytes(WORDS_BYTES)).decode(),
                    },
                )
                for number in range(first, first + ROWS // SEGMENTS)
            ]
            store.insert("spans", ndjson(rows))
            store.flush()
        yield store


@pytest.fixture(scope="module")
def connection(spark: Any, wide: Store) -> Iterator[Any]:
    import tracestore_spark

    with tracestore_spark.connect(spark, wide) as made:
        yield made


def files(store: Store) -> list[Path]:
    """Returns the files of the rows of spans."""
    with store.snapshot(("spans",)) as snapshot:
        return [Path(segment.uri) for segment in snapshot.tables["spans"].segments]


def column_bytes(paths: Sequence[Path], *names: str) -> int:
    """Returns the bytes that columns take in files, and with no name those of all columns."""
    return sum(
        chunk.total_compressed_size
        for path in paths
        for group in _groups(path)
        for chunk in map(group.column, range(group.num_columns))
        if not names or chunk.path_in_schema.split(".list.")[0] in names
    )


def _groups(path: Path) -> Iterator[Any]:
    footer = pq.read_metadata(path)
    return (footer.row_group(at) for at in range(footer.num_row_groups))


GROUP = "SELECT attributes.model AS m, max(attributes.number) AS n FROM spans GROUP BY ALL"
JOIN = (
    "WITH b AS (SELECT attributes.model AS m FROM spans WHERE attributes.number > 7 GROUP BY ALL) "
    "SELECT count(*) AS n FROM spans s JOIN b ON s.attributes.model = b.m"
)


@pytest.mark.parametrize(
    ("sql", "columns"),
    [
        ("SELECT sum(attributes.number)::BIGINT AS n FROM spans", {NUMBER}),
        (GROUP, {MODEL, NUMBER}),
        (JOIN, {MODEL, NUMBER}),
        ("SELECT max(length(attributes.wide)) AS n FROM spans", {WIDE}),
    ],
    ids=["a number", "a group", "a join", "the wide one"],
)
def test_tasks_read_the_bytes_of_the_columns_that_a_query_names(
    sql: str, columns: set[str], wide: Store, connection: Any
) -> None:
    from spark.reading import collected

    rows, reading = collected(connection.sql(sql))
    paths = files(wide)
    assert rows
    assert reading.columns == columns
    assert all(scan.files == SEGMENTS and scan.rows == ROWS for scan in reading.scans)
    assert reading.rows == ROWS * len(reading.scans)
    named = sum(column_bytes(paths, *scan.columns) for scan in reading.scans)
    # A task reads footers, too, and as much at once as its buffer holds.
    beside = OPENED_BYTES * SEGMENTS * len(reading.scans)
    assert named <= reading.bytes <= named + beside
    assert WIDE in columns or reading.bytes < column_bytes(paths, WIDE) / 3


def test_a_segment_without_the_time_is_not_opened(connection: Any) -> None:
    from spark.reading import collected

    first = span(0)["start_ns"]
    sql = f"SELECT count(attributes.number) AS n FROM spans WHERE start_ns < {first + 10_000_000}"
    rows, reading = collected(connection.sql(sql))
    assert [tuple(row) for row in rows] == [(10,)]
    assert [scan.files for scan in reading.scans] == [1]
    assert reading.columns == {NUMBER, "start_ns"}
