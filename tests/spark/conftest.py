"""One Spark for all tests of this folder: real, local, with two threads and little memory."""

from __future__ import annotations

import importlib.util
import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from data.stores import build
from spark.answers import STORED
from sql import sql_rows
from tracestore import Store


def require_spark() -> None:
    """Skips where PySpark or Java is not installed; not where tests run to prove something."""
    missing = importlib.util.find_spec("pyspark") is None or shutil.which("java") is None
    if missing and not os.environ.get("CI"):
        pytest.skip(
            "PySpark or Java is not installed (tracestore[spark], Debian: openjdk-17-jre-headless)"
        )


@pytest.fixture(scope="session")
def spark(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """Yields a session; its JVM ends with the tests."""
    require_spark()
    folder = tmp_path_factory.mktemp("spark")
    # Where the machine's name does not resolve Spark waits minutes for its address.
    os.environ |= {"SPARK_LOCAL_IP": "127.0.0.1", "SPARK_LOCAL_HOSTNAME": "localhost"}
    os.environ["PYSPARK_PYTHON"] = sys.executable
    # Workers find what the tests find, also a package that came after the last editable install.
    os.environ["PYTHONPATH"] = str(Path(__file__).resolve().parents[2] / "query")
    from pyspark import SparkContext
    from pyspark.sql import SparkSession

    # Rows are few: what costs is code that Spark compiles for each query.
    settings = {
        "spark.driver.memory": "1g",
        "spark.driver.host": "127.0.0.1",
        "spark.driver.bindAddress": "127.0.0.1",
        "spark.driver.extraJavaOptions": "-XX:+UseSerialGC -XX:TieredStopAtLevel=1",
        "spark.ui.enabled": "false",
        "spark.ui.showConsoleProgress": "false",
        "spark.sql.shuffle.partitions": "2",
        "spark.sql.adaptive.enabled": "false",
        "spark.sql.codegen.wholeStage": "false",
        "spark.sql.codegen.factoryMode": "NO_CODEGEN",
        "spark.sql.warehouse.dir": str(folder / "warehouse"),
        "spark.local.dir": str(folder / "local"),
    }
    builder = SparkSession.builder.master("local[2]").appName("tracestore tests")
    for name, value in settings.items():
        builder = builder.config(name, value)
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


@pytest.fixture(scope="session")
def stores(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Store]]:
    """Yields the stores of the SQL tests in each state but memory."""
    rows = {"spans": sql_rows.spans(), "logs": sql_rows.logs()}
    folder = tmp_path_factory.mktemp("stores")
    made = {state: build(Path(folder) / state.replace(" ", "-"), state, rows) for state in STORED}
    yield made
    for store in made.values():
        store.close()
