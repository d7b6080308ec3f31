"""The same data elsewhere: a hand-typed Parquet file, a DuckDB VARIANT table, JSON text, ClickHouse JSON."""

from __future__ import annotations

import importlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb

from tracestore import Store

# One column a path, as somebody would declare it who knows the data.
TYPED = {
    "model": ("attributes.gen_ai.request.model", "VARCHAR"),
    "input_tokens": ("attributes.gen_ai.usage.input_tokens", "BIGINT"),
    "output_tokens": ("attributes.gen_ai.usage.output_tokens", "BIGINT"),
    "temperature": ("attributes.gen_ai.request.temperature", "DOUBLE"),
    "status": ("attributes.http.response.status_code", "BIGINT"),
    "user_id": ("attributes.user.id", "VARCHAR"),
    "tool": ("attributes.tool.name", "VARCHAR"),
    "retries": ("attributes.retry.count", "BIGINT"),
    "reason": ("attributes.retry.reason", "VARCHAR"),
    "cache_hit": ("attributes.cache.hit", "BOOLEAN"),
}
FIXED = ("trace_id", "span_id", "name", "start_ns", "start_time", "duration", "status_code")

Answer = Callable[[str], Any]


def typed_parquet(store: Store, folder: Path) -> Answer:
    """Returns what answers queries over a hand-typed file; `{path}` names its columns."""
    file = folder / "typed.parquet"
    columns = ", ".join([*FIXED, *(f"{path} AS {name}" for name, (path, _) in TYPED.items())])
    table = store.sql(f"SELECT {columns} FROM spans ORDER BY start_ns", timeout_s=None).arrow()
    connection = duckdb.connect()
    connection.register("source", table)
    connection.execute(
        f"COPY source TO '{file}' (FORMAT parquet, COMPRESSION zstd, ROW_GROUP_SIZE 122880)"
    )
    connection.unregister("source")
    connection.execute("SET TimeZone = 'UTC'")
    connection.execute("SET parquet_metadata_cache = true")
    names = {path: name for name, (path, _) in TYPED.items()}

    def answer(sql: str) -> Any:
        return connection.execute(_written(sql, names, f"'{file}'")).to_arrow_table()

    return answer


def variant_table(store: Store, folder: Path) -> Answer:
    """Returns what answers queries over DuckDB's own VARIANT column, in a file: only there it is shredded."""
    connection = _with_json(store)
    connection.execute(f"ATTACH '{folder}/variant.duckdb' AS d (STORAGE_VERSION 'latest')")
    connection.execute(
        "CREATE TABLE d.spans AS SELECT * REPLACE (attributes::JSON::VARIANT AS attributes) FROM source"
    )
    connection.execute("CHECKPOINT d")
    connection.unregister("source")
    names = {
        path: f"CAST(variant_extract({_variant(path)}) AS {kind})" for path, kind in TYPED.values()
    }
    return lambda sql: connection.execute(_written(sql, names, "d.spans")).to_arrow_table()


def json_parquet(store: Store, folder: Path) -> Answer:
    """Returns what answers queries over JSON text in a Parquet file."""
    file = folder / "json.parquet"
    connection = _with_json(store)
    connection.execute(
        f"COPY source TO '{file}' (FORMAT parquet, COMPRESSION zstd, ROW_GROUP_SIZE 122880)"
    )
    connection.unregister("source")
    connection.execute("SET parquet_metadata_cache = true")
    names = {
        path: f"CAST(json_extract_string(attributes, '{_pointer(path)}') AS {kind})"
        for path, kind in TYPED.values()
    }
    return lambda sql: connection.execute(_written(sql, names, f"'{file}'")).to_arrow_table()


def clickhouse_json(folder: Path, batches: list[bytes]) -> tuple[Answer, Answer] | None:
    """Returns what answers queries over ClickHouse's JSON type, None where chdb is not installed.

    The first reads typed subcolumns, as somebody writes who knows the types; the second casts, as others do.
    """
    try:
        session = importlib.import_module("chdb.session")
    except ImportError:
        return None
    connection = session.Session(str(folder / "chdb"))
    connection.query(f"SET max_threads = {os.cpu_count()}")
    connection.query("CREATE DATABASE b ENGINE = Atomic")
    connection.query(
        "CREATE TABLE b.spans (trace_id String, span_id String, name String, start_ns Int64, duration_ns Int64, "
        "status_code String, attributes JSON(max_dynamic_paths=256)) ENGINE = MergeTree ORDER BY start_ns "
        "SETTINGS min_bytes_for_wide_part = 0"
    )
    file = folder / "spans.ndjson"
    file.write_bytes(b"\n".join(batches))
    connection.query(
        f"INSERT INTO b.spans SELECT * FROM file('{file}', JSONEachRow, 'trace_id String, span_id String, "
        "name String, start_ns Int64, duration_ns Int64, status_code String, attributes JSON')"
    )
    file.unlink()
    # As ours is compacted.
    connection.query("OPTIMIZE TABLE b.spans FINAL")
    kinds = {"VARCHAR": "String", "BIGINT": "Int64", "DOUBLE": "Float64", "BOOLEAN": "Bool"}
    names = {path: f"{path}.:{kinds[kind]}" for path, kind in TYPED.values()}
    for path, kind in TYPED.values():
        if kind == "DOUBLE":
            # ClickHouse reads 1.0 in JSON as an integer.
            names[path] = f"ifNull({path}.:Float64, toFloat64({path}.:Int64))"

    casts = {path: f"CAST({path} AS Nullable({kinds[kind]}))" for path, kind in TYPED.values()}

    def ask(sql: str, words: dict[str, str]) -> Any:
        text = _written(sql, words, "b.spans")
        text = text.replace(
            "quantile_cont(duration, 0.95)", "quantileExactInclusive(0.95)(duration_ns) / 1e9"
        )
        text = text.replace(
            "time_bucket(INTERVAL 1 MINUTE, start_time)", "intDiv(start_ns, 60000000000) * 60"
        )
        return connection.query(text, "Arrow")

    return (lambda sql: ask(sql, names)), (lambda sql: ask(sql, casts))


def _with_json(store: Store) -> duckdb.DuckDBPyConnection:
    fixed = ", ".join(FIXED)
    sql = f"SELECT {fixed}, attributes FROM spans ORDER BY start_ns"
    table = store.sql(sql, timeout_s=None).arrow()
    connection = duckdb.connect()
    connection.execute("SET TimeZone = 'UTC'")
    connection.register("source", table)
    return connection


def _written(sql: str, names: dict[str, str], table: str) -> str:
    for path, name in names.items():
        sql = sql.replace(path, name)
    return sql.replace("FROM spans", f"FROM {table}")


def _keys(path: str) -> list[str]:
    """Returns the keys of a path of the data: only `retry` is an object."""
    rest = path.removeprefix("attributes.")
    return rest.split(".") if rest.startswith("retry.") else [rest]


def _pointer(path: str) -> str:
    return "".join(f"/{key}" for key in _keys(path))


def _variant(path: str) -> str:
    first, *rest = _keys(path)
    found = f"attributes, '{first}'"
    for key in rest:
        found = f"variant_extract({found}), '{key}'"
    return found
