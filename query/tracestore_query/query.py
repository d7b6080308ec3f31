"""One door for SQL: text in, Arrow out. Parse, check, bind, plan, run, rebuild."""

from __future__ import annotations

import functools
import re
import time
from collections.abc import Collection
from dataclasses import replace
from typing import Any

import pyarrow as pa
from sqlglot import exp

from tracestore.store import Dataset, Store
from tracestore_query.answer.result import Notes, QueryStats, Result
from tracestore_query.bind.bind_state import Binding
from tracestore_query.bind.binder import Binder
from tracestore_query.engine.duckdb import Engine, add_object_function
from tracestore_query.engine.scan_sql import among, newest_rows, scan_text, tail_rows
from tracestore_query.errors import QueryForbiddenError
from tracestore_query.execute.execution import Running
from tracestore_query.execute.explain import explain
from tracestore_query.execute.file_rows import FileRows
from tracestore_query.execute.object_rebuild import Rebuilder
from tracestore_query.execute.plan_cache import Prepared, PreparedQueries, key_of
from tracestore_query.execute.streaming import Caps, Stream, plain_schema
from tracestore_query.language import allow_list, dialect
from tracestore_query.language.constant_folding import Constants
from tracestore_query.language.parameters import Parameters, note_values
from tracestore_query.plan import pruning, top_n
from tracestore_query.plan.paging import Paging, paged
from tracestore_query.plan.plan import EVER, FoundRows, Plan, Scan, TailGroup
from tracestore_query.plan.segment_selection import TableReader, reader_of
from tracestore_query.tables.catalog import catalog_table
from tracestore_query.tables.names import STORED, called, stored_table

BATCH_ROWS = 8192
"""Rows of a result batch: small enough to stream, large enough to rebuild objects in bulk."""

MAX_FOUND_ROWS = 2000
MAX_FOUND_SEGMENTS = 100
"""Rows of a tail path that are looked up before the query runs, and segments to look in."""

PARSED_TEXTS = 256
"""Texts whose trees are kept, about 100 KiB each for a long one."""

_EXPLAIN = re.compile(r"\s*explain\b(\s+analyze\b)?", re.IGNORECASE)
_DESCRIBE = re.compile(r"\s*describe\s+(?=select\b|with\b|from\b|\()", re.IGNORECASE)
_PLACES = re.compile(r"/\S+/")


