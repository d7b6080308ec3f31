"""Rows that are looked up before a query runs, so that it reads no others."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from tracestore_query.engine.scan_sql import newest_rows_sql, scan_sql
from tracestore_query.engine.tail_sql import tail_rows_sql
from tracestore_query.execute.execution import Execution
from tracestore_query.plan.scan import Scan
from tracestore_query.plan.scan_plan import ScanPlan, TailGroup, TailRows

MAX_TAIL_ROWS: Final = 2000
MAX_TAIL_SEGMENTS: Final = 100
"""Rows of a tail path that are looked up, and segments to look in: more are better joined."""


def with_tail_rows(plan: ScanPlan, execution: Execution) -> ScanPlan:
    """Returns a scan's plan with the rows of a path that every matching row has in its tail, where they are few."""
    if not any(group.non_null_paths for group in plan.tailed):
        return plan
    groups = tuple(_looked_up(plan, group, execution) for group in plan.tailed)
    return replace(plan, tailed=groups)


def _looked_up(plan: ScanPlan, group: TailGroup, execution: Execution) -> TailGroup:
    if not group.non_null_paths or len(group.segments) > MAX_TAIL_SEGMENTS:
        return group
    path = min(group.non_null_paths)
    sql = tail_rows_sql(plan.scan, group, path, MAX_TAIL_ROWS + 1)
    table = execution.fetch(sql, {}, plan)
    if table.num_rows > MAX_TAIL_ROWS:
        return group
    return replace(group, rows=TailRows(path, table))


def ids_scan(scan: Scan) -> Scan:
    """Returns the scan of the ids of a dataset's rows, and when each was written."""
    return Scan(
        f"{scan.token}_ids",
        scan.table,
        fixed_columns=("id", "created_ns", "deleted"),
        predicate=scan.predicate,
        time_range=scan.time_range,
    )


def with_newest_rows(plan: ScanPlan, ids: ScanPlan, execution: Execution) -> ScanPlan:
    """Returns a scan's plan narrowed to the newest row of each id: times never repeat within a dataset.

    Args:
        plan: what the scan reads.
        ids: what its `ids_scan` reads.
        execution: runs the look-up.
    """
    source = scan_sql(ids)
    sql = newest_rows_sql(source.sql)
    return replace(plan, newest=execution.fetch(sql, source.tables, ids, source.files))
