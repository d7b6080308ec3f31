"""One door for SQL: text in, Arrow out. Parse, check, bind, plan, run, rebuild."""

from __future__ import annotations

import datetime as dt
import functools
import re
import time
from collections.abc import Collection, Iterator
from typing import Any

import duckdb
import pyarrow as pa
from sqlglot import exp

from tracestore.store import Snapshot, Store
from tracestore.variant import unshred_values
from tracestore_query import dialect, guard, pruning
from tracestore_query.binder import Binder, TableData
from tracestore_query.catalog_tables import catalog_table
from tracestore_query.engine import Engine, Parameters, add_object_function, running
from tracestore_query.errors import QueryFailedError, QueryForbiddenError
from tracestore_query.null_leaves import only_null
from tracestore_query.plan import Plan, Scan
from tracestore_query.rebuild import rebuild
from tracestore_query.result import QueryStats, Result
from tracestore_query.scan_sql import leaf_sql_type, scan_text
from tracestore_query.tables import STORED

BATCH_ROWS = 8192
"""Rows of a result batch: small enough to stream, large enough to rebuild objects in bulk."""

_EXPLAIN = re.compile(r"^\s*explain\s+(analyze\s+)?", re.IGNORECASE)
_DESCRIBE = re.compile(r"^\s*describe\s+(?=select|with|from|\()", re.IGNORECASE)
_EVER = (-(2**63), 2**63 - 1)


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

    def close(self) -> None:
        """Ends the engine; the store stays open."""
        self._engine.close()

    def sql(
        self,
        sql: str,
        params: Parameters = None,
        *,
        projects: Collection[str] | None = None,
        timeout_s: float | None = 60.0,
        max_rows: int | None = None,
    ) -> Result:
        """Returns the answer of one statement: SELECT, or EXPLAIN or DESCRIBE of one.

        Args:
            sql: the text; `?` and `$name` are parameters.
            params: their values, in a list or by name.
            projects: the projects it may see, None for all.
            timeout_s: seconds until it is stopped, None for no bound.
            max_rows: rows after which the answer is cut, with a warning.

        Raises:
            QueryError: of one of the types in `tracestore_query.errors`.
        """
        started = time.perf_counter()
        explain = _EXPLAIN.match(sql)
        describe = _DESCRIBE.match(sql)
        body = sql[(explain or describe).end() :] if explain or describe else sql  # type: ignore[union-attr]
        cursor = self._engine.cursor()
        snapshot: Snapshot | None = None
        try:
            tree = dialect.parse(body)
            guard.check(tree, self._engine.functions)
            snapshot, plan, tables = self._plan(tree, cursor, projects)
            text = self._text(plan, tables, cursor)
            stats = _stats(plan, started)
            if explain:
                return _explained(
                    plan, text, cursor, snapshot, stats, params, analyze=bool(explain.group(1))
                )
            if describe:
                text = f"DESCRIBE {text}"
                plan.rebuilt.clear()
            return self._run(plan, text, cursor, snapshot, stats, params, timeout_s, max_rows)
        except RecursionError:
            _let_go(cursor, snapshot)
            raise QueryForbiddenError("cannot run query: nested too deeply") from None
        except BaseException:
            _let_go(cursor, snapshot)
            raise

    def _plan(
        self,
        tree: exp.Expression,
        cursor: duckdb.DuckDBPyConnection,
        projects: Collection[str] | None,
    ) -> tuple[Snapshot, Plan, dict[str, pa.Table]]:
        ranges = pruning.time_ranges(tree, functools.partial(_constant_ns, cursor))
        snapshot = self._store.snapshot(tuple(STORED), projects)
        try:
            data = functools.cache(functools.partial(_table_data, snapshot))
            catalog = functools.partial(catalog_table, store=self._store, projects=projects)
            binder = Binder(data, catalog, self._engine.functions)
            plan = binder.bind(tree)
            for scan in plan.scans.values():
                _choose_segments(scan, snapshot, ranges.get(scan.table, _EVER))
            self._add_objects(binder, cursor, data)
        except BaseException:
            snapshot.close()
            raise
        return snapshot, plan, binder.tables

    def _add_objects(self, binder: Binder, cursor: duckdb.DuckDBPyConnection, data: Any) -> None:
        for name, (scan, path) in binder.objects.items():
            fields = {"_overflow": "VARCHAR"}
            for text, leaf_type in binder.object_leaves[name]:
                fields[f"{text}:{leaf_type}"] = leaf_sql_type(leaf_type)
            del scan
            add_object_function(cursor, name, fields, functools.partial(_unshred, path=path))

    def _text(
        self, plan: Plan, tables: dict[str, pa.Table], cursor: duckdb.DuckDBPyConnection
    ) -> str:
        text = dialect.generate(plan.tree)
        for token, table in tables.items():
            cursor.register(token, table)
        for token, scan in plan.scans.items():
            scanned = scan_text(scan)
            for name, table in scanned.tables.items():
                cursor.register(name, table)
            # The token holds a random number of this query: no text of the user can be taken for it.
            text = text.replace(f'"{token}"', scanned.sql)
        return text

    def _run(
        self,
        plan: Plan,
        text: str,
        cursor: duckdb.DuckDBPyConnection,
        snapshot: Snapshot,
        stats: QueryStats,
        params: Parameters,
        timeout_s: float | None,
        max_rows: int | None,
    ) -> Result:
        with running(cursor, timeout_s):
            relation = cursor.sql(text, params=params) if params else cursor.sql(text)
            types = [str(sql_type) for sql_type in relation.types]
            reader = relation.to_arrow_reader(BATCH_ROWS)
        for each in plan.rebuilt:
            types[each.output] = "JSON"
        schema = _public_schema(reader.schema, plan)
        warnings = list(plan.warnings)
        batches = _batches(reader, plan, schema, cursor, timeout_s, max_rows, warnings)
        return Result(
            schema,
            types,
            batches,
            warnings,
            stats,
            functools.partial(_let_go, cursor, snapshot),
            cursor.interrupt,
        )


