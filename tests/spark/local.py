"""A real Spark in one process of this machine, which ends with the block: for tests, and for what is measured."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from pyspark import SparkContext
from pyspark.sql import SparkSession

QUERY: Final = Path(__file__).resolve().parents[2] / "query"

_LOCAL: Final = {"SPARK_LOCAL_IP": "127.0.0.1", "SPARK_LOCAL_HOSTNAME": "localhost"}
"""Where the machine's name does not resolve Spark waits minutes for its address."""


@contextlib.contextmanager
def local_spark(
    folder: Path, *, cores: str, memory: str, settings: Mapping[str, str]
) -> Iterator[SparkSession]:
    """Starts Spark with its files in a folder; at the end its process has ended.

    Args:
        folder: for tables and for what is spilled.
        cores: how many threads run tasks, `*` for one a core.
        memory: of the process, such as `1g`.
        settings: of Spark, beside these.
    """
    builder = SparkSession.builder.master(f"local[{cores}]").appName("tracestore")
    own = {
        "spark.driver.memory": memory,
        "spark.driver.host": "127.0.0.1",
        "spark.driver.bindAddress": "127.0.0.1",
        # What is read of several columns at once is in none of Spark's metrics.
        "spark.hadoop.parquet.hadoop.vectored.io.enabled": "false",
        "spark.ui.enabled": "false",
        "spark.ui.showConsoleProgress": "false",
        "spark.sql.warehouse.dir": str(folder / "warehouse"),
        "spark.local.dir": str(folder / "local"),
    }
    for name, value in {**own, **settings}.items():
        builder = builder.config(name, value)
    with _environment():
        session = builder.getOrCreate()
    session.sparkContext.setLogLevel("OFF")
    try:
        yield session
    finally:
        session.stop()
        gateway: Any = SparkContext._gateway
        gateway.shutdown()
        gateway.proc.stdin.close()
        gateway.proc.wait()
        SparkContext._gateway = SparkContext._jvm = None


@contextlib.contextmanager
def _environment() -> Iterator[None]:
    """Gives the JVM, which hands it to its workers, an environment of its own."""
    before = dict(os.environ)
    # Workers find what this process finds, also a package that came after the last editable install.
    os.environ |= {**_LOCAL, "PYSPARK_PYTHON": sys.executable, "PYTHONPATH": str(QUERY)}
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)
