"""`spark.read.format("tracestore")`: a table of a store, read by the store's own engine on the executors.

Each partition is a range of times, whose rows the engine reads as Arrow. What asks for more than rows of one table is
for `connect(...).sql(...)`, which Spark plans as a whole.
"""

from __future__ import annotations

import contextlib
import itertools
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
from pyspark.sql.datasource import DataSource, DataSourceReader, InputPartition
from pyspark.sql.pandas.types import from_arrow_schema
from pyspark.sql.types import StructType

import tracestore
from tracestore import Store
from tracestore.errors import QueryError
from tracestore_query.spark.engine_plan import EnginePlanner
from tracestore_query.tables.names import STORED

DEFAULT_PARTITIONS: Final = 8
"""Ranges of times that a table is read in where nothing else is asked: a few for each core of a small machine."""

_OPTIONS: Final = ("path", "catalog", "segments", "table", "columns", "where", "partitions")
_OF_ROWS: Final = frozenset({"LOGICAL_PROJECTION", "LOGICAL_FILTER", "LOGICAL_GET"})
"""Operators whose rows are rows of the one below."""

_EVER: Final = (-(2**63), 2**63 - 1)


@dataclass
class TimeRange(InputPartition):
    """One partition: the rows whose times are in [start, stop), in nanoseconds since 1970."""

    start_ns: int
    stop_ns: int


class TraceStoreSource(DataSource):
    """A data source of Spark, for `spark.dataSource.register`.

    Options: `path`, or `catalog` and `segments`, say where the store is, `table` which table (default `spans`),
    `columns` what is selected (default `*`), `where` a condition, `partitions` in how many ranges of times it is read.
    """

    @classmethod
    def name(cls) -> str:
        """Returns the name of the format."""
        return "tracestore"

    def schema(self) -> StructType:
        """Returns the columns of what is selected."""
        options = checked(self.options)
        sql = text(options)
        with opened(options) as store:
            require_rows(store, sql)
            with store.sql(f"{sql} LIMIT 0", timeout_s=None) as answer:
                return from_arrow_schema(answer.arrow().schema)

    def reader(self, schema: StructType) -> DataSourceReader:  # noqa: ARG002 - Spark gives it
        """Returns what reads the partitions."""
        return _Reader(checked(self.options))


class _Reader(DataSourceReader):
    def __init__(self, options: Mapping[str, str]) -> None:
        self._options = dict(options)

    def partitions(self) -> Sequence[InputPartition]:
        """Returns ranges of times that hold about the same number of segments each."""
        wanted = int(self._options.get("partitions", DEFAULT_PARTITIONS))
        table = self._options.get("table", "spans")
        with opened(self._options) as store, store.snapshot((table,)) as snapshot:
            starts = sorted(segment.min_time_ns for segment in snapshot.tables[table].segments)
        step = max(1, -(-len(starts) // wanted))
        bounds = [_EVER[0], *dict.fromkeys(starts[step::step]), _EVER[1]]
        return [TimeRange(start, stop) for start, stop in itertools.pairwise(bounds)]

    def read(self, partition: InputPartition) -> Iterator[pa.RecordBatch]:
        """Yields the rows of a partition as Arrow."""
        assert isinstance(partition, TimeRange)
        column = STORED[self._options.get("table", "spans")].time_ns_column
        within = f"{column} >= {partition.start_ns} AND {column} < {partition.stop_ns}"
        with (
            opened(self._options) as store,
            store.sql(text(self._options, within), timeout_s=None) as answer,
        ):
            yield from answer.arrow().to_batches()


def checked(options: Mapping[str, str]) -> dict[str, str]:
    """Returns the options of a read.

    Raises:
        QueryError: where one is none of ours, or the table has no times.
    """
    given = {name.lower(): value for name, value in options.items()}
    unknown = sorted(given.keys() - set(_OPTIONS))
    if unknown:
        raise QueryError(
            f"cannot read store: no option {unknown[0]}; options are {', '.join(_OPTIONS)}"
        )
    table = given.get("table", "spans")
    if table not in STORED or STORED[table].time_ns_column is None:
        raise QueryError(
            f"cannot read store: no table {table} of rows with times; use spans or logs"
        )
    return given


def require_rows(store: Store, sql: str) -> None:
    """Refuses a query whose rows are no rows of its table: partitions are asked each on its own.

    Raises:
        QueryError: where the query groups, orders, joins or cuts rows.
    """
    planner = EnginePlanner()
    try:
        with store.query.plan_elsewhere(sql) as foreign:
            nodes = [planner.plan(foreign.plan, foreign.values).root]
    finally:
        planner.close()
    for node in nodes:
        if node["type"] not in _OF_ROWS:
            raise QueryError(
                "cannot read store: what is selected is no row of the table; "
                "ask tracestore_spark.connect(...).sql(...)"
            )
        nodes += node.get("children", ())


def text(options: Mapping[str, str], within: str = "true") -> str:
    """Returns the query of a read."""
    table, columns = options.get("table", "spans"), options.get("columns", "*")
    return f"SELECT {columns} FROM {table} WHERE ({options.get('where', 'true')}) AND ({within})"  # noqa: S608 - checked and bound like any text


@contextlib.contextmanager
def opened(options: Mapping[str, str]) -> Iterator[Store]:
    """Gives the store of a read."""
    with tempfile.TemporaryDirectory(prefix="tracestore-spark-") as cache:
        catalog: Any = options.get("catalog")
        if catalog is not None:
            catalog = catalog.replace("postgresql://", "postgresql+psycopg://", 1)
        with tracestore.open(
            Path(options.get("path", cache)),
            "r",
            create=False,
            catalog_url=catalog,
            segments_url=options.get("segments"),
        ) as store:
            yield store
