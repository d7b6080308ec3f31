"""One door for SQL: text in, Arrow out."""

from __future__ import annotations

import functools
import time
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import duckdb

from tracestore.store import Store
from tracestore_query.answer.result import Result
from tracestore_query.engine import LOST, Engine
from tracestore_query.errors import QueryFailedError, QueryForbiddenError
from tracestore_query.execute import runner
from tracestore_query.execute.answer_state import answer_state
from tracestore_query.execute.execution import Execution
from tracestore_query.execute.kept_groups import KeepRule
from tracestore_query.execute.streaming import Caps
from tracestore_query.language.parameters import Parameters
from tracestore_query.plan.plan import Plan
from tracestore_query.planner import Planner, Request


@dataclass(frozen=True, slots=True)
class ForeignPlan:
    """A plan that another engine runs, and the values of the query's parameters by their names in its tree."""

    plan: Plan
    values: Mapping[str, Any]


class Query:
    """SQL over one store. Thread-safe.

    Args:
        store: an open store.
        memory_limit: of all queries together, e.g. `2GB`.
        threads: worker threads of all queries together, None for one a core.
        shortcuts: whether segments and rows that cannot be in an answer are left out before the engine reads
            them. Answers are the same without; the tests compare.
        spill_bytes: that all queries together may spill to disk, None for a share of what is free.
        spill_folder: where they spill, None for the system's folder of temporary files.
        keeps: from how many rows on groups of segments are kept, None for the default.
    """

    def __init__(
        self,
        store: Store,
        *,
        memory_limit: str = "2GB",
        threads: int | None = None,
        shortcuts: bool = True,
        spill_bytes: int | None = None,
        spill_folder: str | None = None,
        keeps: KeepRule | None = None,
    ) -> None:
        folders = [str(folder.resolve()) for folder in store.segment_folders]
        self._engine = Engine(folders, memory_limit, threads, spill_bytes, spill_folder)
        self._planner = Planner(store, self._engine, shortcuts=shortcuts, keeps=keeps)

    def close(self) -> None:
        """Ends the engine; the store stays open."""
        self._planner.close()
        self._engine.close()

    def sql(
        self,
        sql: str,
        params: Parameters = None,
        *,
        projects: Collection[str] | None = None,
        timeout_s: float | None = 60.0,
        max_rows: int | None = None,
        max_bytes: int | None = None,
        cursor: str | None = None,
        row_ids: bool = False,
        is_whole: bool = False,
    ) -> Result:
        """Returns the answer of one statement: SELECT, or EXPLAIN or DESCRIBE of one.

        Args:
            sql: the text; `?` and `$name` are parameters.
            params: their values, in a list or by name.
            projects: the projects it may see, None for all.
            timeout_s: seconds until it is stopped, None for no bound.
            max_rows: rows after which the answer is cut, with a warning.
            max_bytes: bytes of Arrow data after which the answer is cut, with a warning.
            cursor: asks for a page of an ordered query: empty for the first, then `Result.cursor`.
            row_ids: adds a column with the file and number of each row; for a SELECT from one table.
            is_whole: whether LIMIT and OFFSET are of the whole answer, which cursors take up where it stopped,
                and not of each page.

        Raises:
            QueryError: of one of the types in `tracestore_query.errors`.
        """
        request = Request(sql, params, projects, cursor, row_ids, is_whole)
        caps = Caps(max_rows, max_bytes)
        try:
            return self._answer(request, caps, timeout_s)
        except (QueryFailedError, duckdb.Error) as error:
            is_lost = LOST in str(error)
            if isinstance(error, duckdb.Error):
                is_lost = self._engine.note_fault(error)
            if not is_lost:
                raise
        # Another query has lost the engine; this one is asked of the new one.
        return self._answer(request, caps, timeout_s)

    @contextmanager
    def plan_elsewhere(
        self, sql: str, params: Parameters = None, *, projects: Collection[str] | None = None
    ) -> Iterator[ForeignPlan]:
        """Gives the plan of a query that another engine runs; its files stay until the block ends.

        Raises:
            QueryError: of one of the types in `tracestore_query.errors`.
        """
        execution = Execution(self._engine, None)
        try:
            with execution.deadline.planning():
                plan, values = self._planner.plan_elsewhere(
                    Request(sql, params, projects), execution
                )
            yield ForeignPlan(plan, values)
        finally:
            execution.close()

    def _answer(self, request: Request, caps: Caps, timeout_s: float | None) -> Result:
        started_s = time.perf_counter()
        execution = Execution(self._engine, timeout_s)
        try:
            with execution.deadline.planning():
                planned = self._planner.plan(request, execution)
            planning_ms = (time.perf_counter() - started_s) * 1000
            stats = runner.stats_of(planned.plan, planning_ms)
            result = runner.run(planned, execution, stats, caps)
            result.state = functools.partial(answer_state, planned, execution.snapshot)
        except RecursionError:
            execution.close()
            raise QueryForbiddenError("cannot run query: nested too deeply") from None
        except BaseException:
            execution.close()
            raise
        return result
