"""DuckDB behind locks: one instance a store, one cursor a query, nothing but the store's folders in reach."""

from __future__ import annotations

import functools
import re
import shutil
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from typing import Any, Final

import duckdb
import pyarrow as pa

from tracestore.errors import PayloadError
from tracestore.variant import LEAVES, OVERFLOW, unshred_values
from tracestore.variant.moved import COLUMN as MOVED_ATTRIBUTES
from tracestore_query.engine import word_search
from tracestore_query.engine.canonical_json import canonical_json
from tracestore_query.engine.checked_text import TextChecker
from tracestore_query.engine.moved_rows import with_moved
from tracestore_query.engine.parser import Parser
from tracestore_query.engine.watchdog import Watchdog
from tracestore_query.errors import (
    QueryError,
    QueryFailedError,
    QueryForbiddenError,
    QueryMemoryError,
    QueryTimeoutError,
)
from tracestore_query.language.allowed_functions import allowed
from tracestore_query.language.value_macros import (
    CANONICAL_JSON,
    VALUE_FUNCTIONS,
    create_statements,
)
from tracestore_query.plan.plan import ObjectCall, part_name

OWN_FUNCTIONS: Final = VALUE_FUNCTIONS | frozenset(word_search.FUNCTIONS)
_PATHS = re.compile(r"(?:[A-Za-z]:)?(?:/[^\s'\",:)]+)+")
_CANCELLED = "cannot finish query: it was cancelled"
_INTERNAL = re.compile(r'"?__(?:scan|object|leaf|path|row_id)[a-z0-9_]*"?\.?')


MAX_SPILL_BYTES: Final = 16 * 1024**3
SPILL_SHARE: Final = 4
"""What all queries together may spill to disk where nothing else is said: so many bytes, and at most a fourth of
what the disk has free when the engine starts. The store needs the rest for the log and for segments."""


class Engine:
    """A locked DuckDB instance.

    Args:
        folders: the only folders it may read.
        memory_limit: e.g. `2GB`.
        threads: worker threads of all queries together.
        spill_bytes: that all queries together may spill to disk, None for the default.
        spill_folder: where it spills, None for the system's folder of temporary files.

    Attributes:
        watchdog: interrupts queries.
        checker: makes the texts that it runs.
    """

    def __init__(
        self,
        folders: Sequence[str],
        memory_limit: str,
        threads: int | None,
        spill_bytes: int | None = None,
        spill_folder: str | None = None,
    ) -> None:
        config: dict[str, Any] = {
            "memory_limit": memory_limit,
            "python_enable_replacements": False,
            "autoinstall_known_extensions": False,
            "autoload_known_extensions": False,
            "allow_community_extensions": False,
        }
        if threads is not None:
            config["threads"] = threads
        self._duckdb = duckdb.connect(":memory:", config=config)
        listed = ", ".join("'" + folder.replace("'", "''") + "'" for folder in folders)
        self._duckdb.execute("SET GLOBAL TimeZone = 'UTC'")
        self._duckdb.execute("SET GLOBAL parquet_metadata_cache = true")
        # A path that no row has a value of is NULL, and may be ordered by as any other.
        self._duckdb.execute("SET GLOBAL order_by_non_integer_literal = true")
        self._spill = tempfile.TemporaryDirectory(prefix="tracestore-spill-", dir=spill_folder)
        self._duckdb.execute(f"SET temp_directory = '{self._spill.name}'")
        bound = _spill_bound(self._spill.name) if spill_bytes is None else spill_bytes
        self._duckdb.execute(f"SET max_temp_directory_size = '{bound}B'")
        self._duckdb.execute(f"SET allowed_directories = [{listed}]")
        self._duckdb.execute("SET enable_external_access = false")
        self._duckdb.execute("SET lock_configuration = true")
        create: Any = self._duckdb.create_function
        create(CANONICAL_JSON, canonical_json, ["VARCHAR"], "VARCHAR", type="arrow")
        for name, function in word_search.FUNCTIONS.items():
            # A text that is not there holds no word.
            options = {"type": "arrow", "null_handling": "special"}
            create(name, function, ["VARCHAR", "VARCHAR"], "UBIGINT", **options)
        for statement in create_statements():
            self._duckdb.execute(statement)
        self._lock = threading.Lock()
        self.watchdog = Watchdog()
        self._parser = Parser(self.cursor)
        self.checker = TextChecker(self._parser, lambda: self._allowed_functions)

    @functools.cached_property
    def functions(self) -> frozenset[str]:
        """Returns the names of functions that look at nothing but their arguments."""
        rows = self._duckdb.cursor().execute(
            "SELECT DISTINCT function_name FROM duckdb_functions() "
            "WHERE function_type IN ('scalar', 'aggregate', 'macro', 'window') AND internal"
        )
        return allowed([name for (name,) in rows.fetchall()])

    @functools.cached_property
    def _allowed_functions(self) -> frozenset[str]:
        return self.functions | OWN_FUNCTIONS

    def cursor(self) -> duckdb.DuckDBPyConnection:
        """Returns a cursor of its own for one query."""
        with self._lock:
            return self._duckdb.cursor()

    def time_us(self, expression: str) -> int | None:
        """Returns the time of a constant expression as microseconds since 1970, None where it has none.

        Raises:
            QueryForbiddenError: where it is more than that.
        """
        text = self.checker.expression(expression)
        cursor = self.cursor()
        try:
            row = cursor.execute(f"SELECT epoch_us(CAST(({text}) AS TIMESTAMPTZ))").fetchone()
        except duckdb.Error:
            return None
        finally:
            cursor.close()
        return None if row is None or row[0] is None else int(row[0])

    def type_of(self, expression: str) -> str | None:
        """Returns the type that the engine gives an expression over no table, None where it refuses it.

        Nothing is run: the engine binds the expression.
        """
        try:
            text = self.checker.expression(expression)
        except QueryForbiddenError:
            return None
        cursor = self.cursor()
        try:
            return str(cursor.sql(f"SELECT {text}").types[0])
        except duckdb.Error:
            return None
        finally:
            cursor.close()

    def json_functions(self) -> frozenset[str]:
        """Returns the names of functions and operators that take JSON."""
        rows = self._duckdb.cursor().execute(
            "SELECT DISTINCT function_name FROM duckdb_functions() "
            "WHERE list_contains(parameter_types, 'JSON')"
        )
        return frozenset(name for (name,) in rows.fetchall())

    def boolean_functions(self) -> frozenset[str]:
        """Returns the names of functions that take booleans alone: the engine binds these to anything."""
        rows = self._duckdb.cursor().execute(
            "SELECT function_name FROM duckdb_functions() GROUP BY function_name "
            "HAVING bool_and(list_distinct(parameter_types) = ['BOOLEAN'])"
        )
        return frozenset(name for (name,) in rows.fetchall())

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

    def begin(self, stop: Callable[[], None]) -> tuple[float, int | None]:
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
        return QueryFailedError(f"cannot run query: {_clean(text)}")


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

    def _stop(self) -> None:
        self._expired = True
        self._deadline.interrupt()


