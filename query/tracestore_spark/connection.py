"""A store behind a Spark session: texts of SQL in, DataFrames out. Composition: knows the store and the query layer."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Collection
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from pyspark.sql import DataFrame, SparkSession

import tracestore
from tracestore import Store
from tracestore_query.language.parameters import Parameters
from tracestore_query.spark.engine_plan import EnginePlanner
from tracestore_query.spark.query_text import SparkQuery, spark_query
from tracestore_spark.places import Places
from tracestore_spark.session import own_session
from tracestore_spark.views import Views


class Connection:
    """A store that Spark reads. A context manager.

    Files that its DataFrames read stay until it is closed, whatever the store does with them.

    Attributes:
        spark: the session that runs its queries: of the same application as the one it was given, with
            settings of its own.
    """

    def __init__(self, spark: SparkSession, store: Store, places: Places) -> None:
        self.spark = own_session(spark)
        self._store = store
        self._views = Views(self.spark, places)
        self._planner = EnginePlanner()
        self._held = contextlib.ExitStack()

    def sql(
        self, sql: str, params: Parameters = None, *, projects: Collection[str] | None = None
    ) -> DataFrame:
        """Returns the answer of a SELECT as a DataFrame; Spark reads nothing before that is asked for.

        Args:
            sql: the text, in the store's SQL.
            params: values of its parameters, in a list or by name.
            projects: the projects it may see, None for all.

        Raises:
            SparkRefusedError: naming what Spark has no equal of.
            QueryError: saying what else is wrong with the text.
        """
        return self._views.frame(self._query(sql, params, projects))

    def explain(
        self, sql: str, params: Parameters = None, *, projects: Collection[str] | None = None
    ) -> str:
        """Returns the text of Spark SQL that a query becomes."""
        return self._query(sql, params, projects).sql

    def _query(self, sql: str, params: Parameters, projects: Collection[str] | None) -> SparkQuery:
        foreign = self._held.enter_context(
            self._store.query.plan_elsewhere(sql, params, projects=projects)
        )
        return spark_query(foreign.plan, self._planner.plan(foreign.plan, foreign.values))

    def close(self) -> None:
        """Releases the files that its DataFrames read. The session stays."""
        self._held.close()
        self._planner.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


class _OwnedConnection(Connection):
    """A connection to a store that it opened, and closes."""

    def __init__(
        self, spark: SparkSession, store: Store, places: Places, resources: contextlib.ExitStack
    ) -> None:
        super().__init__(spark, store, places)
        self._resources = resources

    def close(self) -> None:
        """Closes the store, too."""
        super().close()
        self._resources.close()


def connect(
    spark: SparkSession, source: str | Path | Store, *, segments: str | None = None, **settings: Any
) -> Connection:
    """Returns a connection to a store.

    Args:
        spark: a session; the connection runs its queries in one beside it, of the same application.
        source: the store's folder, the URL of its catalog (`postgresql://…`), or an open store.
        segments: where segments live, e.g. `s3://bucket/prefix`; with the URL of a catalog.
        settings: what `tracestore.open` takes, too.

    Raises:
        StoreMissingError: where there is nothing to read.
    """
    if isinstance(source, Store):
        return Connection(spark, source, Places.of(spark, source.settings.segments_url))
    resources = contextlib.ExitStack()
    with contextlib.ExitStack() as opening:
        folder = Path(source)
        catalog = None
        if "://" in str(source):
            catalog = str(source).replace("postgresql://", "postgresql+psycopg://", 1)
            folder = Path(
                opening.enter_context(tempfile.TemporaryDirectory(prefix="tracestore-spark-"))
            )
        store = opening.enter_context(
            tracestore.open(
                folder, "r", create=False, catalog_url=catalog, segments_url=segments, **settings
            )
        )
        resources = opening.pop_all()
    return _OwnedConnection(spark, store, Places.of(spark, store.settings.segments_url), resources)
