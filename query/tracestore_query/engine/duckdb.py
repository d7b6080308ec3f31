"""DuckDB behind locks: one instance a store, one cursor a query, nothing but the store's folders in reach."""

from __future__ import annotations

import functools
import shutil
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from typing import Any, Final

import duckdb
import pyarrow as pa

from tracestore.store import ScratchFolder
from tracestore_query.engine import word_search
from tracestore_query.engine.canonical_json import canonical_json
from tracestore_query.engine.checked_text import TextChecker
from tracestore_query.engine.parser import Parser
from tracestore_query.engine.watchdog import Watchdog
from tracestore_query.errors import (
    Names,
    QueryError,
    QueryFailedError,
    QueryForbiddenError,
    QueryMemoryError,
    QueryTimeoutError,
    of_engine,
)
from tracestore_query.language.allowed_functions import AskedNames, allowed
from tracestore_query.language.repeatable import LISTED, repeatable_functions
from tracestore_query.language.value_macros import (
    CANONICAL_JSON,
    VALUE_FUNCTIONS,
    create_statements,
)
from tracestore_query.plan.partial_aggregates import STATE_FUNCTIONS

OWN_FUNCTIONS: Final = VALUE_FUNCTIONS | frozenset(word_search.FUNCTIONS) | STATE_FUNCTIONS

# Errors of the engine in itself; some of them end its instance for every query.
_FAULTS: Final = ("INTERNAL Error:", "FATAL Error:")
_LOST: Final = "database has been invalidated"
LOST: Final = (
    "cannot finish query: another one met a fault of the engine, which was started again; ask again"
)
"""What a query says that had no part in it."""

_CANCELLED = "cannot finish query: it was cancelled"


MAX_SPILL_BYTES: Final = 16 * 1024**3
SPILL_SHARE: Final = 4
"""What all queries together may spill to disk where nothing else is said: so many bytes, and at most a fourth of
what the disk has free when the engine starts. The store needs the rest for the log and for segments."""


INTERRUPT_AGAIN_S: Final = 0.05
"""Seconds until a part of a query that is to end is interrupted again: the engine forgets an interrupt that comes
between two of its own steps, after it has bound a text and before it runs it."""


