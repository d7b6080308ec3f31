"""What the tests of published tables share: reading them as programs do that know nothing of tracestore."""

from __future__ import annotations

import json
from typing import Any

import pyarrow as pa
from pyiceberg.table import Table

from tracestore import Store
from tracestore.iceberg.tables import find_table
from tracestore.iceberg.warehouse import warehouse


def table_of(store: Store, project: str = "default", table: str = "spans") -> Table:
    """Returns a published table as of now."""
    with warehouse(store) as catalog:
        found = find_table(catalog, project, table)
    assert found is not None
    return found


def arrow_of(store: Store, project: str = "default", table: str = "spans") -> pa.Table:
    """Returns the rows of a published table, as pyiceberg reads them."""
    return table_of(store, project, table).scan().to_arrow()


def rows_of(read: pa.Table, *columns: str) -> list[tuple[Any, ...]]:
    """Returns some columns of rows, sorted; a leaf that has no column in a row's segment is in `_overflow`."""
    rows = []
    for row in read.to_pylist():
        rare = json.loads(row["_overflow"] or "{}")
        rows.append(tuple(rare[name] if name in rare else row.get(name) for name in columns))
    return sorted(rows, key=repr)
