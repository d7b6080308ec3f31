"""One set of rows in four states of a store, and in plain DuckDB over the JSON itself."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import duckdb

import tracestore
from tracestore import Store
from tracestore.variant import TABLES

STATES = ("memtable", "one segment", "many segments", "compacted")

_MACROS = """
    CREATE MACRO val(j, p) AS CASE WHEN json_type(j, p) = 'NULL' THEN NULL ELSE json_extract(j, p) END;
    CREATE MACRO str(j, p) AS CASE WHEN json_type(j, p) = 'VARCHAR' THEN json_extract_string(j, p) END;
    CREATE MACRO num(j, p) AS
        CASE WHEN json_type(j, p) IN ('BIGINT', 'UBIGINT', 'HUGEINT', 'UHUGEINT', 'DOUBLE')
        THEN CAST(json_extract_string(j, p) AS DOUBLE) END;
    CREATE MACRO boo(j, p) AS
        CASE WHEN json_type(j, p) = 'BOOLEAN' THEN CAST(json_extract_string(j, p) AS BOOLEAN) END;
    CREATE MACRO whole(j, p) AS CAST(json_extract_string(j, p) AS BIGINT);
"""
_TYPE = {"string": "VARCHAR", "int64": "BIGINT", "double": "DOUBLE", "bool": "BOOLEAN"}


def build(
    folder: Path, state: str, rows: dict[str, list[dict[str, Any]]], pieces: int = 12
) -> Store:
    """Returns a store that holds the rows in a state; many segments are at least `pieces`."""
    store = tracestore.open(folder, background=False, durability="async")
    if state not in {"many segments", "compacted"}:
        pieces = 1
    for table, all_rows in rows.items():
        size = -(-len(all_rows) // pieces)
        for start in range(0, len(all_rows), size):
            store.insert(table, ndjson(all_rows[start : start + size]))
            if pieces > 1:
                store.flush()
    if state == "one segment":
        store.flush()
    if state == "compacted":
        store.compact(full=True)
    return store


def ndjson(rows: Iterable[dict[str, Any]]) -> bytes:
    """Returns rows as NDJSON."""
    return "\n".join(json.dumps(row, ensure_ascii=False) for row in rows).encode()


def oracle(rows: dict[str, list[dict[str, Any]]]) -> duckdb.DuckDBPyConnection:
    """Returns plain DuckDB with the same tables: fixed columns typed, variants as JSON."""
    connection = duckdb.connect()
    connection.execute("SET TimeZone = 'UTC'")
    connection.execute(_MACROS)
    for table, all_rows in rows.items():
        spec = TABLES[table]
        fixed = [name for name in spec.columns if str(spec.columns[name]) in _TYPE]
        columns = {name: _TYPE[str(spec.columns[name])] for name in fixed}
        columns |= dict.fromkeys(spec.variants, "JSON")
        listed = ", ".join(f'"{name}" {kind}' for name, kind in columns.items())
        connection.execute(f"CREATE TABLE {table} ({listed})")
        values = [
            [
                json.dumps(row[name]) if kind == "JSON" and name in row else row.get(name)
                for name, kind in columns.items()
            ]
            for row in all_rows
        ]
        marks = ", ".join("?" * len(columns))
        connection.executemany(f"INSERT INTO {table} VALUES ({marks})", values)
    connection.execute(
        "UPDATE spans SET is_root = parent_span_id IS NULL, duration = duration_ns / 1e9"
    )
    return connection
