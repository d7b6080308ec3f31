"""One table of a snapshot: its segments, its rows in memory, the types of its paths, its patched rows."""

from __future__ import annotations

import functools
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Final

import numpy as np
import pyarrow as pa

from tracestore.store.catalog.path_ids import Leaf, types_by_path
from tracestore.store.catalog.segment_row import Ids, SegmentRow
from tracestore.store.core import Core
from tracestore.store.memory.memtable import MemoryMark
from tracestore.store.patches.log import PatchView
from tracestore.store.read.known import Known
from tracestore.store.read.leaf_lookup import LeafLookup, look_up_leaves
from tracestore.store.read.segment_patches import SegmentPatches
from tracestore.store.read.segment_ref import SegmentRef
from tracestore.store.segments.leaf_arrays import Mask
from tracestore.store.segments.replaced_rows import NO_ROWS, RowNumbers
from tracestore.variant import is_item_path

MAX_UNREAD: Final = 500
"""Segments of a project beside those of a query that are asked whether a path holds more than null: a footer each."""


class TableSnapshot:
    """One table of a snapshot.

    Attributes:
        table: the table's name.
        segments: those that the snapshot reads.
        segment_rows: what the catalog knows of them; the row of a segment is one object as long as it lives.
        patches: changes of spans that are in no segment yet.
        known: segments of the snapshot's projects, those that pruning left out included: they are not kept,
            but what paths they have counts.
    """

    def __init__(
        self,
        core: Core,
        table: str,
        rows: Sequence[SegmentRow],
        memory: Sequence[MemoryMark],
        patches: PatchView,
        known: Known,
        replaced: Mapping[str, RowNumbers],
    ) -> None:
        self._core = core
        self._memory = tuple(memory)
        self.table = table
        self.patches = patches
        self.known = known
        self.segment_rows = tuple(rows)
        self.segments: tuple[SegmentRef, ...] = tuple(
            [SegmentRef(core, row, replaced.get(row.segment_id, NO_ROWS)) for row in rows]
            if replaced
            else [SegmentRef(core, row) for row in rows]
        )

    @property
    def has_memory_rows(self) -> bool:
        """Returns whether some rows are in no segment yet."""
        return bool(self._memory)

    @property
    def memory_projects(self) -> frozenset[str]:
        """Returns the projects that have rows in no segment yet."""
        return frozenset(mark.memtable.project for mark in self._memory)

    @property
    def state(self) -> tuple[object, ...]:
        """Returns the numbers of visible rows in memory and of patches, which only grow until a segment takes them."""
        patches = self.patches.by_project.items()
        return (
            self.table,
            *((mark.memtable.project, mark.visible, mark.replaced) for mark in self._memory),
            *((project, prefix.count) for project, prefix in patches),
        )

    @functools.cached_property
    def memtable(self) -> tuple[pa.Table, ...]:
        """Returns the rows that are in no segment yet, as shredded tables, without patches."""
        tables: list[pa.Table] = []
        for mark in self._memory:
            tables += mark.read()
        return tuple(tables)

    @functools.cached_property
    def patched_memtable(self) -> tuple[pa.Table, ...]:
        """Returns the rows that are in no segment yet, with the patches merged."""
        if not self.patches.by_project:
            return self.memtable
        tables: list[pa.Table] = []
        for mark in self._memory:
            patches = self.patches.by_project.get(mark.memtable.project)
            chunks = mark.read()
            if patches is not None:
                chunks = [self._core.merged.chunk(chunk, patches) for chunk in chunks]
            tables += chunks
        return tuple(tables)

    def patches_of(self, segment: SegmentRef, fields: frozenset[str]) -> SegmentPatches | None:
        """Returns the patched rows of a segment, None where no patch changes one of the fields there."""
        return SegmentPatches.of(self._core, self.patches, segment, fields)

    def with_traces(self, trace_ids: Collection[str], among: Mask) -> Mask:
        """Returns for each segment whether it is among some and may hold a row of one of some traces."""
        kept = among.copy()
        places = np.flatnonzero(among)
        rows = [self.segment_rows[place] for place in places]
        kept[places] = self._core.traces.with_one(rows, trace_ids)
        return kept

    @functools.cached_property
    def leaves(self) -> LeafLookup:
        """Returns which segments hold a leaf. Costs little for each path that is asked for."""
        memtables = [mark.memtable for mark in self._memory]
        return look_up_leaves(self._core, self.table, self.segments, memtables, self.known)

    def unread_with(self, leaf: Leaf) -> tuple[list[SegmentRef], list[SegmentRef]]:
        """Returns segments that are not read but at hand: those with a column of a leaf, those with a tail of it.

        Of each project the newest `MAX_UNREAD` alone are looked at.
        """
        if self.known.segments == len(self.segment_rows):
            return [], []
        files = self._core.segments.files
        columns, tails = [], []
        paths = self._core.segment_paths.get(self._unread)
        for row in self._unread:
            own = paths.get(row.segment_id)
            if own is None:
                continue
            wanted = self._core.catalog.paths.of((self.table, row.project)).ids_of(leaf)
            if np.isin(own.leaf_ids, wanted).any() and files.is_at_hand(row.file_key):
                columns.append(SegmentRef(self._core, row, NO_ROWS))
            if np.isin(own.tail_ids, wanted).any() and files.is_at_hand(
                files.tail_key(row.file_key)
            ):
                tails.append(SegmentRef(self._core, row, NO_ROWS))
        return columns, tails

    @functools.cached_property
    def _unread(self) -> list[SegmentRow]:
        read = {row.segment_id for row in self.segment_rows}
        return [
            row
            for group in self.known.projects.values()
            for row in group.newest(MAX_UNREAD)
            if row.segment_id not in read
        ]

    @functools.cached_property
    def leaf_types(self) -> Mapping[str, Mapping[str, int]]:
        """Returns rows by type by path text, over the snapshot's segments and memtables, without item columns.

        Counts of a memtable may include a few rows that are not visible yet.
        """
        leaves: dict[Leaf, int] = {}
        for project in {row.project for row in self.segment_rows}:
            paths = self._core.catalog.paths.of((self.table, project))
            segments = [segment for segment in self.segments if segment.project == project]
            listed = self._core.segment_paths.get([segment.row for segment in segments])
            counts = []
            for segment in segments:
                own = listed.get(segment.segment_id)
                if own is None:
                    _add(leaves, segment.leaf_rows.items())
                else:
                    counts.append((own.leaf_ids, own.leaf_rows))
                if own is None or segment.row.unlisted_paths:
                    _add(leaves, segment.tail_leaves.items())
                else:
                    counts.append((own.tail_ids, own.tail_rows))
            _add(leaves, ((paths.leaf(path_id), rows) for path_id, rows in _totals(counts)))
        for mark in self._memory:
            if mark.visible:
                _add(leaves, mark.memtable.leaf_counts().items())
        return types_by_path(
            {leaf: rows for leaf, rows in leaves.items() if not is_item_path(leaf[0])}
        )


def _totals(counts: Sequence[tuple[Ids, Ids]]) -> Iterable[tuple[int, int]]:
    """Returns the rows by path id over several pairs of (path ids, rows)."""
    path_ids = np.concatenate([np.empty(0, np.uint32), *(ids for ids, _ in counts)])
    if len(path_ids) == 0:
        return ()
    totals = np.bincount(path_ids, weights=np.concatenate([rows for _, rows in counts]))
    present = np.flatnonzero(totals)
    return zip(present.tolist(), totals[present].astype(np.int64).tolist(), strict=True)


def _add(leaves: dict[Leaf, int], more: Iterable[tuple[Leaf, int]]) -> None:
    for leaf, rows in more:
        leaves[leaf] = leaves.get(leaf, 0) + rows
