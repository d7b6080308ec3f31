"""Spans that are in memory of two nodes at once: one of the two counts, the same on every node.

It is the one that ends later, of versions that end together the one of the node with the greater id.
"""

from __future__ import annotations

import itertools
import threading
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from tracestore.store.core import Core
from tracestore.store.memory.memtable import MemoryMark
from tracestore.store.memory.mirror import MemoryState, MirroredMemtable, PeerMemtable
from tracestore.store.memory.span_keys import span_keys, with_kinds
from tracestore.variant import Keys

TABLE = "spans"

RowNumbers = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class _Chunk:
    """A table of rows of one node, its keys in order, and the rows they are of."""

    node_id: str
    table: pa.Table
    keys: Keys
    rows: RowNumbers


class RepeatedRows:
    """The comparison of rows in memory of several nodes. Thread-safe; no two tables are compared twice."""

    def __init__(self, core: Core) -> None:
        self._core = core
        self._lock = threading.Lock()
        self._chunks: dict[int, _Chunk] = {}
        # Rows that do not count, of each of two tables; the tables are kept in `_chunks`.
        self._pairs: dict[tuple[int, int], tuple[RowNumbers, RowNumbers]] = {}
        self._kept: dict[int, tuple[RowNumbers, pa.Table]] = {}
        self._shown: dict[int, tuple[MemoryMark, list[pa.Table], MirroredMemtable]] = {}

    def without(self, marks: Sequence[MemoryMark]) -> list[MemoryMark]:
        """Returns marks that show each span once."""
        node = self._core.node
        if node is None or not any(isinstance(mark.memtable, PeerMemtable) for mark in marks):
            return list(marks)
        with self._lock:
            return self._without(marks, node.name.node_id)

    def _without(self, marks: Sequence[MemoryMark], me: str) -> list[MemoryMark]:
        by_project: dict[str, list[tuple[str, MemoryMark, list[pa.Table]]]] = {}
        for mark in marks:
            memtable = mark.memtable
            if memtable.table == TABLE:
                owner = memtable.node_id if isinstance(memtable, PeerMemtable) else me
                by_project.setdefault(memtable.project, []).append((owner, mark, mark.read()))
        live: dict[int, _Chunk] = {}
        pairs: dict[tuple[int, int], tuple[RowNumbers, RowNumbers]] = {}
        hidden: dict[int, list[RowNumbers]] = {}
        for members in by_project.values():
            if len({owner for owner, _, _ in members}) < 2:
                continue
            chunks = [
                self._chunk(live, owner, table)
                for owner, mark, tables in members
                for table in (*tables, *_aside(mark))
            ]
            for one, other in itertools.combinations(chunks, 2):
                if one.node_id == other.node_id:
                    continue
                names = (id(one.table), id(other.table))
                found = pairs[names] = self._pairs.get(names) or _compared(one, other)
                for name, rows in zip(names, found, strict=True):
                    if len(rows):
                        hidden.setdefault(name, []).append(rows)
        self._chunks, self._pairs = live, pairs
        if not hidden:
            self._kept, self._shown = {}, {}
            return list(marks)
        gone = {name: np.unique(np.concatenate(rows)) for name, rows in hidden.items()}
        tables = {
            id(mark): tables for members in by_project.values() for _, mark, tables in members
        }
        return self._shown_marks(marks, tables, gone)

    def _shown_marks(
        self,
        marks: Sequence[MemoryMark],
        tables: dict[int, list[pa.Table]],
        gone: dict[int, RowNumbers],
    ) -> list[MemoryMark]:
        kept: dict[int, tuple[RowNumbers, pa.Table]] = {}
        shown: dict[int, tuple[MemoryMark, list[pa.Table], MirroredMemtable]] = {}
        result = []
        for mark in marks:
            own = tables.get(id(mark), [])
            if not any(id(table) in gone for table in own):
                result.append(mark)
                continue
            left = [self._left(kept, table, gone.get(id(table))) for table in own]
            before = self._shown.get(id(mark.memtable))
            if before is not None and before[0] == mark and _are_same(before[1], left):
                memtable = before[2]
            else:
                memtable = _mirror(mark, left)
            shown[id(mark.memtable)] = (mark, left, memtable)
            result.append(memtable.mark())
        self._kept, self._shown = kept, shown
        return result

    def _left(
        self,
        kept: dict[int, tuple[RowNumbers, pa.Table]],
        table: pa.Table,
        gone: RowNumbers | None,
    ) -> pa.Table:
        if gone is None:
            return table
        before = self._kept.get(id(table))
        if before is None or not np.array_equal(before[0], gone):
            mask = np.ones(len(table), np.bool_)
            mask[gone] = False
            before = (gone, table.filter(pa.array(mask)))
        kept[id(table)] = before
        return before[1]

    def _chunk(self, live: dict[int, _Chunk], node_id: str, table: pa.Table) -> _Chunk:
        chunk = self._chunks.get(id(table))
        if chunk is None or chunk.table is not table:
            trace_id, span_id, kind = (
                table.column(name).combine_chunks() for name in ("trace_id", "span_id", "kind")
            )
            keys = with_kinds(span_keys(trace_id, span_id, self._core.patches.seed), kind)
            rows = np.argsort(keys, kind="stable")
            chunk = _Chunk(node_id, table, keys[rows], rows)
        live[id(table)] = chunk
        return chunk


def _aside(mark: MemoryMark) -> list[pa.Table]:
    """Returns tables that are not shown, of whose spans other nodes may have a version."""
    return mark.memtable.aside if isinstance(mark.memtable, PeerMemtable) else []


def _compared(one: _Chunk, other: _Chunk) -> tuple[RowNumbers, RowNumbers]:
    """Returns the rows of each of two tables that do not count beside the other."""
    _, at, other_at = np.intersect1d(one.keys, other.keys, assume_unique=True, return_indices=True)
    rows, other_rows = one.rows[at], other.rows[other_at]
    if not len(rows):
        return rows, other_rows
    ends, other_ends = _ends(one.table, rows), _ends(other.table, other_rows)
    wins = ends > other_ends
    if one.node_id > other.node_id:
        wins |= ends == other_ends
    return rows[~wins], other_rows[wins]


def _ends(table: pa.Table, rows: RowNumbers) -> RowNumbers:
    chosen = table.select(["start_ns", "duration_ns"]).take(pa.array(rows))
    start, duration = (column.combine_chunks().fill_null(0) for column in chosen.columns)
    starts: RowNumbers = start.to_numpy(zero_copy_only=False).astype(np.int64)
    durations: RowNumbers = duration.to_numpy(zero_copy_only=False).astype(np.int64)
    return starts + durations


def _are_same(one: Sequence[pa.Table], other: Sequence[pa.Table]) -> bool:
    return len(one) == len(other) and all(a is b for a, b in zip(one, other, strict=True))


def _mirror(mark: MemoryMark, tables: list[pa.Table]) -> MirroredMemtable:
    counts = mark.memtable.leaf_counts()
    state = MemoryState(
        0,
        mark.memtable.table,
        mark.memtable.project,
        max(mark.visible, 1),
        (),
        tuple(counts),
        np.fromiter(counts.values(), np.int64, len(counts)),
    )
    return MirroredMemtable(state, tables)
