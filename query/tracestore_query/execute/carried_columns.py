"""What objects of an answer are made of, read with their rows: where few rows are read, no file is opened twice."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Final

from tracestore_query.execute.file_rows import FEW_ROWS
from tracestore_query.execute.object_rebuild import file_columns
from tracestore_query.plan.plan import Rebuilt
from tracestore_query.plan.scan import Scan, leaf_column_name
from tracestore_query.plan.scan_plan import ScanPlan
from tracestore_query.plan.segment_selection import MAX_TRACES

MAX_CARRIED: Final = 64
"""Columns that are carried. Each costs the engine 50 us to plan, where reading a file once more costs 3 ms."""


def with_carried_columns(plan: ScanPlan, rebuilt: Iterable[Rebuilt]) -> ScanPlan:
    """Returns a scan's plan that reads with its rows what the objects of the answer are made of, where that is cheaper.

    Args:
        plan: what the scan reads.
        rebuilt: the objects of the query's answer.
    """
    paths = [each.path for each in rebuilt if each.token == plan.scan.token]
    if not paths or not plan.segments or not _is_of_few_rows(plan):
        return plan
    names: dict[str, None] = {}
    for segment in plan.segments:
        names |= dict.fromkeys(file_columns(segment, paths))
        # The engine takes columns whose names differ in case alone for one.
        if len(names) > MAX_CARRIED or len({name.lower() for name in names}) < len(names):
            return plan
    read = _columns_read(plan.scan)
    carried = {name: read.get(name, f"__carried{number}") for number, name in enumerate(names)}
    return replace(plan, scan=replace(plan.scan, carried=carried))


def _columns_read(scan: Scan) -> dict[str, str]:
    """Returns the columns of files that a scan reads in any case, with their names in it."""
    leaves = (*scan.object_parts.items(), *scan.leaves.items())
    return {name: name for name in scan.fixed_columns} | {
        leaf_column_name(leaf): column for leaf, column in leaves
    }


def _is_of_few_rows(plan: ScanPlan) -> bool:
    """Tells whether most rows that a scan finds are rows of the answer, and lie in files as they are."""
    scan = plan.scan
    is_of_traces = scan.trace_ids is not None and len(scan.trace_ids) <= MAX_TRACES
    is_narrow = is_of_traces or (scan.top_n is not None and scan.top_n.rows <= FEW_ROWS)
    is_changed = plan.patched or plan.word_rows or plan.newest is not None
    return is_narrow and not is_changed and not scan.item_lists
