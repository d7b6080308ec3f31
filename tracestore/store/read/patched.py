"""A snapshot's rows with the patches that are not folded in yet."""

from __future__ import annotations

import pyarrow as pa

from tracestore.segment.tables import SEGMENT_TABLES
from tracestore.store.patches.rows import Overlay
from tracestore.store.read.snapshot import SegmentRef, TableSnapshot


def patched_memtable(view: TableSnapshot) -> tuple[pa.Table, ...]:
    """Returns what `view.memtable` does, with the patches merged into its rows."""
    if not view.patches.lists:
        return view.memtable
    core, _, memory = view.parts()
    tables: list[pa.Table] = []
    for memtable, stop in memory:
        found = view.patches.lists.get(memtable.project)
        chunks = memtable.read(stop)
        if found is not None:
            chunks = [core.patch_places.patched_chunk(chunk, *found) for chunk in chunks]
        tables += chunks
    return tuple(tables)


def overlay(view: TableSnapshot, segment: SegmentRef, fields: frozenset[str]) -> Overlay | None:
    """Returns the patched rows of a segment with the leaves of some fields, None where there are none."""
    found = view.patches.lists.get(segment.project)
    if found is None or not found[0].fields & fields:
        return None
    core, _, _ = view.parts()
    path = segment.local_path
    by_row = core.patch_places.in_segment(segment.segment_id, path, *found)
    if not by_row:
        return None
    return core.patch_places.overlay(segment.segment_id, path, segment.leaf_columns, by_row, fields)


def whole_column(
    view: TableSnapshot,
    segment: SegmentRef,
    fields: frozenset[str],
    rows: Overlay,
    name: str,
) -> pa.Array | None:
    """Returns a leaf's column over all rows of a segment, patches merged; None where it is too large to keep.

    Args:
        view: the snapshot's table.
        segment: one of its segments.
        fields: those that the overlay was made for.
        rows: the segment's overlay.
        name: the leaf's column; in the tail it is not.
    """
    core, _, _ = view.parts()
    return core.patch_places.whole_column(
        segment.segment_id, segment.local_path, fields, rows, name
    )


def rows_between(view: TableSnapshot, segment: SegmentRef, low: int, high: int) -> tuple[int, int]:
    """Returns the half-open range of a segment's rows in a time range, in nanoseconds."""
    core, _, _ = view.parts()
    column = SEGMENT_TABLES[view.table].time_ns_column
    return core.patch_places.rows_between(segment.segment_id, segment.local_path, column, low, high)
