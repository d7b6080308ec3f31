"""Scans of segments with patches as DuckDB text: whole columns beside the file, or patched rows joined to it.

Beside: the patched columns of all rows are in memory and stand beside the file's others, row by row, so that a
query costs what it does without patches. Joined: each row asks whether it is patched, which costs a join, and
a filter still reaches the file; so for queries of named traces, for objects, and for columns too large to keep.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

import pyarrow as pa

from tracestore.store import SegmentPatches, SegmentRef
from tracestore.variant import OVERFLOW
from tracestore_query.plan.patched_data import field_of
from tracestore_query.plan.scan import EVER, Leaf
from tracestore_query.plan.scan_plan import ScanPlan

MAX_BESIDE: Final = 64
"""Segments with patches of one scan that are read on their own: each is a source in the text."""


@dataclass(frozen=True, slots=True)
class Beside:
    """Patched columns of one segment, in file order: for all rows, or for the half-open row range `rows`."""

    columns: dict[str, pa.Array]
    rows: tuple[int, int] | None = None


def beside(
    plan: ScanPlan, segment: SegmentRef, stored: Sequence[str], names: dict[Leaf, str]
) -> Beside | None:
    """Returns the patched columns of the rows of a segment, None where its rows are to be joined.

    Args:
        plan: what the scan reads.
        segment: with patches.
        stored: stored columns that are read.
        names: the physical names of the scan's leaves.
    """
    scan = plan.scan
    if scan.trace_ids is not None or OVERFLOW in stored:
        return None
    columns: dict[str, pa.Array] = {}
    patched = plan.patched[segment.uri]
    for leaf, column in patched_leaves(plan):
        name = names[leaf]
        if not patched.has_leaf(name) and name not in segment.leaf_columns:
            continue
        whole = patched.column(name)
        if whole is None:
            return None
        columns[column] = whole
    low, high = scan.time_range
    is_whole = scan.time_range == EVER or low <= segment.min_time_ns <= segment.max_time_ns < high
    if is_whole or not segment.is_by_time:
        return Beside(columns)
    start, stop = patched.rows_between(low, high)
    return Beside(
        {name: array.slice(start, stop - start) for name, array in columns.items()}, (start, stop)
    )


def patched_leaves(plan: ScanPlan) -> Iterable[tuple[Leaf, str]]:
    """Returns the scan's leaves and parts that patches may change, with their columns."""
    for leaf, column in (*plan.scan.leaves.items(), *plan.scan.object_parts.items()):
        if field_of(leaf[0]) in plan.patched_fields:
            yield leaf, column


def joined(
    plan: ScanPlan,
    segments: Sequence[SegmentRef],
    source: str,
    columns: Sequence[tuple[str, str, pa.DataType]],
    tables: dict[str, pa.Table],
) -> str:
    """Returns a source of rows of segments with the patched ones' values in place of their own.

    Args:
        plan: what the scan reads.
        segments: those of the source.
        source: with columns `filename` and `file_row_number`.
        columns: (column, physical name, type) of what patches may change.
        tables: takes the table that the text names.
    """
    patched = [
        (segment.uri, plan.patched[segment.uri])
        for segment in segments
        if segment.uri in plan.patched
    ]
    if not patched or not columns:
        return source
    name = f"{plan.scan.token}_patched{len(tables)}"
    tables[name] = pa.concat_tables([_rows(uri, segment, columns) for uri, segment in patched])
    replaced = ", ".join(
        f'CASE WHEN patched."__is" THEN patched."{column}" ELSE base."{column}" END AS "{column}"'
        for column, _, _ in columns
    )
    # One file's rows are found by number alone, which is half the work.
    same_file = ' AND patched."__file" = base.filename' if len(segments) > 1 else ""
    return (
        f"(SELECT base.* REPLACE ({replaced}) FROM {source} base "
        f'LEFT JOIN "{name}" patched '
        f'ON patched."__row" = base.file_row_number{same_file})'
    )


def _rows(
    uri: str, segment: SegmentPatches, columns: Sequence[tuple[str, str, pa.DataType]]
) -> pa.Table:
    overlay = segment.overlay
    count = len(overlay.rows)
    arrays: dict[str, pa.Array | pa.ChunkedArray] = {
        "__file": pa.repeat(uri, count),
        "__row": pa.array(overlay.rows),
        "__is": pa.repeat(True, count),
    }
    for column, physical, kind in columns:
        held = physical in overlay.table.schema.names
        arrays[column] = (
            overlay.table.column(physical).cast(kind) if held else pa.nulls(count, kind)
        )
    return pa.table(arrays)