class Query:
    """Answers SQL over one store. Thread-safe.

    Args:
        store: an open store.
        memory_limit: of all queries together, e.g. `2GB`.
        threads: worker threads of all queries together, None for one a core.
    """

    def __init__(
        self, store: Store, *, memory_limit: str = "2GB", threads: int | None = None
    ) -> None:
        self._store = store
        self._engine = Engine([str(store.folder.resolve())], memory_limit, threads)
        self._kept = PreparedQueries()
        # Dashboards ask the same again and again; parsing costs about a third of planning.
        self._checked = functools.lru_cache(maxsize=PARSED_TEXTS)(self._parsed)

    def close(self) -> None:
        """Ends the engine; the store stays open."""
        self._kept.close()
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

        Raises:
            QueryError: of one of the types in `tracestore_query.errors`.
        """
        started = time.perf_counter()
        explained = _EXPLAIN.match(sql)
        described = _DESCRIBE.match(sql)
        head = explained or described
        body = sql[head.end() :] if head is not None else sql
        held = Running(self._engine, timeout_s)
        caps = Caps(max_rows, max_bytes)
        try:
            if head is None and cursor is None:
                ready = self._ready(body, params, held, projects)
                return _run(ready, held, _stats(ready.plan, started), caps, None)
            tree = self._checked(body).copy()
            values = note_values(tree, params)
            paging = paged(tree, body, params, cursor) if cursor is not None else None
            ready = self._prepared(tree, values, held, projects)
            if paging is not None:
                ready = replace(ready, text=paging.wrapped(ready.text))
            stats = _stats(ready.plan, started)
            if explained is not None:
                analyze = explained.group(1) is not None
                return _explained(ready, held, stats, analyze=analyze)
            if described is not None:
                ready = replace(ready, text=f"DESCRIBE {ready.text}")
                ready.plan.rebuilt.clear()
            return _run(ready, held, stats, caps, paging)
        except RecursionError:
            held.let_go()
            raise QueryForbiddenError("cannot run query: nested too deeply") from None
        except BaseException:
            held.let_go()
            raise

    def _parsed(self, text: str) -> exp.Expr:
        """Returns the checked tree of a text; callers change copies only."""
        tree = dialect.parse(text)
        allow_list.check(tree, self._engine.functions)
        for node in tree.walk():
            # Places in the text: of no use from here on, and most of what a copy costs.
            node.meta.clear()
        return tree

    def _ready(
        self, body: str, params: Parameters, held: Running, projects: Collection[str] | None
    ) -> Prepared:
        """Returns a query ready to run: its plan of the last time, where nothing has changed since."""
        key = key_of(body, params, projects)
        found = self._kept.find(key, params) if key is not None else None
        if key is not None and found is not None:
            ready, tables = found
            held.snapshot = self._store.snapshot(tables, projects, ready.covering)
            if self._kept.holds(key, held.snapshot):
                held.keep = functools.partial(self._kept.keep_statement, key, ready)
                statement = self._kept.take_statement(key, ready)
                if statement is not None:
                    held.run_again(statement)
                    return ready
                for name, table in ready.tables.items():
                    held.cursor.register(name, table)
                return ready
            held.snapshot.close()
        tree = self._checked(body).copy()
        values = note_values(tree, params)
        ready = self._prepared(tree, values, held, projects)
        if key is not None and held.snapshot is not None:
            self._kept.keep(key, ready, held.snapshot)
            held.keep = functools.partial(self._kept.keep_statement, key, ready)
        return ready

    def _prepared(
        self,
        tree: exp.Expr,
        values: dict[str, Any],
        held: Running,
        projects: Collection[str] | None,
    ) -> Prepared:
        """Returns a tree's plan and text; what the text names is registered with the cursor."""
        constants = Constants(self._engine.cursor)
        ranges = pruning.note_bounds(tree, constants.value)
        top_n.note_ends(tree, constants.value)
        names = _stored_tables(tree)
        times = [ranges.get(name, EVER) for name in names] or [EVER]
        covering = (min(low for low, _ in times), max(high for _, high in times))
        if any(isinstance(each.this, exp.Func) for each in tree.find_all(exp.Table)):
            covering = EVER
        datasets: list[Dataset] = []
        if any(called(each) == "dataset" for each in tree.find_all(exp.Table)):
            # Before the snapshot: it has the rows of every version that is known here.
            datasets = self._store.datasets.list(projects)
        snapshot = held.snapshot = self._store.snapshot(names, projects, covering)
        catalog = functools.partial(catalog_table, store=self._store, projects=projects)
        read = reader_of(snapshot)
        plan = Binder(Binding(read, catalog, datasets)).bind(tree)
        for rebuilt in plan.rebuilt:
            rebuilt.scan.objects[rebuilt.path[0]] = None
        for scan in plan.scans.values():
            read(scan.table).choose_segments(scan)
            scan.tailed = tuple(_with_found_rows(scan, group, held) for group in scan.tailed)
            if scan.newest_only:
                _keep_newest(scan, read(scan.table), plan, held)
        text, tables = _text(plan, held)
        return Prepared(
            plan,
            text,
            tables,
            values,
            covering,
            lasting=not constants.of_moment,
            any_values=not constants.of_values,
        )


def _text(plan: Plan, held: Running) -> tuple[str, dict[str, pa.Table]]:
    """Returns the engine's text of a plan, and the tables it names; they are registered with the cursor."""
    text = dialect.generate(plan.tree)
    tables = dict(plan.tables)
    for name, call in plan.objects.items():
        add_object_function(held.cursor, name, call)
        held.functions += (name,)
    for token, scan in plan.scans.items():
        scanned = scan_text(scan)
        tables |= scanned.tables
        # The token holds a random number of this query: no text of the user can be taken for it.
        text = text.replace(f'"{token}"', scanned.sql)
    for name, table in tables.items():
        held.cursor.register(name, table)
    return text, tables


