"""One Spark for all tests of this folder: real, local, with two threads and little memory."""

from __future__ import annotations

import importlib.util
import os
import shutil
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


SETTINGS = {
    # Rows are few: what costs is code that Spark compiles for each query.
    "spark.driver.extraJavaOptions": "-XX:+UseSerialGC -XX:TieredStopAtLevel=1",
    "spark.sql.shuffle.partitions": "2",
    "spark.sql.adaptive.enabled": "false",
    "spark.sql.codegen.wholeStage": "false",
    "spark.sql.codegen.factoryMode": "NO_CODEGEN",
}


@pytest.fixture(scope="session")
def spark(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """Yields a session; its JVM ends with the tests."""
    require_spark()
    from spark.local import local_spark

    folder = tmp_path_factory.mktemp("spark")
    with local_spark(folder, cores="2", memory="1g", settings=SETTINGS) as session:
        yield session


@pytest.fixture(scope="session")
def stores(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Store]]:
    """Yields the stores of the SQL tests in each state but memory."""
    rows = {"spans": sql_rows.spans(), "logs": sql_rows.logs()}
    folder = tmp_path_factory.mktemp("stores")
    made = {state: build(Path(folder) / state.replace(" ", "-"), state, rows) for state in STORED}
    yield made
    for store in made.values():
        store.close()
