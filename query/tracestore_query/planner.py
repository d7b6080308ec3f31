"""From a text to a query that is ready to run: parse, check, bind, choose segments, look up rows, write SQL."""

from __future__ import annotations

import functools
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from typing import Any

import pyarrow as pa
from sqlglot import exp

from tracestore.store import Dataset, Paths, Snapshot, Store
from tracestore_query.bind.bind_state import Binding
from tracestore_query.bind.binder import Binder
from tracestore_query.bind.text_search import depends_on_parameter
from tracestore_query.bind.typed.engine_types import EngineTypes
from tracestore_query.engine import Engine
from tracestore_query.engine.query_sql import query_sql
from tracestore_query.errors import QueryCursorError, QueryForbiddenError
from tracestore_query.execute.carried_columns import with_carried_columns
from tracestore_query.execute.execution import Execution
from tracestore_query.execute.kept_groups import KeepRule, KeptGroups
from tracestore_query.execute.plan_cache import PlanCache, PlanKey
from tracestore_query.execute.planned_query import PlannedQuery
from tracestore_query.execute.row_lookup import TailLookup, ids_scan, with_newest_rows
from tracestore_query.execute.runner import described_columns
from tracestore_query.language.constant_folding import Constants
from tracestore_query.language.looking_around import summary
from tracestore_query.language.nodes import find_nodes
from tracestore_query.language.parameters import Parameters, note_values, used_values
from tracestore_query.language.statement import Kind, Statement, Statements
from tracestore_query.pages.paging import Paging, paged
from tracestore_query.plan import pruning, top_n
from tracestore_query.plan.asked_columns import asked_columns
from tracestore_query.plan.plan import Plan, Rebuilt
from tracestore_query.plan.read_paths import NotReadError, read_paths
from tracestore_query.plan.scan import EVER, Scan, TimeRange
from tracestore_query.plan.scan_plan import ScanPlan
from tracestore_query.plan.segment_selection import TableReader, reader_of
from tracestore_query.plan.word_rows import with_word_rows
from tracestore_query.tables.catalog import catalog_table
from tracestore_query.tables.table_nodes import stored_table


@dataclass(frozen=True, slots=True)
class Request:
    """A query as a caller asks it.

    Attributes:
        sql: the text.
        parameters: values of its parameters, in a list or by name.
        projects: the projects it may see, None for all.
        cursor: asks for a page; empty for the first, None for the whole answer.
        row_ids: adds the file and number of each row of the one table that it reads.
        is_whole: whether LIMIT is of the whole answer and not of each page.
    """

    sql: str
    parameters: Parameters = None
    projects: Collection[str] | None = None
    cursor: str | None = None
    row_ids: bool = False
    is_whole: bool = False


@dataclass(frozen=True, slots=True)
class _Needed:
    """What a query reads: its tables, a range that covers the times of all their rows, and paths (None for all)."""

    tables: tuple[str, ...]
    time_range: TimeRange
    reads: Paths