def _clean(message: str) -> str:
    """Returns an engine's message without paths of files, names of ours, or its copy of the query."""
    first = re.split(r"\n+LINE ", message, maxsplit=1)[0]
    return _INTERNAL.sub("", _PATHS.sub("<file>", first)).strip()


def add_object_function(cursor: duckdb.DuckDBPyConnection, name: str, call: ObjectCall) -> None:
    """Registers a function from a struct of leaf columns to the JSON text they make."""

    def rebuild(column: pa.ChunkedArray | pa.Array) -> pa.Array:
        struct = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
        if isinstance(struct, pa.ChunkedArray):
            # Some versions of pyarrow give a chunked array of one chunk.
            struct = struct.chunk(0) if struct.num_chunks else pa.array([], struct.type)
        table = pa.table(struct.flatten(), names=names)
        texts = unshredded(table, call.path)
        return with_moved(texts, table) if call.moved else texts

    names = [OVERFLOW, *(f"{path}:{leaf_type}" for path, leaf_type in call.leaves)]
    types = ["VARCHAR", *(LEAVES[leaf_type].sql for _, leaf_type in call.leaves)]
    if call.moved:
        names.append(MOVED_ATTRIBUTES)
        types.append("VARCHAR")
    listed = ", ".join(f"{part_name(number)} {each}" for number, each in enumerate(types))
    create: Any = cursor.create_function
    create(name, rebuild, [f"STRUCT({listed})"], "VARCHAR", type="arrow", null_handling="special")


def unshredded(table: pa.Table, path: tuple[str, ...]) -> pa.Array:
    """Returns the JSON under a path for rows that may come from several segments.

    A leaf that is a column in one segment and in another's `_overflow` may be in both here, for different
    rows, which one call refuses: then each half is tried on its own, and rows of one segment lie together.
    """
    try:
        return unshred_values(table, path)
    except PayloadError:
        if table.num_rows < 2:
            raise
    half = table.num_rows // 2
    parts = [unshredded(table.slice(0, half), path), unshredded(table.slice(half), path)]
    return pa.concat_arrays(parts)
