"""The session that runs a connection's queries: settings under which both engines mean the same."""

from __future__ import annotations

from typing import Final

from pyspark.sql import SparkSession

_SETTINGS: Final = {
    # Errors instead of NULL, as the engine has it.
    "spark.sql.ansi.enabled": "true",
    "spark.sql.session.timeZone": "UTC",
    # Names of leaf columns may differ in case alone.
    "spark.sql.caseSensitive": "true",
    "spark.sql.timestampType": "TIMESTAMP_LTZ",
    "spark.sql.execution.arrow.pyspark.enabled": "true",
    # NULL joined to nothing is a cross product that the query asks for.
    "spark.sql.crossJoin.enabled": "true",
    "spark.sql.groupByOrdinal": "false",
    "spark.sql.orderByOrdinal": "false",
}


def own_session(spark: SparkSession) -> SparkSession:
    """Returns a session beside one that is given: of the same application, with settings of its own."""
    session = spark.newSession()
    for name, value in _SETTINGS.items():
        session.conf.set(name, value)
    return session