class Planner:
    """The planner of the queries over one store. Thread-safe."""

    def __init__(
        self, store: Store, engine: Engine, *, shortcuts: bool = True, keeps: KeepRule | None = None
    ) -> None:
        self._store = store
        self._engine = engine
        self._types = EngineTypes(engine)
        self._shortcuts = shortcuts
        self._groups = KeptGroups(engine, self._types, keeps or KeepRule())
        self._cache = PlanCache()
        self._tails = TailLookup()
        self._statements = Statements(engine.functions)

    def close(self) -> None:
        """Drops the plans that are kept."""
        self._cache.close()

    def plan(self, request: Request, execution: Execution) -> PlannedQuery:
        """Returns a query that is ready to run; a plan that was made before is used again where it still holds.

        Args:
            request: what is asked.
            execution: takes the snapshot that the query reads, and the tables that its SQL names.
        """
        key: PlanKey | None = None
        if request.cursor is None and not request.row_ids:
            key = PlanKey.of(request.sql, request.parameters, request.projects)
        if key is not None:
            cached = self._cached(key, request, execution)
            if cached is not None:
                self._note_asked(cached, request)
                execution.deadline.names = cached.plan.query.names
                return cached
        statement = self._statements.read(request.sql)
        planned = self._planned(self._summarized(statement, request), request, execution)
        if request.cursor in {None, ""}:
            self._note_asked(planned, request)
        if key is not None and statement.kind is Kind.SELECT and execution.snapshot is not None:
            self._cache.keep(key, planned, execution.snapshot)
            execution.keep = functools.partial(self._cache.keep_statement, key, planned)
        return planned

    def plan_elsewhere(self, request: Request, execution: Execution) -> tuple[Plan, dict[str, Any]]:
        """Returns the plan of a query that another engine runs, and the values of its parameters.

        Objects are parts of the query then: no row of an answer is looked up in its file once more.

        Raises:
            QueryForbiddenError: where a statement asks for something else than rows.
        """
        statement = self._summarized(self._statements.read(request.sql), request)
        if statement.kind is not Kind.SELECT:
            raise QueryForbiddenError(
                f"cannot run query elsewhere: {statement.kind.value} tells of this engine; ask for rows"
            )
        tree = statement.query
        values = note_values(tree, request.parameters)
        tables = _stored_tables(tree)
        constants = Constants(self._engine.time_us)
        ranges: dict[str, TimeRange] = {}
        if self._shortcuts:
            ranges = pruning.note_bounds(tree, constants.value)
            top_n.note_top_n(tree, constants.value, ties=False)
        time_range = _time_range(tree, tables, ranges)
        needed = _Needed(tables, time_range, None)
        binding, read = self._binding(needed, request, execution, rebuilds_late=False)
        binding.finds_rows = False
        query = Binder(binding).bind(tree)
        scans = {
            token: _scan_elsewhere(scan, read(scan.table), execution)
            for token, scan in query.scans.items()
        }
        return Plan(query, scans), values

    def _note_asked(self, planned: PlannedQuery, request: Request) -> None:
        """Counts the columns that a query compares."""
        if planned.asked is not None and planned.kind is Kind.SELECT:
            self._store.note_asked(request.projects, planned.asked)

    def _cached(self, key: PlanKey, request: Request, execution: Execution) -> PlannedQuery | None:
        """Returns the plan of the last time, None where there is none or something has changed since."""
        cached = self._cache.find(key, request.parameters)
        if cached is None:
            return None
        planned, tables = cached
        snapshot = self._store.snapshot(
            tables, request.projects, planned.time_range, reads=planned.reads
        )
        execution.snapshot = snapshot
        if not self._cache.is_current(key, snapshot):
            snapshot.close()
            return None
        if planned.trace_dependent and not self._cache.has_values(key):
            return self._of_other_traces(planned, snapshot, execution)
        execution.keep = functools.partial(self._cache.keep_statement, key, planned)
        statement = self._cache.take_statement(key, planned)
        if statement is not None and statement.generation == self._engine.generation:
            execution.reuse(statement)
        else:
            # One that a lost instance of the engine bound goes with it.
            execution.register(planned.tables, {})
        return planned

    def _of_other_traces(
        self, planned: PlannedQuery, snapshot: Snapshot, execution: Execution
    ) -> PlannedQuery:
        """Returns a plan over the segments that may hold the traces that its values name; it is not bound anew."""
        read = reader_of(snapshot, planned.reads)
        scans = dict(planned.plan.scans)
        for token, scan in planned.plan.query.scans.items():
            if scan.trace_names:
                ids = pruning.trace_ids_of([planned.values[name] for name in scan.trace_names])
                of_traces = replace(scan, trace_ids=ids)
                rebuilt = planned.plan.query.rebuilt
                scans[token] = self._scan_plan(of_traces, read(scan.table), execution, rebuilt)
        plan = replace(planned.plan, scans=scans)
        query = query_sql(plan, self._engine.checker, planned.over_tokens)
        execution.register(query.tables, {})
        return replace(planned, plan=plan, sql=query.sql, tables=query.tables)

    def _summarized(self, statement: Statement, request: Request) -> Statement:
        """Returns a statement with SUMMARIZE as the query that it asks, which the columns of its own say."""
        if statement.kind is not Kind.SUMMARIZE:
            return statement
        execution = Execution(self._engine, None)
        try:
            described = Statement(Kind.DESCRIBE, statement.query.copy())
            planned = self._planned(described, replace(request, cursor=None), execution)
            names, types = described_columns(planned, execution)
        finally:
            execution.close()
        columns = list(zip(names, types, strict=True))
        return Statement(Kind.SELECT, summary(statement.query, columns))

    def _planned(
        self, statement: Statement, request: Request, execution: Execution
    ) -> PlannedQuery:
        reads = read_paths(statement.query) if self._store.may_have_peers else None
        if reads is not None:
            copy = replace(statement, query=statement.query.copy())
            try:
                return self._planned_with(reads, copy, request, execution)
            except NotReadError:
                execution.restart()
        return self._planned_with(None, statement, request, execution)

    def _planned_with(
        self, reads: Paths, statement: Statement, request: Request, execution: Execution
    ) -> PlannedQuery:
        """Plans a statement whose snapshot is taken for some paths.

        Raises NotReadError where it reads others.
        """
        tree = statement.query
        values = note_values(tree, request.parameters)
        is_of_words = depends_on_parameter(tree)
        paging = _paging(statement.kind, tree, request)
        constants = Constants(self._engine.time_us)
        ranges: dict[str, TimeRange] = {}
        if self._shortcuts:
            ranges = pruning.note_bounds(tree, constants.value)
            top_n.note_top_n(tree, constants.value, ties=paging is not None)
        tables = _stored_tables(tree)
        asked = asked_columns(tree) if tables else None
        time_range = _time_range(tree, tables, ranges)
        needed = _Needed(tables, time_range, reads)
        plan = self._plan_of(tree, needed, request, execution, paging)
        if self._shortcuts and paging is None and statement.kind is not Kind.DESCRIBE:
            computes = statement.kind is not Kind.EXPLAIN
            plan = self._groups.applied(plan, execution, values, constants.value, computes=computes)
        if paging is not None:
            paging.take_order(plan.query.tree)
        execution.deadline.names = plan.query.names
        query = query_sql(plan, self._engine.checker)
        execution.register(query.tables, plan.query.objects)
        sql = query.sql
        names: tuple[str, ...] = ()
        if paging is not None:
            # LIMIT and OFFSET may have been parameters.
            values = {name: values[name] for name in values if name in used_values(plan.query.tree)}
            sql, names = paging.text(sql, *execution.columns(sql, values))
        is_of_values = bool(
            constants.of_values or is_of_words or plan.query.of_values or (plan.kept and values)
        )
        of_traces = [scan_plan for scan_plan in plan.scans.values() if scan_plan.is_of_traces]
        return PlannedQuery(
            statement.kind,
            plan,
            sql,
            query.tables,
            values,
            paging,
            time_range,
            reads,
            time_independent=not constants.of_moment,
            parameter_independent=not is_of_values and not of_traces,
            trace_dependent=bool(of_traces)
            and not is_of_values
            and all(scan_plan.scan.trace_names for scan_plan in of_traces),
            names=names,
            asked=asked,
            over_tokens=query.over_tokens,
        )

    def _plan_of(
        self,
        tree: exp.Expr,
        needed: _Needed,
        request: Request,
        execution: Execution,
        paging: Paging | None,
    ) -> Plan:
        """Binds a tree to a snapshot of the store, and plans each of its scans."""
        # Rows that only their content tells apart are compared by it, objects included.
        is_late = paging is None or paging.is_total
        binding, read = self._binding(needed, request, execution, rebuilds_late=is_late)
        query = Binder(binding).bind(tree)
        # Ids that a caller asks for are those of rows, and no more.
        rebuilt = () if request.row_ids or not self._shortcuts else query.rebuilt
        scans = {
            token: self._scan_plan(scan, read(scan.table), execution, rebuilt)
            for token, scan in query.scans.items()
        }
        return Plan(query, scans)

    def _scan_plan(
        self, scan: Scan, table: TableReader, execution: Execution, rebuilt: Sequence[Rebuilt]
    ) -> ScanPlan:
        """Returns what a scan reads; `rebuilt` are the objects of the query's answer."""
        plan = self._tails.narrowed(with_word_rows(table.select_segments(scan)), execution)
        if not scan.newest_only:
            return with_carried_columns(plan, rebuilt)
        return with_newest_rows(plan, table.select_segments(ids_scan(scan)), execution)

    def _binding(
        self,
        needed: _Needed,
        request: Request,
        execution: Execution,
        *,
        rebuilds_late: bool,
    ) -> tuple[Binding, Callable[[str], TableReader]]:
        """Returns what a tree is bound to, and the tables of a snapshot of the store, which the execution takes."""
        projects = request.projects
        datasets: list[Dataset] = []
        if "dataset_rows" in needed.tables:
            # Before the snapshot: it has the rows of every version that is known here.
            datasets = self._store.datasets.list(projects)
        snapshot = self._store.snapshot(
            needed.tables, projects, needed.time_range, reads=needed.reads
        )
        execution.snapshot = snapshot

        def catalog(name: str) -> pa.Table:
            table, missing = catalog_table(name, self._store, projects)
            execution.missing += missing
            return table

        read = reader_of(snapshot, needed.reads)
        binding = Binding(
            read,
            catalog,
            self._types,
            datasets,
            shortcuts=self._shortcuts,
            row_ids=request.row_ids,
            rebuilds_late=rebuilds_late,
        )
        return binding, read


