"""Which rows a table in FROM reads, judged by its node alone."""

from __future__ import annotations

from sqlglot import exp

from tracestore_query.tables.functions import FUNCTIONS
from tracestore_query.tables.names import NAMED
from tracestore_query.tables.views import VIEWS


def called(table: exp.Table) -> str | None:
    """Returns the name of the function that stands for a table, None for a table's own name."""
    call = table.this
    if not isinstance(call, exp.Func):
        return None
    return (str(call.this) if isinstance(call, exp.Anonymous) else call.sql_name()).lower()


def stored_table(table: exp.Table) -> str | None:
    """Returns the stored table whose rows a table in FROM reads, None where it reads none."""
    name = called(table)
    if name is not None:
        return FUNCTIONS[name].reads if name in FUNCTIONS else None
    name = table.name.lower()
    if name in VIEWS:
        return "spans"
    return name if name in NAMED else None


def scanned_table(table: exp.Table) -> str | None:
    """Returns the same where each row of the table in FROM is one stored row."""
    name = called(table)
    if name is None:
        return None if table.name.lower() in VIEWS else stored_table(table)
    function = FUNCTIONS.get(name)
    return function.reads if function is not None and function.gives_stored_rows else None