def _let_go(cursor: duckdb.DuckDBPyConnection, snapshot: Snapshot | None) -> None:
    cursor.close()
    if snapshot is not None:
        snapshot.close()


def _unshred(table: pa.Table, path: tuple[str, ...]) -> pa.Array:
    return unshred_values(table, path)


def _table_data(snapshot: Snapshot, table: str) -> TableData:
    view = snapshot.tables[table]
    types = view.leaf_types
    null_only = functools.cache(lambda path: only_null(path, view.segments, view.memtable))
    return TableData(types, sorted(types), null_only)


def _choose_segments(scan: Scan, snapshot: Snapshot, time_range: tuple[int, int]) -> None:
    """Sets a scan's segments: those whose time, project and paths may hold a matching row."""
    view = snapshot.tables[scan.table]
    low, high = time_range
    kept = [
        segment
        for segment in view.segments
        if segment.max_time_ns >= low and segment.min_time_ns < high and _may_match(scan, segment)
    ]
    scan.segments = tuple(kept)
    scan.pruned = len(view.segments) - len(kept)
    scan.memtable = view.memtable


def _may_match(scan: Scan, segment: Any) -> bool:
    """Tells whether a segment has, for every path that must not be null, one of its leaves."""
    for leaves in scan.required:
        if any(f"{path}:{leaf_type}" in segment.leaf_columns for path, leaf_type in leaves):
            continue
        if segment.tail_uri is None:
            return False
        tail = segment.tail_paths
        if not any(leaf_type in tail.get(path, ()) for path, leaf_type in leaves):
            return False
    return True


def _stats(plan: Plan, started: float) -> QueryStats:
    scans = plan.scans.values()
    return QueryStats(
        segments_read=sum(len(scan.segments) for scan in scans),
        segments_pruned=sum(scan.pruned for scan in scans),
        memtable_rows=sum(chunk.num_rows for scan in scans for chunk in scan.memtable),
        leaf_columns=sum(len(scan.leaves) for scan in scans),
        planning_ms=(time.perf_counter() - started) * 1000,
    )


def _public_schema(schema: pa.Schema, plan: Plan) -> pa.Schema:
    fields = list(schema)
    for each in plan.rebuilt:
        fields[each.output] = pa.field(fields[each.output].name, pa.string())
    return pa.schema([_plain(field) for field in fields])


def _plain(field: pa.Field) -> pa.Field:
    """Returns a field with extension types (JSON) as what they are stored in."""
    return pa.field(field.name, _plain_type(field.type), field.nullable)


def _plain_type(arrow_type: pa.DataType) -> pa.DataType:
    if isinstance(arrow_type, pa.BaseExtensionType):
        return arrow_type.storage_type
    if pa.types.is_list(arrow_type):
        return pa.list_(_plain_type(arrow_type.value_type))
    return arrow_type


