"""From a query that is ready to run to its answer."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator, Sequence
from typing import Final

import pyarrow as pa

from tracestore_query.answer.result import Notes, QueryStats, Result
from tracestore_query.answer.tagged_texts import (
    NUMBERS,
    plain_name,
    plain_numbers,
    tagged_columns,
)
from tracestore_query.execute.execution import Execution
from tracestore_query.execute.explain import explain, shown_sql
from tracestore_query.execute.file_rows import FileRows
from tracestore_query.execute.object_rebuild import Rebuilder
from tracestore_query.execute.planned_query import PlannedQuery
from tracestore_query.execute.streaming import Caps, Stream, plain_schema, told_apart
from tracestore_query.language.statement import Kind
from tracestore_query.pages.paging import PLACE_COLUMNS
from tracestore_query.plan.plan import Plan
from tracestore_query.plan.scan import EVER
from tracestore_query.tables.names import STORED

BATCH_ROWS: Final = 8192
"""Rows of a result batch: small enough to stream, large enough to rebuild objects in bulk."""

_FILES: Final = re.compile(r"/\S+/")


def run(planned: PlannedQuery, execution: Execution, stats: QueryStats, caps: Caps) -> Result:
    """Returns the answer of a planned query; its batches are computed as they are read."""
    if planned.kind is Kind.SELECT:
        return _rows(planned, execution, stats, caps)
    if planned.kind is Kind.DESCRIBE:
        return _described(planned, execution, stats)
    return _explained(planned, execution, stats)


def stats_of(plan: Plan, planning_ms: float) -> QueryStats:
    """Returns what a plan reads."""
    scans = plan.scans.values()
    return QueryStats(
        segments_read=sum(len(scan_plan.segments) for scan_plan in scans),
        segments_pruned=sum(scan_plan.pruned for scan_plan in scans),
        memtable_rows=sum(chunk.num_rows for scan_plan in scans for chunk in scan_plan.memtable),
        leaf_columns=sum(len(scan_plan.scan.leaves) for scan_plan in scans),
        planning_ms=planning_ms,
    )


def _rows(planned: PlannedQuery, execution: Execution, stats: QueryStats, caps: Caps) -> Result:
    plan, paging = planned.plan, planned.paging
    with execution.deadline.running():
        statement = execution.statement or execution.bind(planned.sql, planned.values)
        types = list(statement.types)
        reader = statement.relation.to_arrow_reader(BATCH_ROWS)
    fields = list(reader.schema)
    if paging is not None:
        types, fields = types[:-PLACE_COLUMNS], fields[:-PLACE_COLUMNS]
        fields = [field.with_name(name) for field, name in zip(fields, planned.names, strict=True)]
    rebuilt = plan.query.rebuilt
    for column in rebuilt:
        types[column.output] = "JSON"
    tagged = tagged_columns(types)
    batches: Iterator[pa.RecordBatch] = iter(reader)
    if plan.query.numbers & tagged.keys():
        with execution.deadline.running():
            first = next(batches, None)
        if first is not None:
            batches = itertools.chain([first], batches)
        # Their doubles are all there is to them, unless an integer is among them that no double holds.
        tagged |= dict.fromkeys(plain_numbers(first, plan.query.numbers & tagged.keys()), NUMBERS)
    types = [plain_name(tagged.get(i, sql_type)) for i, sql_type in enumerate(types)]
    schema = told_apart(plain_schema(pa.schema(fields), rebuilt, tagged))
    notes = _notes(planned, execution)
    rebuilder = Rebuilder(plan, FileRows(execution.deadline.cursor)) if rebuilt else None
    stream = Stream(
        batches, rebuilder, tagged, schema, execution, caps, paging, notes, _slow_hint(plan)
    )
    return _result(schema, types, stream.batches(), notes, stats, execution)


def _described(planned: PlannedQuery, execution: Execution, stats: QueryStats) -> Result:
    """Returns the names and types of a query's columns as rows; nothing is read for them."""
    with execution.deadline.running():
        statement = execution.bind(f"DESCRIBE {planned.sql}", planned.values)
        table = statement.relation.to_arrow_table()
    types = _shown_types(planned, table["column_type"].to_pylist())
    position = table.schema.get_field_index("column_type")
    table = table.set_column(position, "column_type", pa.array(types, pa.string()))
    return _of_table(table, list(statement.types), planned, stats, execution)


def described_columns(
    planned: PlannedQuery, execution: Execution
) -> tuple[Sequence[str], Sequence[str]]:
    """Returns the names and types of a query's columns; nothing is read for them."""
    names, types = execution.columns(planned.sql, planned.values)
    return names, _shown_types(planned, types)


def _shown_types(planned: PlannedQuery, types: Sequence[str]) -> list[str]:
    """Returns the types of columns as readers get them."""
    numbers = planned.plan.query.numbers
    shown = ["DOUBLE" if i in numbers else plain_name(sql_type) for i, sql_type in enumerate(types)]
    for column in planned.plan.query.rebuilt:
        shown[column.output] = "JSON"
    return shown


def _explained(planned: PlannedQuery, execution: Execution, stats: QueryStats) -> Result:
    engine_steps: list[tuple[str, str]] = []
    if planned.kind is Kind.EXPLAIN_ANALYZE:
        with execution.deadline.running():
            execution.cursor.execute(f"EXPLAIN ANALYZE {planned.sql}", planned.values or None)
            lines = execution.cursor.fetchall()
        profile = "\n".join(str(line[-1]) for line in lines)
        engine_steps.append(("engine sql", shown_sql(planned.plan, planned.sql)))
        engine_steps.append(("profile", _FILES.sub("", profile)))
    table = explain(planned.plan, engine_steps)
    return _of_table(table, ["VARCHAR", "VARCHAR"], planned, stats, execution)


def _of_table(
    table: pa.Table,
    types: list[str],
    planned: PlannedQuery,
    stats: QueryStats,
    execution: Execution,
) -> Result:
    notes = _notes(planned, execution)
    return _result(table.schema, types, iter(table.to_batches()), notes, stats, execution)


def _notes(planned: PlannedQuery, execution: Execution) -> Notes:
    """Returns what is known of an answer before it is read: warnings of the plan, and nodes that do not answer."""
    missing = execution.snapshot.missing if execution.snapshot is not None else ()
    told = dict.fromkeys((*missing, *execution.missing))
    return Notes([*planned.plan.query.warnings, *told])


def _result(
    schema: pa.Schema,
    types: list[str],
    batches: Iterator[pa.RecordBatch],
    notes: Notes,
    stats: QueryStats,
    execution: Execution,
) -> Result:
    return Result(schema, types, batches, notes, stats, execution.close, execution.deadline.cancel)


def _slow_hint(plan: Plan) -> str | None:
    """Returns what to say of a slow query that reads a table at all times."""
    for scan_plan in plan.scans.values():
        scan = scan_plan.scan
        if scan.time_range == EVER and scan_plan.segments:
            column = STORED[scan.table].time_column
            return (
                f"the query reads {scan.table} at all times; it is faster with a time range: "
                f"{column} >= now() - INTERVAL 1 DAY"
            )
    return None
