"""Programs that know nothing of tracestore read published tables: DuckDB, Polars, Spark, pyiceberg of another process.

DuckDB's own reader of Iceberg is an extension made for each version, and Spark's a jar that PyPI has for Spark 3.5:
`make iceberg-readers` puts both below `build/`, each with its engine, apart from those that are installed.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import duckdb
import polars as pl
import pytest

import tracestore
from data import processes
from data.stores import START_NS, span
from iceberg.kit import arrow_of, table_of
from tracestore import Store
from tracestore.iceberg.publishing import publish

BUILD = Path(__file__).resolve().parents[2] / "build"
DUCKDB, SPARK = BUILD / "duckdb-iceberg", BUILD / "spark-iceberg"

Lake = tuple[Store, str]  # and the project


@pytest.fixture(scope="module", params=["shop", "shop.eu ä%"])
def lake(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Lake]:
    """Gives a published store after versions, merges, deletes and retention."""
    project = request.param
    with tracestore.open(tmp_path_factory.mktemp("lake"), background=False) as store:
        for start in range(0, 120, 20):
            rows = [span(number) for number in range(start, start + 20)]
            store.insert("spans", rows, project=project)
            store.flush()
        publish(store)
        store.insert("spans", [span(number, duration_ns=5) for number in range(5)], project=project)
        store.flush()
        store.compact(full=True)
        store.delete(where="name IN ('op-0', 'op-6')")
        publish(store, keep_s=0)
        old = span(1000, start_ns=START_NS - 8000 * 86_400 * 10**9)
        store.insert("spans", [old], project=project)
        publish(store)
        store.set_retention(project, 365 * 20)
        assert store.expire() == 1
        store.delete(where="attributes.number >= 101")
        publish(store)
        yield store, project


def expected(store: Store) -> list[tuple[object, ...]]:
    sql = (
        "SELECT attributes.model AS m, count(*) AS n, sum(attributes.number)::BIGINT AS s "
        "FROM spans GROUP BY 1 ORDER BY 1"
    )
    return [tuple(row.values()) for row in store.sql(sql).rows()]


SQL = """SELECT "attributes.model:str" AS m, count(*) AS n, sum("attributes.number:i64")::BIGINT AS s
         FROM {table} GROUP BY 1 ORDER BY 1"""


def test_the_rows_are_those_of_a_query(lake: Lake) -> None:
    store, project = lake
    assert len(arrow_of(store, project)) == 72
    assert [row[1] for row in expected(store)] == [24, 24, 24]


def test_polars_scans_the_table(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    store, project = lake
    # Else it warns where its own planner is not installed.
    monkeypatch.setenv("POLARS_ICEBERG_PLANNER", "pyiceberg")
    frame = (
        pl.scan_iceberg(table_of(store, project))
        .group_by(pl.col("attributes.model:str").alias("m"))
        .agg(pl.len().alias("n"), pl.col("attributes.number:i64").sum().alias("s"))
        .sort("m")
        .collect()
    )
    assert frame.rows() == expected(store)


def test_plain_duckdb_reads_the_files_that_pyiceberg_plans(lake: Lake) -> None:
    store, project = lake
    tasks = table_of(store, project).scan().plan_files()
    files = [task.file.file_path.removeprefix("file://") for task in tasks]
    with duckdb.connect() as connection:
        sql = SQL.format(table="read_parquet($1, union_by_name = true)")
        assert connection.execute(sql, [files]).fetchall() == expected(store)


def test_pyiceberg_of_another_process_finds_the_table(lake: Lake) -> None:
    store, project = lake
    code = """
import sys
from pyiceberg.catalog.sql import SqlCatalog
catalog = SqlCatalog("tracestore", uri=f"sqlite:///{sys.argv[1]}/iceberg/catalog.sqlite")
[namespace] = catalog.list_namespaces()
table = catalog.load_table((*namespace, "spans"))
print(ascii(table.properties["tracestore.project"]), len(table.scan().to_arrow()))
"""
    done = processes.run([sys.executable, "-c", code, str(store.folder)], check=True)
    assert done.stdout == f"{project!a} 72\n"


@pytest.mark.skipif(not DUCKDB.exists(), reason="make iceberg-readers")
def test_duckdbs_own_reader_scans_the_table(lake: Lake) -> None:
    store, project = lake
    code = """
import glob, json, sys
sys.path.insert(0, sys.argv[1])
import duckdb
connection = duckdb.connect()
for name in ("avro", "iceberg"):
    [file] = glob.glob(f"{sys.argv[1]}/duckdb_extension_{name}/extensions/*/*.duckdb_extension")
    connection.execute(f"LOAD '{file}'")
print(json.dumps(connection.execute(sys.argv[2]).fetchall()))
"""
    location = table_of(store, project).metadata_location.removeprefix("file://")
    sql = SQL.format(table=f"iceberg_scan('{location}')")
    done = processes.run([sys.executable, "-c", code, str(DUCKDB), sql], check=True)
    assert [tuple(row) for row in json.loads(done.stdout)] == expected(store)


@pytest.mark.skipif(not SPARK.exists(), reason="make iceberg-readers")
@pytest.mark.skipif(shutil.which("java") is None, reason="Java is not installed")
@pytest.mark.parametrize("lake", ["shop.eu ä%"], indirect=True)
def test_sparks_own_reader_scans_the_table(lake: Lake) -> None:
    store, project = lake
    code = """
import glob, json, sys
from pyspark.sql import SparkSession
[jar] = glob.glob(f"{sys.argv[1]}/**/iceberg-spark-runtime-3.5_2.12-*.jar", recursive=True)
settings = {
    "spark.driver.extraClassPath": jar,
    "spark.driver.memory": "1g",
    "spark.driver.extraJavaOptions": "-XX:+UseSerialGC -XX:TieredStopAtLevel=1",
    "spark.ui.enabled": "false",
    "spark.sql.shuffle.partitions": "1",
}
builder = SparkSession.builder.master("local[1]")
for name, value in settings.items():
    builder = builder.config(name, value)
spark = builder.getOrCreate()
spark.read.format("iceberg").load(sys.argv[2]).createOrReplaceTempView("spans")
print(json.dumps([tuple(row) for row in spark.sql(sys.argv[3]).collect()]))
"""
    sql = (
        "SELECT `attributes.model:str`, count(*), sum(`attributes.number:i64`) FROM spans "
        "GROUP BY 1 ORDER BY 1"
    )
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith("SPARK_")},
        "PYTHONPATH": str(SPARK),
        "PYSPARK_PYTHON": sys.executable,
        "SPARK_LOCAL_IP": "127.0.0.1",
        "SPARK_LOCAL_HOSTNAME": "localhost",
    }
    location = table_of(store, project).metadata_location
    command = [sys.executable, "-c", code, str(SPARK), location, sql]
    done = processes.run(command, check=True, env=environment)
    assert [tuple(row) for row in json.loads(done.stdout.splitlines()[-1])] == expected(store)