def _batches(
    reader: pa.RecordBatchReader,
    plan: Plan,
    schema: pa.Schema,
    cursor: duckdb.DuckDBPyConnection,
    timeout_s: float | None,
    max_rows: int | None,
    warnings: list[str],
) -> Iterator[pa.RecordBatch]:
    """Yields a result's batches, objects rebuilt; cuts it after `max_rows` and says so."""
    left = max_rows
    with running(cursor, timeout_s):
        for batch in reader:
            table = pa.Table.from_batches([batch])
            if left is not None and table.num_rows > left:
                table = table.slice(0, left)
                warnings.append(
                    f"the result was cut after {max_rows} rows; add a LIMIT or page with a cursor"
                )
            if plan.rebuilt:
                table = rebuild(table, plan.rebuilt)
            arrays = [
                column.cast(field.type) if column.type != field.type else column
                for column, field in zip(table.columns, schema, strict=True)
            ]
            yield from pa.Table.from_arrays(arrays, schema=schema).to_batches()
            if left is not None:
                left -= table.num_rows
                if left <= 0 and warnings and warnings[-1].startswith("the result was cut"):
                    return


def _constant_ns(
    cursor: duckdb.DuckDBPyConnection, node: exp.Expression, exact: bool
) -> int | None:
    """Returns a constant expression as nanoseconds since 1970; a number as it is where `exact`."""
    if node.find(exp.Column, exp.Query, exp.Placeholder, exp.Parameter, exp.Dot):
        return None
    if exact:
        return (
            int(node.this) if isinstance(node, exp.Literal) and str(node.this).isdigit() else None
        )
    if isinstance(node, exp.Literal) and node.is_string:
        try:
            moment = dt.datetime.fromisoformat(str(node.this))
        except ValueError:
            return None
        moment = moment if moment.tzinfo else moment.replace(tzinfo=dt.UTC)
        return (
            int((moment - dt.datetime(1970, 1, 1, tzinfo=dt.UTC)) / dt.timedelta(microseconds=1))
            * 1000
        )
    try:
        row = cursor.execute(
            f"SELECT epoch_us(CAST(({dialect.generate(node)}) AS TIMESTAMPTZ))"
        ).fetchone()
    except duckdb.Error:
        return None
    return None if row is None or row[0] is None else int(row[0]) * 1000


def _explained(
    plan: Plan,
    text: str,
    cursor: duckdb.DuckDBPyConnection,
    snapshot: Snapshot,
    stats: QueryStats,
    params: Parameters,
    *,
    analyze: bool,
) -> Result:
    """Returns the logical plan as rows, and with ANALYZE the engine's own profile as the last."""
    rows: list[tuple[str, str]] = []
    for scan in plan.scans.values():
        tail = sum(1 for segment in scan.segments if segment.tail_uri is not None)
        rows.append(("scan", scan.table))
        rows.append(
            ("segments", f"{len(scan.segments)} read, {scan.pruned} pruned, {tail} with a tail")
        )
        rows.append(("memtable", f"{sum(chunk.num_rows for chunk in scan.memtable)} rows"))
        rows.append(("columns", ", ".join(scan.fixed) or "none"))
        rows.append(
            ("leaf columns", ", ".join(f"{path}:{kind}" for path, kind in scan.leaves) or "none")
        )
        if "_overflow" in scan.fixed:
            rows.append(("overflow", "read for every row: an object is needed inside the query"))
    rows += [
        ("rebuilt", f"column {each.output}: {'.'.join(each.path)}, for returned rows")
        for each in plan.rebuilt
    ]
    rows += [("warning", warning) for warning in plan.warnings]
    if analyze:
        with running(cursor, None):
            cursor.execute(f"EXPLAIN ANALYZE {text}", params) if params else cursor.execute(
                f"EXPLAIN ANALYZE {text}"
            )
            profile = cursor.fetchall()
        rows.append(("profile", re.sub(r"/\S+/", "", "\n".join(str(row[-1]) for row in profile))))
    table = pa.table({"step": [row[0] for row in rows], "detail": [row[1] for row in rows]})
    if not rows:
        raise QueryFailedError("cannot explain query: it reads nothing")
    return Result(
        table.schema,
        ["VARCHAR", "VARCHAR"],
        iter(table.to_batches()),
        list(plan.warnings),
        stats,
        functools.partial(_let_go, cursor, snapshot),
        cursor.interrupt,
    )
