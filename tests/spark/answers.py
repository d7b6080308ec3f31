"""One text of SQL asked both ways, and the rows of both answers."""

from __future__ import annotations

from typing import Any

from data.stores import STATES
from sql.test_sql_files import _row, _same
from tracestore import Store

STORED = tuple(state for state in STATES if state != "memtable")
"""The states in which rows lie in segments: Spark reads files."""

QUIET = (
    "ignore:PySpark does not yet fully support pandas",
    "ignore::ResourceWarning",  # sockets to the JVM, which PySpark leaves to the collector
)
"""Warnings of PySpark's own."""

Rows = list[list[Any]]


def both(store: Store, connection: Any, sql: str) -> tuple[Rows, Rows]:
    """Returns the rows of the engine's answer and of Spark's, in the types of the former."""
    with store.sql(sql) as result:
        ours, types = result.arrow(), result.types
    theirs = connection.sql(sql).toArrow()
    assert theirs.column_names == ours.column_names
    first, second = (
        [_row(row, types) for row in zip(*[c.to_pylist() for c in table.columns], strict=True)]
        for table in (ours, theirs)
    )
    return first, second


def alike(ours: Rows, theirs: Rows, sort: str = "rowsort") -> bool:
    """Tells whether two answers are the same."""
    return _same(_named(ours), _named(theirs), sort)


def _named(rows: Rows) -> Rows:
    """Returns rows with a name for what is no number, which is not equal to itself."""
    return [["nan" if value != value else value for value in row] for row in rows]  # noqa: PLR0124 - NaN alone is not itself