def _scan_elsewhere(scan: Scan, table: TableReader, execution: Execution) -> ScanPlan:
    """Returns what a scan of another engine reads: rows of words and of tails are found where that runs."""
    plan = table.select_segments(scan)
    if not scan.newest_only:
        return plan
    return with_newest_rows(plan, table.select_segments(ids_scan(scan)), execution)


def _paging(kind: Kind, tree: exp.Expr, request: Request) -> Paging | None:
    if request.cursor is None:
        return None
    if kind is not Kind.SELECT:
        raise QueryCursorError(f"cannot page query: {kind.value} has no pages")
    return paged(tree, request.sql, request.parameters, request.cursor, is_whole=request.is_whole)


def _stored_tables(tree: exp.Expr) -> tuple[str, ...]:
    """Returns the stored tables that a query may read, views and functions included."""
    names = [stored_table(table) for table in find_nodes(tree, exp.Table)]
    return tuple(dict.fromkeys(name for name in names if name is not None))


def _time_range(tree: exp.Expr, tables: tuple[str, ...], ranges: dict[str, TimeRange]) -> TimeRange:
    """Returns the range of times that covers the ranges of all tables that a query reads."""
    if any(isinstance(table.this, exp.Func) for table in find_nodes(tree, exp.Table)):
        return EVER
    by_table = [ranges.get(name, EVER) for name in tables] or [EVER]
    return min(start for start, _ in by_table), max(stop for _, stop in by_table)
