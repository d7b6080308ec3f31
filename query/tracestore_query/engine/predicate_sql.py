"""Conditions on stored columns as DuckDB text."""

from __future__ import annotations

from tracestore_query.tables.names import quoted
from tracestore_query.tables.predicate import AtMost, Condition, Equals, IsNull, NoneOf


def condition_sql(condition: Condition) -> str:
    """Returns a condition as an expression over the stored columns."""
    match condition:
        case Equals(column, value):
            return f"{column} = {quoted(value)}"
        case IsNull(column):
            return f"{column} IS NULL"
        case AtMost(column, bound):
            return f"{column} <= {bound}"
        case NoneOf(column, values):
            return f"{column} NOT IN ({', '.join(map(str, values))})"
