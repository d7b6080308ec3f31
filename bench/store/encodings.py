"""Measures Parquet encodings column by column: `python -m bench.store.encodings`.

Prints bytes, and DuckDB's best time of five to read the whole column; tracestore/segment/encoding.py
quotes it.
"""

from __future__ import annotations

import tempfile
import time
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

ROWS = 1_000_000
PLAIN: dict[str, Any] = {"use_dictionary": False}
DICTIONARY: dict[str, Any] = {"use_dictionary": True}


def columns() -> dict[str, pa.Array]:
    """Returns columns such as spans have."""
    rng = np.random.default_rng(1)
    hexadecimal = [f"{number:016x}" for number in rng.integers(0, 2**63, ROWS).tolist()]
    start = 1_790_000_000_000_000_000 + np.cumsum(rng.integers(1000, 9_000_000, ROWS))
    return {
        "span_id": pa.array(hexadecimal),
        "user": pa.array([f"user-{number}" for number in rng.integers(0, 5000, ROWS).tolist()]),
        "start_ns": pa.array(start),
        "duration_ns": pa.array(rng.lognormal(17, 1.5, ROWS).astype(np.int64)),
        "tokens": pa.array(rng.integers(10, 4000, ROWS)),
        "score": pa.array(rng.random(ROWS)),
        "cost": pa.array(np.round(rng.random(ROWS) * 0.01, 6)),
    }


def options(column: pa.Array) -> dict[str, dict[str, Any]]:
    """Returns the encodings a column may have, in pyarrow's terms."""
    if pa.types.is_string(column.type):
        names = ["DELTA_LENGTH_BYTE_ARRAY", "DELTA_BYTE_ARRAY"]
    elif pa.types.is_floating(column.type):
        names = ["BYTE_STREAM_SPLIT"]
    else:
        names = ["DELTA_BINARY_PACKED", "BYTE_STREAM_SPLIT"]
    explicit = {name: {**PLAIN, "column_encoding": {"x": name}} for name in names}
    return {"dictionary": DICTIONARY, "plain": PLAIN, **explicit}


def main() -> None:
    """Measures every column in every encoding."""
    path = Path(tempfile.mkdtemp()) / "x.parquet"
    connection = duckdb.connect()
    for name, column in columns().items():
        text = pa.types.is_string(column.type)
        query = f"SELECT {'sum(length(x))' if text else 'sum(x::DOUBLE)'} FROM '{path}'"
        for label, chosen in options(column).items():
            table = pa.table({"x": column})
            pq.write_table(table, path, compression="zstd", row_group_size=122_880, **chosen)
            best = min(timed(connection, query) for _ in range(5))
            size = path.stat().st_size / 1e6
            print(f"{name:12} {label:24} {size:6.1f} MB {best * 1e3:6.1f} ms")


def timed(connection: duckdb.DuckDBPyConnection, query: str) -> float:
    """Returns the seconds of a query."""
    start = time.perf_counter()
    connection.execute(query).fetchall()
    return time.perf_counter() - start


if __name__ == "__main__":
    main()
