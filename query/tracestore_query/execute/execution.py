"""The resources of one running query (cursor, snapshot, functions), and their release."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import duckdb
import pyarrow as pa

from tracestore.store import SegmentRef, Snapshot
from tracestore_query.engine.duckdb import Deadline, Engine
from tracestore_query.engine.objects import add_object_function
from tracestore_query.execute.arrow_forms import with_arrow_forms
from tracestore_query.plan.plan import ObjectCall
from tracestore_query.plan.scan_plan import ScanPlan


@dataclass(frozen=True, slots=True)
class Statement:
    """A query as the engine has bound it. Run again, it is not bound for its types once more.

    Attributes:
        cursor: runs it, and knows the tables it names.
        relation: the bound query; it runs each time it is read.
        types: types of its columns.
        values: values of its parameters.
        generation: of the engine's instance that bound it.
    """

    cursor: duckdb.DuckDBPyConnection
    relation: duckdb.DuckDBPyRelation
    types: tuple[str, ...]
    values: Mapping[str, Any]
    generation: int


class Execution:
    """The resources of one running query, held until its answer is closed.

    Attributes:
        deadline: bounds the query's time.
        snapshot: what it reads, once that is known.
        missing: what tables of the catalog may lack, in words.
        statement: what the engine runs, once that is bound.
        keep: takes the statement of an answer that was read to its end; returns whether it keeps it.
        exhausted: whether the answer was read to its end.
    """

    def __init__(self, engine: Engine, timeout_s: float | None) -> None:
        self._engine = engine
        self._cursor: duckdb.DuckDBPyConnection | None = None
        self._functions: list[str] = []
        self.deadline = Deadline(engine, timeout_s)
        self.snapshot: Snapshot | None = None
        self.missing: list[str] = []
        self.statement: Statement | None = None
        self.keep: Callable[[Statement], bool] | None = None
        self.exhausted = False

    @property
    def cursor(self) -> duckdb.DuckDBPyConnection:
        """Returns the cursor that runs the query."""
        if self._cursor is None:
            self._cursor = self._engine.cursor()
            self.deadline.watch(self._cursor)
        return self._cursor

    def register(self, tables: Mapping[str, pa.Table], objects: Mapping[str, ObjectCall]) -> None:
        """Gives the cursor tables and functions by name."""
        for name, call in objects.items():
            add_object_function(self.cursor, name, call)
            self._functions.append(name)
        for name, table in tables.items():
            self.cursor.register(name, table)

    def fetch(
        self,
        sql: str,
        tables: Mapping[str, pa.Table],
        scan: ScanPlan,
        files: Mapping[str, Sequence[SegmentRef]] | None = None,
    ) -> pa.Table:
        """Returns the rows of a query over the given tables and the files of a scan, which planning needs."""
        text = self._engine.checker.look_up(sql, tables.keys(), scan, files or {})
        self.register(tables, {})
        with self.deadline.running():
            return self.cursor.sql(text).to_arrow_table()

    def columns(self, sql: str, values: Mapping[str, Any]) -> tuple[Sequence[str], Sequence[str]]:
        """Returns the names and types of a text's columns; nothing is run."""
        with self.deadline.running():
            relation = self.cursor.sql(sql, params=values or None)
            return relation.columns, [str(sql_type) for sql_type in relation.types]

    def bind(self, sql: str, values: Mapping[str, Any]) -> Statement:
        """Has the engine bind a text. Values that Arrow has no form for come as text."""
        relation = self.cursor.sql(sql, params=values or None)
        types = tuple(str(sql_type) for sql_type in relation.types)
        formed = with_arrow_forms(sql, relation.columns, types)
        if formed is not None:
            relation = self.cursor.sql(formed, params=values or None)
            types = tuple(str(sql_type) for sql_type in relation.types)
        self.statement = Statement(self.cursor, relation, types, values, self._engine.generation)
        return self.statement

    def reuse(self, statement: Statement) -> None:
        """Takes over a statement that was kept, with its cursor."""
        self._cursor = statement.cursor
        self.deadline.watch(statement.cursor)
        self.statement = statement

    def restart(self) -> None:
        """Lets go of the snapshot: the query is planned again with another one."""
        snapshot, self.snapshot = self.snapshot, None
        if snapshot is not None:
            snapshot.close()

    def close(self) -> None:
        """Releases everything but what is kept; the deadline stops nothing any more."""
        self.deadline.end()
        for name in self._functions:
            with suppress(duckdb.Error):
                self.cursor.remove_function(name)
        kept = False
        if self.exhausted and self.statement is not None and self.keep is not None:
            kept = self.keep(self.statement)
        if self._cursor is not None and not kept:
            self._cursor.close()
        if self.snapshot is not None:
            self.snapshot.close()
