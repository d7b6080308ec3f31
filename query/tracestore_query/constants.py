"""Constants of a query's WHERE, computed before it runs, so that segments can be left out."""

from __future__ import annotations

import datetime as dt

import duckdb
from sqlglot import exp

from tracestore_query import dialect
from tracestore_query.parameters import value_of

_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
_NOT_CONSTANT = (exp.Column, exp.Query, exp.Dot, exp.AggFunc, exp.Window)


class Constants:
    """Computes constants. Asks the engine only for what it alone can compute, such as intervals."""

    def __init__(self, cursor: duckdb.DuckDBPyConnection) -> None:
        self._cursor = cursor

    def value(self, node: exp.Expr, exact: bool) -> int | str | None:
        """Returns a time as nanoseconds since 1970, or where `exact` a number or text as it is.

        None where the expression is not constant or is none of these.
        """
        while isinstance(node, exp.Paren):
            node = node.this
        found: object = value_of(node)
        if isinstance(node, exp.Literal):
            found = str(node.this) if node.is_string else _whole(str(node.this))
        if exact:
            return found if isinstance(found, int | str) else None
        if isinstance(found, str):
            try:
                found = dt.datetime.fromisoformat(found)
            except ValueError:
                return None
        if isinstance(found, dt.datetime):
            moment = found if found.tzinfo else found.replace(tzinfo=dt.UTC)
            return (moment - _EPOCH) // dt.timedelta(microseconds=1) * 1000
        if found is not None or node.find(*_NOT_CONSTANT, exp.Placeholder, exp.Parameter):
            return None
        return self._computed(node)

    def _computed(self, node: exp.Expr) -> int | None:
        text = dialect.generate(node)
        try:
            row = self._cursor.execute(f"SELECT epoch_us(CAST(({text}) AS TIMESTAMPTZ))").fetchone()
        except duckdb.Error:
            return None
        return None if row is None or row[0] is None else int(row[0]) * 1000


def _whole(text: str) -> int | None:
    return int(text) if text.isdigit() else None
