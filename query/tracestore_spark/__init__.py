"""The SQL of a store, run by Spark: `connect(spark, store).sql(...)` gives a DataFrame."""

from tracestore_query.errors import SparkRefusedError
from tracestore_spark.connection import Connection, connect
from tracestore_spark.source import TraceStoreSource

__all__ = ["Connection", "SparkRefusedError", "TraceStoreSource", "connect"]
