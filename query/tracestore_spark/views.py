"""What a query of Spark SQL names: views over files and over rows of the driver, and functions of kernels."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pyarrow as pa
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as sf
from pyspark.sql.pandas.functions import arrow_udf

from tracestore_query.spark.kernels import WORD_FUNCTIONS, object_function, word_function
from tracestore_query.spark.names import named
from tracestore_query.spark.query_text import SparkQuery
from tracestore_query.spark.scans import FILE, ROW, FileRead
from tracestore_spark.places import Places

_arrow_udf: Any = arrow_udf  # its stubs know functions of iterators alone


class Views:
    """What makes DataFrames of texts in one session.

    Args:
        spark: the session.
        places: where files are.
    """

    def __init__(self, spark: SparkSession, places: Places) -> None:
        self._spark = spark
        self._places = places
        for name in WORD_FUNCTIONS:
            spark.udf.register(name, _arrow_udf(word_function(name), "bigint"))

    def frame(self, query: SparkQuery) -> DataFrame:
        """Returns the answer of a query; what it names is forgotten again, since the DataFrame holds it."""
        for name, call in query.objects.items():
            self._spark.udf.register(name, _arrow_udf(object_function(call), "string"))
        for name, read in query.reads.items():
            self._files(read).createTempView(name)
        for name, table in query.tables.items():
            self._rows(table).createTempView(name)
        try:
            return self._spark.sql(query.sql)
        finally:
            self._forget([*query.reads, *query.tables])
            for name in query.objects:
                self._spark.sql(f"DROP TEMPORARY FUNCTION IF EXISTS {named(name)}")

    def _files(self, read: FileRead) -> DataFrame:
        """Returns the rows of files by a schema that is given: no footer is read for it, what a file lacks is NULL."""
        schema = ", ".join(f"{named(name)} {kind}" for name, kind in read.columns.items())
        # Folders have no meaning for the rows: days and projects are columns.
        reader = self._spark.read.schema(schema).option("recursiveFileLookup", "true")
        rows = reader.parquet(*self._places.urls(read))
        if not read.of_rows:
            return rows
        return rows.select(
            "*",
            sf.col("_metadata.file_name").alias(FILE),
            sf.col("_metadata.row_index").alias(ROW),
        )

    def _rows(self, table: pa.Table) -> DataFrame:
        return self._spark.createDataFrame(table)

    def _forget(self, names: Iterable[str]) -> None:
        for name in names:
            self._spark.catalog.dropTempView(name)
