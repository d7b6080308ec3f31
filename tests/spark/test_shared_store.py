"""A store whose catalog is in PostgreSQL and whose segments are in a bucket is read by Spark from there."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import tracestore
from data.stores import ndjson, span
from spark.answers import QUIET
from store import servers
from tracestore.errors import StoreFailedError

pytestmark = [pytest.mark.filterwarnings(quiet) for quiet in QUIET]


def test_a_catalog_and_a_bucket_are_enough(spark: Any, tmp_path: Path) -> None:
    import tracestore_spark

    with servers.postgres() as catalog, servers.s3(tmp_path / "s3") as segments:
        url = catalog.replace("postgresql://", "postgresql+psycopg://")
        with tracestore.open(
            tmp_path / "node", background=False, catalog_url=url, segments_url=segments
        ) as store:
            for first in (0, 40):
                store.insert("spans", ndjson(span(number) for number in range(first, first + 40)))
                store.flush()
            sql = "SELECT attributes.model AS model, count(*) AS n FROM spans GROUP BY ALL ORDER BY model"
            with store.sql(sql) as answer:
                ours = [tuple(row.values()) for row in answer.rows()]
        with tracestore_spark.connect(spark, catalog, segments=segments) as connection:
            assert [tuple(row) for row in connection.sql(sql).collect()] == ours


def test_executors_without_a_file_system_for_the_bucket_are_told_of() -> None:
    pytest.importorskip("pyspark")
    from tracestore_spark.places import Places

    class Context:
        master = "spark://elsewhere:7077"

        class _jvm:  # noqa: N801 - as PySpark names it
            class java:  # noqa: N801 - as Java does
                class lang:  # noqa: N801 - as Java does
                    class Class:
                        @staticmethod
                        def forName(name: str) -> None:  # noqa: N802 - as Java does
                            raise RuntimeError(f"java.lang.ClassNotFoundException: {name}")

    class Session:
        sparkContext = Context()  # noqa: N815 - as PySpark names it

    session: Any = Session()
    with pytest.raises(StoreFailedError, match="hadoop-aws"):
        Places.of(session, "s3://bucket/prefix")