def _with_found_rows(scan: Scan, group: TailGroup, held: Running) -> TailGroup:
    """Returns a group with the rows of a path that all its rows must have, where these are few."""
    if not group.needed or len(group.segments) > MAX_FOUND_SEGMENTS:
        return group
    path = min(group.needed)
    with held.deadline.running():
        sql = tail_rows(scan, group, path, MAX_FOUND_ROWS + 1)
        table = held.cursor.sql(sql).to_arrow_table()
    if table.num_rows > MAX_FOUND_ROWS:
        return group
    return replace(group, found=FoundRows(path, table))


def _keep_newest(scan: Scan, reader: TableReader, plan: Plan, held: Running) -> None:
    """Narrows a scan to the newest row of each id: times of rows never repeat within a dataset."""
    every = Scan(f"{scan.token}_ids", scan.table, predicate=scan.predicate, judged=scan.judged)
    every.time_range = scan.time_range
    every.fixed |= dict.fromkeys(("id", "created_ns", "deleted"))
    reader.choose_segments(every)
    source = scan_text(every)
    for name, table in source.tables.items():
        held.cursor.register(name, table)
    newest = f"{scan.token}_newest"
    with held.deadline.running():
        plan.tables[newest] = held.cursor.sql(newest_rows(source.sql)).to_arrow_table()
    scan.predicate = f"{scan.predicate} AND {among('created_ns', newest)}"


def _stored_tables(tree: exp.Expr) -> tuple[str, ...]:
    """Returns the stored tables that a query may read, views and functions included."""
    found = [stored_table(table) for table in tree.find_all(exp.Table)]
    return tuple(dict.fromkeys(name for name in found if name is not None))


def _run(
    ready: Prepared, held: Running, stats: QueryStats, caps: Caps, paging: Paging | None
) -> Result:
    plan = ready.plan
    with held.deadline.running():
        statement = held.statement or held.bind(ready.text, ready.values)
        types = list(statement.types)
        reader = statement.relation.to_arrow_reader(BATCH_ROWS)
    fields = list(reader.schema)
    if paging is not None:
        types, fields = types[: -paging.keys], fields[: -paging.keys]
    for each in plan.rebuilt:
        types[each.output] = "JSON"
    schema = plain_schema(pa.schema(fields), plan.rebuilt)
    notes = Notes(list(plan.warnings))
    rebuilder = Rebuilder(plan.rebuilt, FileRows(held.deadline.cursor)) if plan.rebuilt else None
    stream = Stream(reader, rebuilder, schema, held, caps, paging, notes, _slow_hint(plan))
    return Result(schema, types, stream.batches(), notes, stats, held.let_go, held.deadline.cancel)


def _slow_hint(plan: Plan) -> str | None:
    """Returns what to say of a slow query that reads a table at all times."""
    for scan in plan.scans.values():
        if scan.time_range == EVER and scan.segments:
            column = STORED[scan.table].time_column
            return (
                f"the query reads {scan.table} at all times; it is faster with a time range: "
                f"{column} >= now() - INTERVAL 1 DAY"
            )
    return None


def _stats(plan: Plan, started: float) -> QueryStats:
    scans = plan.scans.values()
    return QueryStats(
        segments_read=sum(len(scan.segments) for scan in scans),
        segments_pruned=sum(scan.pruned for scan in scans),
        memtable_rows=sum(chunk.num_rows for scan in scans for chunk in scan.memtable),
        leaf_columns=sum(len(scan.leaves) for scan in scans),
        planning_ms=(time.perf_counter() - started) * 1000,
    )


def _explained(ready: Prepared, held: Running, stats: QueryStats, *, analyze: bool) -> Result:
    plan = ready.plan
    profile: str | None = None
    if analyze:
        with held.deadline.running():
            held.cursor.execute(f"EXPLAIN ANALYZE {ready.text}", ready.values or None)
            lines = held.cursor.fetchall()
        profile = _PLACES.sub("", "\n".join(str(line[-1]) for line in lines))
    table: pa.Table = explain(plan, profile)
    notes = Notes(list(plan.warnings))
    batches = iter(table.to_batches())
    types = ["VARCHAR", "VARCHAR"]
    return Result(table.schema, types, batches, notes, stats, held.let_go, held.deadline.cancel)
