"""The oracle of the SQL tests: plain DuckDB over the JSON itself."""

from __future__ import annotations

import json
from typing import Any

import duckdb

from tracestore.variant import TABLES

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
