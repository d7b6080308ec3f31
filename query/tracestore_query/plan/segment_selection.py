"""What a snapshot tells the binder, and which of its segments a scan reads."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt

from tracestore.store import Mask, SegmentRef, Snapshot, TableSnapshot
from tracestore.variant import leaf_name, parse_path
from tracestore_query.plan.null_leaves import only_null
from tracestore_query.plan.patched_data import PatchedData, field_of
from tracestore_query.plan.plan import EVER, Leaf, Scan, TailGroup
from tracestore_query.plan.top_n import cuts, needed_segments


@functools.lru_cache(maxsize=65_536)
def physical(leaf: Leaf) -> str:
    """Returns the name a leaf's column has in a file."""
    return leaf_name([str(key) for key in parse_path(leaf[0])], leaf[1])


class TableReader:
    """Is one table of a snapshot as the binder and the planner see it."""

    def __init__(self, view: TableSnapshot) -> None:
        self._view = view
        self._lookup = view.leaves
        self._null_only: dict[str, bool] = {}
        self._patches = PatchedData(view)

    def types(self, path: str) -> Sequence[str]:
        """Returns the leaf types that a path's values have."""
        return self._patches.types(path, self._lookup.types(path))

    def below(self, path: str) -> Sequence[str]:
        """Returns the paths under a path that have values, sorted."""
        return self._patches.below(path, self._lookup.below(path))

    def names(self) -> Sequence[str]:
        """Returns paths that a user may have meant, sorted."""
        return self._lookup.names()

    def null_only(self, path: str) -> bool:
        """Tells whether the `json` leaf of a path holds nothing but null."""
        if path not in self._null_only:
            leaf = (path, "json")
            columns = self._chosen(self._lookup.column_segments(leaf))
            tails = self._chosen(self._lookup.tail_segments(leaf))
            self._null_only[path] = only_null(path, columns, tails, self._patches.tables(path))
        return self._null_only[path]

    def in_columns(self, leaf: Leaf) -> bool:
        """Tells whether a leaf has a column of its own in some segment or memtable."""
        if self._lookup.column_segments(leaf).any():
            return True
        name = physical(leaf)
        return any(name in chunk.schema.names for chunk in self._patches.tables(leaf[0]))

    def choose_segments(self, scan: Scan) -> None:
        """Sets a scan's segments: those whose time and paths may hold a matching row."""
        segments = self._view.segments
        fields = scan.patched_fields = self._patches.fields_of(scan)
        patched = self._patches.scanned(scan)
        kept = np.ones(len(segments), np.bool_)
        if scan.time_range != EVER:
            low, high = scan.time_range
            times = [
                segment.max_time_ns >= low and segment.min_time_ns < high for segment in segments
            ]
            kept &= np.array(times, np.bool_)
        for leaves in scan.required:
            # Every path that must not be null has one of its leaves there.
            some = np.zeros(len(segments), np.bool_)
            for leaf in leaves:
                some |= self._lookup.column_segments(leaf) | self._lookup.tail_segments(leaf)
                some[[at for at, each in patched.items() if each.has_leaf(physical(leaf))]] = True
            kept &= some
        if scan.ends is not None:
            within = [segments[place] for place in np.flatnonzero(kept).tolist()]
            needed = needed_segments(within, scan.ends)
            kept &= np.array([segment.segment_id in needed for segment in segments], np.bool_)
        scan.patched = {segments[at].uri: each for at, each in patched.items() if kept[at]}
        groups = self._tail_groups(scan, np.flatnonzero(kept))
        tailed = {place for _, places in groups for place in places}
        scan.plain = tuple(
            segments[place] for place in np.flatnonzero(kept).tolist() if place not in tailed
        )
        if scan.ends is not None:
            whole = [segment for segment in scan.plain if segment.uri not in scan.patched]
            scan.cuts = cuts(whole, scan.ends)
        scan.tailed = tuple(
            TailGroup(tuple(segments[place] for place in places), leaves, needed)
            for (leaves, needed), places in groups
        )
        scan.pruned = self._view.total_segments - int(kept.sum())
        scan.memtable = self._patches.memtable if fields else self._view.memtable

    def _tail_groups(
        self, scan: Scan, kept: npt.NDArray[np.int64]
    ) -> list[tuple[tuple[tuple[Leaf, ...], frozenset[str]], list[int]]]:
        """Returns the segments with a wanted leaf in their tail, by what is there and needed."""
        in_tail = {leaf: self._lookup.tail_segments(leaf) for leaf in scan.leaves}
        in_tail = {leaf: mask for leaf, mask in in_tail.items() if mask[kept].any()}
        if not in_tail:
            return []
        groups: dict[tuple[tuple[Leaf, ...], frozenset[str]], list[int]] = {}
        in_column = {
            leaf: self._lookup.column_segments(leaf) for leaves in scan.required for leaf in leaves
        }
        for place in kept.tolist():
            leaves = tuple(leaf for leaf, mask in in_tail.items() if mask[place])
            if not leaves:
                continue
            needed = frozenset(
                wanted[0][0]
                for wanted in scan.required
                if len({path for path, _ in wanted}) == 1
                and wanted[0][0] in {path for path, _ in leaves}
                and not any(in_column[leaf][place] for leaf in wanted)
                # A patch may have given a row the path, or taken it away.
                and not (
                    self._view.segments[place].uri in scan.patched
                    and field_of(wanted[0][0]) in scan.patched_fields
                )
            )
            groups.setdefault((leaves, needed), []).append(place)
        return list(groups.items())

    def _chosen(self, mask: Mask) -> tuple[SegmentRef, ...]:
        return tuple(self._view.segments[place] for place in np.flatnonzero(mask))


def reader_of(snapshot: Snapshot) -> Callable[[str], TableReader]:
    """Returns what gives a table's data; each table is looked at once, when first asked for."""

    @functools.cache
    def read(table: str) -> TableReader:
        return TableReader(snapshot.tables[table])

    return read
