"""What a snapshot tells the binder, and which of its segments a scan reads."""

from __future__ import annotations

import functools
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Final

import numpy as np
import numpy.typing as npt

from tracestore.limits import MAX_PATH_BYTES
from tracestore.store import Mask, Paths, SegmentPatches, SegmentRef, Snapshot, TableSnapshot
from tracestore.variant import ITEM_LIST
from tracestore_query.plan.item_texts import Held, are_texts, item_leaf
from tracestore_query.plan.null_leaves import only_null
from tracestore_query.plan.patched_data import PatchedData, field_of
from tracestore_query.plan.read_paths import paths_of_scan, require_read
from tracestore_query.plan.scan import EVER, Leaf, Scan, leaf_column_name
from tracestore_query.plan.scan_plan import ScanPlan, TailGroup
from tracestore_query.plan.top_n import needed_segments, row_ranges

MAX_TRACES: Final = 16
"""Traces that each segment is asked for, a few microseconds each: of more, hardly a segment has none."""

_Patched = Mapping[int, SegmentPatches]
"""Patched segments by position in the snapshot."""


class TableReader:
    """One table of a snapshot, as the binder and the planner see it.

    Raises NotReadError where values of other paths are asked for than the snapshot was taken for.
    """

    def __init__(self, view: TableSnapshot, reads: Paths = None) -> None:
        self._view = view
        self._reads = reads
        self._lookup = view.leaves
        self._null_only: dict[str, bool] = {}
        self._item_texts: dict[tuple[str, str], Held] = {}
        self._patches = PatchedData(view)

    def types(self, path: str) -> Sequence[str]:
        """Returns the leaf types that a path's values have.

        A path longer than `MAX_PATH_BYTES` has none wherever its rows lie: a memtable keeps no column of it, and
        only some of a segment's are in the tail. Its values come back in the object that holds them.
        """
        if (
            len(path) > MAX_PATH_BYTES // 4
            and len(path.encode("utf-8", "surrogatepass")) > MAX_PATH_BYTES
        ):
            return ()
        return self._patches.types(path, self._lookup.types(path))

    def below(self, path: str) -> Sequence[str]:
        """Returns the paths under a path that have values, sorted."""
        return self._patches.below(path, self._lookup.below(path))

    def has_below(self, path: str) -> bool:
        """Returns whether a path under a path has values."""
        return self._lookup.has_below(path) or bool(self._patches.below(path, ()))

    def names(self) -> Sequence[str]:
        """Returns paths that a user may have meant, sorted."""
        return self._lookup.names()

    def null_only(self, path: str) -> bool:
        """Returns whether the `json` leaf of a path holds nothing but null."""
        if path not in self._null_only:
            require_read(self._reads, [path])
            leaf = (path, "json")
            columns = [*self._segments_of(self._lookup.column_segments(leaf))]
            tails = [*self._segments_of(self._lookup.tail_segments(leaf))]
            # The type of a path does not depend on which segments are read.
            more_columns, more_tails = self._view.unread_with(leaf)
            columns += more_columns
            tails += more_tails
            self._null_only[path] = only_null(path, columns, tails, self._patches.tables(path))
        return self._null_only[path]

    def item_texts(self, path: str, key: str) -> Held:
        """Returns of which of its values at a key of a list's items item columns tell."""
        asked = (path, key)
        if asked not in self._item_texts:
            self._item_texts[asked] = self._held_item_texts(path, key)
        return self._item_texts[asked]

    def _held_item_texts(self, path: str, key: str) -> Held:
        require_read(self._reads, [path])
        if self._patches.changes(path):
            return Held.NONE
        held = (path, ITEM_LIST)
        columns = self._lookup.column_segments(held)
        with_column = self._lookup.column_segments(item_leaf(path, key))
        others = self._lookup.tail_segments(held).any() or (columns & ~with_column).any()
        if not others and are_texts(self._view.memtable, path, key):
            return Held.ALL
        return Held.SOME if with_column.any() else Held.NONE

    def in_columns(self, leaf: Leaf) -> bool:
        """Returns whether objects take a leaf from a column of its own, in some segment or in memory."""
        if self._lookup.column_segments(leaf).any():
            return True
        require_read(self._reads, [leaf[0]])
        return leaf_column_name(leaf) in self._patches.parts(leaf[0])

    def select_segments(self, scan: Scan) -> ScanPlan:
        """Returns what a scan reads: the segments whose times and paths allow a matching row."""
        require_read(self._reads, paths_of_scan(scan))
        segments = self._view.segments
        fields = self._patches.fields_of(scan)
        patched = self._patches.of_scan(scan, fields)
        kept = self._in_time(scan) & self._with_paths(scan, patched)
        without_traces = 0
        if scan.trace_ids is not None and len(scan.trace_ids) <= MAX_TRACES:
            before, kept = kept, self._view.with_traces(scan.trace_ids, kept)
            without_traces = int(before.sum() - kept.sum())
        if scan.top_n is not None:
            within = self._segments_of(kept)
            needed = needed_segments(within, scan.top_n)
            kept &= np.array([segment.segment_id in needed for segment in segments], np.bool_)
        positions = np.flatnonzero(kept)
        groups = self._tail_groups(scan, positions, patched.keys(), fields)
        tailed = {position for members in groups.values() for position in members}
        plain = [position for position in positions.tolist() if position not in tailed]
        ranges: dict[str, tuple[int, int]] = {}
        if scan.top_n is not None:
            unpatched = [segments[position] for position in plain if position not in patched]
            ranges = row_ranges(unpatched, scan.top_n)
        return ScanPlan(
            scan,
            plain=tuple(segments[position] for position in plain),
            tailed=tuple(
                TailGroup(tuple(segments[position] for position in members), leaves, paths)
                for (leaves, paths), members in groups.items()
            ),
            row_ranges=ranges,
            patched={
                segments[position].uri: rows for position, rows in patched.items() if kept[position]
            },
            patched_fields=fields,
            memtable=self._patches.memtable if fields else self._view.memtable,
            pruned=self._view.known.segments - len(positions),
            without_traces=without_traces,
        )

    def _in_time(self, scan: Scan) -> Mask:
        """Returns for each segment whether its times reach into the scan's."""
        segments = self._view.segments
        if scan.time_range == EVER:
            return np.ones(len(segments), np.bool_)
        start, stop = scan.time_range
        return np.array(
            [segment.max_time_ns >= start and segment.min_time_ns < stop for segment in segments],
            np.bool_,
        )

    def _with_paths(self, scan: Scan, patched: _Patched) -> Mask:
        """Returns for each segment whether it has every path that a matching row must have, as one of its leaves."""
        with_all = np.ones(len(self._view.segments), np.bool_)
        for leaves in scan.non_null_paths:
            with_one = np.zeros(len(self._view.segments), np.bool_)
            for leaf in leaves:
                with_one |= self._lookup.column_segments(leaf) | self._lookup.tail_segments(leaf)
                name = leaf_column_name(leaf)
                with_one[[at for at, rows in patched.items() if rows.has_leaf(name)]] = True
            with_all &= with_one
        return with_all

    def _tail_groups(
        self,
        scan: Scan,
        positions: npt.NDArray[np.int64],
        patched: Collection[int],
        patched_fields: frozenset[str],
    ) -> dict[tuple[tuple[Leaf, ...], frozenset[str]], list[int]]:
        """Returns the segments with a leaf of the scan in their tails, by those leaves and non-null paths."""
        in_tail = {leaf: self._lookup.tail_segments(leaf) for leaf in scan.leaves}
        in_tail = {leaf: mask for leaf, mask in in_tail.items() if mask[positions].any()}
        if not in_tail:
            return {}
        groups: dict[tuple[tuple[Leaf, ...], frozenset[str]], list[int]] = {}
        in_column = {
            leaf: self._lookup.column_segments(leaf)
            for leaves in scan.non_null_paths
            for leaf in leaves
        }
        for position in positions.tolist():
            leaves = tuple(leaf for leaf, mask in in_tail.items() if mask[position])
            if not leaves:
                continue
            tail_paths = {path for path, _ in leaves}
            non_null = frozenset(
                path_leaves[0][0]
                for path_leaves in scan.non_null_paths
                if len({path for path, _ in path_leaves}) == 1
                and path_leaves[0][0] in tail_paths
                and not any(in_column[leaf][position] for leaf in path_leaves)
                # A patch may have given a row the path, or taken it away.
                and not (position in patched and field_of(path_leaves[0][0]) in patched_fields)
            )
            groups.setdefault((leaves, non_null), []).append(position)
        return groups

    def _segments_of(self, mask: Mask) -> tuple[SegmentRef, ...]:
        return tuple(self._view.segments[position] for position in np.flatnonzero(mask))


def reader_of(snapshot: Snapshot, reads: Paths) -> Callable[[str], TableReader]:
    """Returns a function that gives a table's reader; it looks at each table once, when first asked.

    Args:
        snapshot: of the store.
        reads: the paths that it was taken for, None for all.
    """

    @functools.cache
    def read(table: str) -> TableReader:
        return TableReader(snapshot.tables[table], reads)

    return read
