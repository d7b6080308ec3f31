"""What a query holds until its answer is closed: a cursor, a snapshot, functions; and what is kept of it then."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import duckdb

from tracestore.store import Snapshot
from tracestore_query.engine.duckdb import Deadline, Engine


@dataclass(frozen=True, slots=True)
class Statement:
    """Is a query as the engine has bound it. Run again, it is not bound for its types once more.

    Attributes:
        cursor: that runs it, and knows the tables it names.
        relation: runs each time it is read.
        types: of its columns.
        values: of its parameters.
    """

    cursor: duckdb.DuckDBPyConnection
    relation: duckdb.DuckDBPyRelation
    types: tuple[str, ...]
    values: dict[str, Any]


class Running:
    """Is what a query holds.

    Attributes:
        deadline: bounds its time.
        snapshot: that it reads.
        functions: that its cursor was given.
        statement: that it runs.
        keep: takes the statement of an answer that was read to its end; tells whether it did.
        ended: whether it was.
    """

    def __init__(self, engine: Engine, timeout_s: float | None) -> None:
        self._engine = engine
        self._cursor: duckdb.DuckDBPyConnection | None = None
        self.deadline = Deadline(engine, timeout_s)
        self.snapshot: Snapshot | None = None
        self.functions: tuple[str, ...] = ()
        self.statement: Statement | None = None
        self.keep: Callable[[Statement], bool] | None = None
        self.ended = False

    @property
    def cursor(self) -> duckdb.DuckDBPyConnection:
        """Returns the cursor that runs the query."""
        if self._cursor is None:
            self._cursor = self._engine.cursor()
            self.deadline.watch(self._cursor)
        return self._cursor

    def bind(self, text: str, values: dict[str, Any]) -> Statement:
        """Has the engine bind a text."""
        relation = self.cursor.sql(text, params=values or None)
        types = tuple(str(sql_type) for sql_type in relation.types)
        self.statement = Statement(self.cursor, relation, types, values)
        return self.statement

    def run_again(self, statement: Statement) -> None:
        """Takes a statement that was kept, with its cursor."""
        self._cursor = statement.cursor
        self.deadline.watch(statement.cursor)
        self.statement = statement

    def let_go(self) -> None:
        """Closes everything but what is kept; the deadline stops nothing any more."""
        self.deadline.end()
        for name in self.functions:
            self.cursor.remove_function(name)
        kept = False
        if self.ended and self.statement is not None and self.keep is not None:
            kept = self.keep(self.statement)
        if self._cursor is not None and not kept:
            self._cursor.close()
        if self.snapshot is not None:
            self.snapshot.close()