class Engine:
    """A locked DuckDB instance.

    Args:
        folders: the only folders it may read.
        memory_limit: e.g. `2GB`.
        threads: worker threads of all queries together.
        spill_bytes: that all queries together may spill to disk, None for the default.
        spill_folder: where it spills, None for the system's folder of temporary files.

    Attributes:
        generation: counts the instances that were lost.
        watchdog: interrupts queries.
        checker: makes the texts that it runs.
        functions: names of those that look at nothing but their arguments.
    """

    def __init__(
        self,
        folders: Sequence[str],
        memory_limit: str,
        threads: int | None,
        spill_bytes: int | None = None,
        spill_folder: str | None = None,
    ) -> None:
        self._config: dict[str, Any] = {
            "memory_limit": memory_limit,
            "python_enable_replacements": False,
            "autoinstall_known_extensions": False,
            "autoload_known_extensions": False,
            "allow_community_extensions": False,
        }
        if threads is not None:
            self._config["threads"] = threads
        self._folders = folders
        self._spill = ScratchFolder("tracestore-spill-", spill_folder)
        self._spill_bytes = _spill_bound(self._spill.name) if spill_bytes is None else spill_bytes
        self._lock = threading.Lock()
        self._is_lost = False
        self.generation = 0
        self._duckdb = self._open()
        self.watchdog = Watchdog()
        self.functions = AskedNames(self._listed)
        self._parser = Parser(self.cursor)
        self.checker = TextChecker(self._parser, AskedNames(lambda: self.functions | OWN_FUNCTIONS))

    def _open(self) -> duckdb.DuckDBPyConnection:
        """Returns a new instance, locked."""
        instance = duckdb.connect(":memory:", config=self._config)
        listed = ", ".join("'" + folder.replace("'", "''") + "'" for folder in self._folders)
        instance.execute("SET GLOBAL TimeZone = 'UTC'")
        instance.execute("SET GLOBAL parquet_metadata_cache = true")
        # A path that no row has a value of is NULL, and may be ordered by as any other.
        instance.execute("SET GLOBAL order_by_non_integer_literal = true")
        instance.execute(f"SET temp_directory = '{self._spill.name}/{self.generation}'")
        instance.execute(f"SET max_temp_directory_size = '{self._spill_bytes}B'")
        instance.execute(f"SET allowed_directories = [{listed}]")
        instance.execute("SET enable_external_access = false")
        instance.execute("SET lock_configuration = true")
        create: Any = instance.create_function
        create(CANONICAL_JSON, canonical_json, ["VARCHAR"], "VARCHAR", type="arrow")
        for name, function in word_search.FUNCTIONS.items():
            # A text that is not there holds no word.
            options = {"type": "arrow", "null_handling": "special"}
            create(name, function, ["VARCHAR", "VARCHAR"], "UBIGINT", **options)
        for statement in create_statements():
            instance.execute(statement)
        return instance

    def _listed(self) -> frozenset[str]:
        rows = self.cursor().execute(
            "SELECT DISTINCT function_name FROM duckdb_functions() "
            "WHERE function_type IN ('scalar', 'aggregate', 'macro', 'window') AND internal"
        )
        return allowed([name for (name,) in rows.fetchall()])

    @functools.cached_property
    def repeatable(self) -> frozenset[str]:
        """Returns the names of functions that give the same for the same arguments, whenever they are asked."""
        listed = self.cursor().execute(LISTED).fetchall()
        names = repeatable_functions(listed, self.functions, self._parser.tree)
        return names | OWN_FUNCTIONS

    def cursor(self) -> duckdb.DuckDBPyConnection:
        """Returns a cursor of its own for one query, of a new instance where the last one is lost."""
        with self._lock:
            if self._is_lost:
                # Cursors of the lost one keep it until they are closed.
                self.generation += 1
                self._duckdb = self._open()
                self._is_lost = False
            return self._duckdb.cursor()

    def note_fault(self, error: Exception) -> bool:
        """Tells whether an error is a fault of the engine, which may have lost the instance for every query."""
        if not any(mark in str(error) for mark in _FAULTS):
            return False
        with self._lock:
            try:
                self._duckdb.cursor().execute("SELECT 1")
            except duckdb.Error:
                self._is_lost = True
        return True

    def time_us(self, expression: str) -> int | None:
        """Returns the time of a constant expression as microseconds since 1970, None where it has none.

        Raises:
            QueryForbiddenError: where it is more than that.
        """
        text = self.checker.expression(expression)
        cursor = self.cursor()
        try:
            row = cursor.execute(f"SELECT epoch_us(CAST(({text}) AS TIMESTAMPTZ))").fetchone()
        except duckdb.Error as error:
            self.note_fault(error)
            return None
        finally:
            cursor.close()
        return None if row is None or row[0] is None else int(row[0])

    def type_of(self, expression: str) -> str | None:
        """Returns the type that the engine gives an expression over no table, None where it refuses it."""
        column = self._column_of(expression)
        return None if column is None else column[1]

    def name_of(self, expression: str) -> str | None:
        """Returns the name that the engine gives an expression over no table, None where it refuses it."""
        column = self._column_of(expression)
        return None if column is None else column[0]

    def _column_of(self, expression: str) -> tuple[str, str] | None:
        """Returns the name and the type of an expression. Nothing is run: the engine binds it."""
        try:
            text = self.checker.expression(expression)
        except QueryForbiddenError:
            return None
        cursor = self.cursor()
        try:
            relation = cursor.sql(f"SELECT {text}")
            return str(relation.columns[0]), str(relation.types[0])
        except duckdb.Error as error:
            self.note_fault(error)
            return None
        finally:
            cursor.close()

    def runs(self, expression: str) -> bool:
        """Tells whether an expression over no table that the engine has bound can be run, too."""
        text = self.checker.expression(expression)
        cursor = self.cursor()
        try:
            cursor.execute(f"SELECT {text}").fetchall()
        except duckdb.Error as error:
            return self.note_fault(error)
        else:
            return True
        finally:
            cursor.close()

    def signatures(self) -> list[tuple[str, str, list[str | None], str | None]]:
        """Returns the name, the kind, the types of arguments and that of further ones of each function's signatures."""
        rows = self.cursor().execute(
            "SELECT function_name, function_type, parameter_types, varargs "
            "FROM duckdb_functions() WHERE internal"
        )
        return rows.fetchall()

    def close(self) -> None:
        """Ends the instance; what it spilled to disk goes."""
        self.watchdog.close()
        self._parser.close()
        self._duckdb.close()
        self._spill.cleanup()


