"""What a snapshot tells the binder, and which of its segments a scan reads."""

from __future__ import annotations

import functools
from collections.abc import Callable

from tracestore.store import SegmentRef, Snapshot
from tracestore.variant import leaf_name, parse_path
from tracestore_query.binding import TableData
from tracestore_query.null_leaves import only_null
from tracestore_query.plan import Leaf, Scan


@functools.lru_cache(maxsize=65_536)
def physical(leaf: Leaf) -> str:
    """Returns the name a leaf's column has in a file."""
    return leaf_name([str(key) for key in parse_path(leaf[0])], leaf[1])


def reader_of(snapshot: Snapshot) -> Callable[[str], TableData]:
    """Returns what gives a table's data; each table is looked at once, when first asked for."""
    return functools.cache(functools.partial(_table_data, snapshot))


def _table_data(snapshot: Snapshot, table: str) -> TableData:
    view = snapshot.tables[table]
    types = view.leaf_types

    @functools.cache
    def null_only(path: str) -> bool:
        return only_null(path, view.segments, view.memtable)

    @functools.cache
    def in_columns(leaf: Leaf) -> bool:
        name = physical(leaf)
        return any(name in segment.leaf_columns for segment in view.segments) or any(
            name in chunk.schema.names for chunk in view.memtable
        )

    return TableData(types, sorted(types), null_only, in_columns)


def choose_segments(scan: Scan, snapshot: Snapshot) -> None:
    """Sets a scan's segments: those whose time, project and paths may hold a matching row."""
    view = snapshot.tables[scan.table]
    low, high = scan.time_range
    kept = [
        segment
        for segment in view.segments
        if segment.max_time_ns >= low and segment.min_time_ns < high and _may_match(scan, segment)
    ]
    scan.segments = tuple(kept)
    scan.pruned = len(view.segments) - len(kept)
    scan.memtable = view.memtable


def _may_match(scan: Scan, segment: SegmentRef) -> bool:
    """Tells whether a segment has, for every path that must not be null, one of its leaves."""
    for leaves in scan.required:
        if any(physical(leaf) in segment.leaf_columns for leaf in leaves):
            continue
        if segment.tail_uri is None:
            return False
        tail = segment.tail_paths
        if not any(leaf_type in tail.get(path, ()) for path, leaf_type in leaves):
            return False
    return True
