"""The store with SQL on it: what `tracestore.open` gives. Composition: knows the store and the query layer."""

from __future__ import annotations

import contextlib
import functools
import importlib
import threading
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import Any, Self

from tracestore.answer import Answer
from tracestore.errors import QueryError, TraceStoreError
from tracestore.store import Condition, DeleteReport, Mode, Prices, StoreCounts
from tracestore.store import Store as PlainStore
from tracestore.store.core import Core
from tracestore.store.files.writer_lock import WriterLock
from tracestore.store.settings import Durability
from tracestore_query import Query, SqlDatasets, SqlExperiments
from tracestore_query.explore.row_numbers import FoundRows, find_rows
from tracestore_query.explore.selection import Selection


class Store(PlainStore):
    """An open store that answers SQL. Thread-safe; a context manager.

    Attributes:
        settings: what it was opened with.
        query_memory: of all queries together, e.g. `512MB`; beyond it sorts and joins use the disk. Read when
            the first query comes.
        query_spill_bytes: that all queries together may spill to disk, None for a share of what is free.
    """

    query_memory = "2GB"
    query_spill_bytes: int | None = None
    datasets: SqlDatasets
    experiments: SqlExperiments
    _query: Query | None = None
    _query_lock = threading.Lock()

    def __init__(self, core: Core, lock: WriterLock | None) -> None:
        super().__init__(core, lock)
        self.settings = core.settings
        self.datasets = SqlDatasets(core, lambda: self.query)
        self.experiments = SqlExperiments(core, lambda: self.query)

    @classmethod
    def open(
        cls,
        folder: str | Path,
        mode: Mode = "rw",
        *,
        create: bool = True,
        catalog_url: str | None = None,
        segments_url: str | None = None,
        durability: Durability = "sync",
        estimate_costs: bool = True,
        prices: Mapping[str, Mapping[str, float]] | None = None,
        **settings: Any,
    ) -> Self:
        """Opens a store in a folder, and creates it where there is none.

        Args:
            folder: the store's folder.
            mode: "rw" for the one writer, "r" for any number of readers, which see flushed rows.
            create: whether a store is made where there is none.
            catalog_url: a database for the catalog, e.g. `postgresql://…`; default the folder's SQLite file.
            segments_url: where segments live, e.g. `s3://bucket/prefix`; default the folder.
            durability: "sync" answers a write after its fdatasync, "async" before it.
            estimate_costs: whether calls of models that are sent without a cost get an estimate of it.
            prices: dollars for a million tokens by model, which win over the list:
                `{"m": {"input": 0.5, "output": 1.5}}`.
            settings: see `tracestore.store.Store.open`.

        Raises:
            StoreLockedError: where another process writes to the folder.
            StoreMissingError: where there is nothing to read.
            ValueError: for prices that are none.
        """
        if estimate_costs and mode == "rw":
            settings.setdefault("prices", _prices(prices))
        return super().open(
            folder,
            mode,
            create=create,
            catalog_url=catalog_url,
            segments_url=segments_url,
            durability=durability,
            **settings,
        )

    def sql(
        self,
        sql: str,
        params: Any = None,
        *,
        projects: Collection[str] | None = None,
        timeout_s: float | None = 60.0,
        max_rows: int | None = None,
        max_bytes: int | None = None,
        cursor: str | None = None,
        is_whole: bool = False,
    ) -> Answer:
        """Returns the answer of one SQL statement; docs/guide/sql.md is the language. Rows come as they are read.

        Args:
            sql: a SELECT, or EXPLAIN or DESCRIBE of one; `?` and `$name` are parameters.
            params: their values, in a list or by name.
            projects: the projects it may see, None for all.
            timeout_s: seconds until it is stopped, None for no bound.
            max_rows: rows after which the answer is cut, with a warning.
            max_bytes: bytes of Arrow data after which the answer is cut, with a warning.
            cursor: asks for a page of an ordered query: empty for the first, then `Answer.cursor`.
            is_whole: whether LIMIT and OFFSET are of the whole answer, which cursors take up where it stopped,
                and not of each page.

        Raises:
            QueryError: saying what is wrong and what to do about it.
        """
        return Answer(
            self.query.sql(
                sql,
                params,
                projects=projects,
                timeout_s=timeout_s,
                max_rows=max_rows,
                max_bytes=max_bytes,
                cursor=cursor,
                is_whole=is_whole,
            )
        )

    def counts(self) -> StoreCounts:
        """Returns what was taken, refused and rewritten since it was opened."""
        return self._core.counts.read()

    def delete(
        self,
        *,
        trace_id: str | None = None,
        project: str | None = None,
        where: str | Sequence[Condition] = (),
        tables: Sequence[str] | None = None,
        params: Any = None,
        dry_run: bool = False,
        projects: Collection[str] | None = None,
        timeout_s: float | None = 600.0,
    ) -> DeleteReport:
        """Removes rows for good: their segments are rewritten before this returns.

        Args:
            trace_id: rows of one trace.
            project: rows of one project; alone, the whole project.
            where: a condition of SQL, as after WHERE; or (column, operator, value) conditions on fixed columns.
            tables: table names; default spans for a condition of SQL, else every table with these columns.
            params: parameters of a condition of SQL.
            dry_run: counts the rows that a condition of SQL selects, and removes none.
            projects: the projects that it may touch, None for all; for a condition of SQL.
            timeout_s: seconds in which the rows must be found.

        What is given is combined by AND. Raises QueryError for a condition that is not valid.
        """
        if not isinstance(where, str):
            if dry_run:
                raise QueryError("cannot count rows: give the condition as SQL text")
            return super().delete(trace_id=trace_id, project=project, where=where, tables=tables)
        if not where.strip():
            raise QueryError("cannot delete everything: give a condition")
        if trace_id is not None:
            raise QueryError("cannot delete by trace and SQL: name the trace in the condition")
        reports = []
        for table in tables or ("spans",):
            find = functools.partial(
                find_rows,
                self.query,
                Selection(table, where),
                params,
                projects=_narrowed(projects, project),
                timeout_s=timeout_s,
            )
            reports.append(
                _counted(find()) if dry_run else self.delete_rows(lambda: find().numbers)  # noqa: B023 - called at once
            )
        return DeleteReport(
            sum(report.rows for report in reports),
            sum(report.segments for report in reports),
            tuple(fault for report in reports for fault in report.faults),
        )

    @property
    def query(self) -> Query:
        """Returns the query layer over this store, made at its first use."""
        with self._query_lock:
            if self._query is None:
                self._query = self._make_query()
            return self._query

    def _make_query(self) -> Query:
        return Query(self, memory_limit=self.query_memory, spill_bytes=self.query_spill_bytes)

    def close(self) -> None:
        """Ends the query layer, writes what is in memory to segments and closes the store; a second call does nothing.

        Where it cannot be written, it is in the log and replayed when the store is opened again.
        """
        if self._query is not None:
            self._query.close()
            self._query = None
        if self._core.writable and not self._core.closed:
            with contextlib.suppress(OSError, TraceStoreError):
                self.flush()
        super().close()


def _narrowed(projects: Collection[str] | None, project: str | None) -> Collection[str] | None:
    """Returns the projects that may be touched, narrowed to one of them."""
    if project is None:
        return projects
    return [project] if projects is None or project in projects else []


def _counted(rows: FoundRows) -> DeleteReport:
    return DeleteReport(rows.rows, len(rows.numbers), ())


def _prices(given: Mapping[str, Mapping[str, float]] | None) -> Callable[[], Prices]:
    """Returns what gives the price list, which is loaded with the first call of a model, or to check prices."""

    @functools.cache
    def load() -> Prices:
        prices: Prices = importlib.import_module("tracestore.prices").PriceList(given)
        return prices

    if given:
        load()
    return load


def open(folder: str | Path, mode: str = "rw", **settings: Any) -> Store:  # noqa: A001 - the public name
    """Opens a store in a folder, and creates it where there is none.

    Args:
        folder: the store's folder.
        mode: "rw" for the one writer, "r" for any number of readers, which see flushed rows.
        settings: see `Store.open`.

    Raises:
        StoreLockedError: where another process writes to the folder.
        StoreMissingError: where there is nothing to read.
    """
    return Store.open(folder, mode, **settings)  # type: ignore[arg-type]