def _spill_bound(folder: str) -> int:
    return min(MAX_SPILL_BYTES, shutil.disk_usage(folder).free // SPILL_SHARE)


class Deadline:
    """The bound on the time that an engine works on one query, in all its parts together.

    Args:
        engine: whose watchdog stops it.
        timeout_s: seconds of work, None for no bound.

    Attributes:
        used_s: seconds that it has worked.
        names: gives what the columns that the query reads are called by who asked.
    """

    def __init__(self, engine: Engine, timeout_s: float | None) -> None:
        self._engine = engine
        self._watchdog = engine.watchdog
        self._lock = threading.Lock()
        self._cursors: list[duckdb.DuckDBPyConnection] = []
        self._timeout_s = timeout_s
        self._cancelled = threading.Event()
        self._planning_since_s: float | None = None
        self.used_s = 0.0
        self.names: Names = dict

    def cancel(self) -> None:
        """Stops the query, from any thread."""
        self._cancelled.set()
        self.interrupt()

    def watch(self, cursor: duckdb.DuckDBPyConnection) -> None:
        """Stops the cursor with the query, until `end`."""
        with self._lock:
            self._cursors.append(cursor)

    def end(self) -> None:
        """Stops no cursor from now on: when this returns, they may run other queries."""
        with self._lock:
            self._cursors.clear()

    @contextmanager
    def cursor(self) -> Iterator[duckdb.DuckDBPyConnection]:
        """Gives one more cursor, which stops with the query."""
        cursor = self._engine.cursor()
        self.watch(cursor)
        try:
            yield cursor
        finally:
            with self._lock, suppress(ValueError):
                self._cursors.remove(cursor)
            cursor.close()

    @contextmanager
    def planning(self) -> Iterator[None]:
        """Counts what runs inside, the engine's own parts among it; it bounds those parts alone."""
        used_s, started = self.used_s, time.monotonic()
        self._planning_since_s = started
        try:
            yield
        finally:
            self._planning_since_s = None
            self.used_s = used_s + time.monotonic() - started

    def running(self) -> AbstractContextManager[None]:
        """Bounds what runs inside, and turns the engine's errors into ours."""
        return _Part(self)

    def begin(self, stop: Callable[[], float | None]) -> tuple[float, int | None]:
        """Begins a part of the work; returns when, and the number of the call of `stop` that bounds it.

        Raises:
            QueryFailedError: where the query was cancelled.
        """
        if self._cancelled.is_set():
            raise QueryFailedError(_CANCELLED)
        started = time.monotonic()
        if self._timeout_s is None:
            return started, None
        planned_s = 0.0 if self._planning_since_s is None else started - self._planning_since_s
        left_s = self._timeout_s - self.used_s - planned_s
        return started, self._watchdog.call_at(started + left_s, stop)

    def finish(self, started: float, alarm: int | None) -> None:
        """Ends a part of the work: its bound, and its time."""
        if alarm is not None:
            self._watchdog.call_off(alarm)
        if self._planning_since_s is None:
            self.used_s += time.monotonic() - started

    def interrupt(self) -> None:
        """Interrupts what the cursors run."""
        with self._lock:
            for cursor in self._cursors:
                with suppress(duckdb.Error):
                    cursor.interrupt()

    def error(self, error: Exception, *, expired: bool) -> QueryError:
        """Returns our error of an engine's."""
        text = str(error)
        if expired:
            return QueryTimeoutError(
                f"cannot finish query: it ran longer than {self._timeout_s:g} s; "
                "add a time range (start_time >= ...) or raise timeout_s"
            )
        if self._cancelled.is_set() or isinstance(error, duckdb.InterruptException):
            return QueryFailedError(_CANCELLED)
        if isinstance(error, duckdb.OutOfMemoryException | pa.ArrowMemoryError) or (
            "Out of Memory" in text
        ):
            return QueryMemoryError(
                "cannot finish query: it needs more memory, or more room on disk to spill, than the limit; "
                "add a time range, a LIMIT, or fewer columns"
            )
        if self._engine.note_fault(error):
            if _LOST in text:
                return QueryFailedError(LOST)
            reason = of_engine(text, self.names).rpartition("Error: ")[2]
            return QueryFailedError(
                f"cannot run query: the engine has a fault there; write that part another way: {reason}"
            )
        return QueryFailedError(f"cannot run query: {of_engine(text, self.names)}")


class _Part:
    """A part of a query's work. A small query has six: so this is no generator, which costs more than they do."""

    __slots__ = ("_alarm", "_deadline", "_expired", "_started")

    def __init__(self, deadline: Deadline) -> None:
        self._deadline = deadline
        self._expired = False

    def __enter__(self) -> None:
        self._started, self._alarm = self._deadline.begin(self._stop)

    def __exit__(self, _: object, error: BaseException | None, __: object) -> None:
        self._deadline.finish(self._started, self._alarm)
        # Behind the first batch the engine's errors come through Arrow, as OSError.
        if isinstance(error, duckdb.Error | pa.ArrowException | OSError):
            raise self._deadline.error(error, expired=self._expired) from None

    def _stop(self) -> float:
        self._expired = True
        self._deadline.interrupt()
        return INTERRUPT_AGAIN_S
