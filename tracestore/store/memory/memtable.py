"""The rows of one table and project that are not in a segment yet.

Rows enter in the order of their WAL frames, and become visible when their frame is durable: the
visible rows are always a prefix. Rows that must not be seen (re-sent spans, requests the log refused)
stay in the builder and are left out wherever rows leave it. So do rows that a later version of their span
replaced, but only from the moment on in which that version is visible.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from tracestore import limits
from tracestore.segment.tables import SEGMENT_TABLES, SegmentTable
from tracestore.store.catalog.path_ids import Leaf
from tracestore.store.memory.span_rows import SpanRows
from tracestore.variant import Shredder

RowNumbers = npt.NDArray[np.int64]

_NO_ROWS: RowNumbers = np.empty(0, np.int64)


@dataclass(frozen=True, slots=True)
class Replaced:
    """The rows that later versions of their spans, of one request, take the place of.

    Attributes:
        in_memory: rows of memtables.
        in_segments: row numbers by segment id.
    """

    in_memory: Sequence[tuple[Memtable, RowNumbers]] = ()
    in_segments: Mapping[str, RowNumbers] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class MemoryMark:
    """The rows of a memtable that one moment shows.

    Attributes:
        memtable: the memtable.
        visible: builder rows that are durable.
        replaced: how many of the replacements that the memtable has seen are visible.
    """

    memtable: Memtable
    visible: int
    replaced: int

    def read(self) -> list[pa.Table]:
        """Returns the rows, as one or more tables."""
        return self.memtable.read(self.visible, self.replaced)


class _Chunk:
    """An exported range of builder rows [start, stop), without hidden rows."""

    def __init__(self, start: int, stop: int, hidden: RowNumbers, table: pa.Table) -> None:
        self.start = start
        self.stop = stop
        self._hidden = hidden
        self._table = table
        # The table without the replaced rows of the last reader; most readers ask for the same.
        self._current: tuple[int, pa.Table] = (0, table)

    def until(self, stop: int, replaced: RowNumbers) -> pa.Table:
        """Returns the chunk's rows before builder row `stop` that are not replaced."""
        if self.start >= stop:
            return self._table.slice(0, 0)
        inside = replaced[(replaced >= self.start) & (replaced < min(stop, self.stop))]
        if self.stop <= stop:
            # Rows are replaced in one order: of equal numbers of them, both are the same rows.
            count, table = self._current
            if count != len(inside):
                table = self._without(inside)
                self._current = (len(inside), table)
            return table
        gone = int(np.searchsorted(self._hidden, stop))
        return self._without(inside).slice(0, stop - self.start - gone - len(inside))

    def _without(self, rows: RowNumbers) -> pa.Table:
        if len(rows) == 0:
            return self._table
        places = rows - self.start - np.searchsorted(self._hidden, rows)
        kept = np.ones(len(self._table), np.bool_)
        kept[places] = False
        return self._table.filter(pa.array(kept))


class Memtable:
    """A builder, which of its rows count, and what readers were given of it.

    `lock` guards the builder. `visible` and what is replaced are written under the store's lock, so that a snapshot
    reads the marks of all memtables as of one moment.

    Attributes:
        span_rows: where each span stands; guarded by `lock`, and by the lock of the newest memtable of its owner.
        replacing: rows of segments that versions here replaced, by segment id; guarded by the store's lock.
    """

    def __init__(self, table: str, project: str) -> None:
        self.table = table
        self.project = project
        self.spec: SegmentTable = SEGMENT_TABLES[table]
        self.lock = threading.Lock()
        self.shredder = Shredder(table=table, conventions=True)
        self.visible = 0
        self.span_rows = SpanRows()
        self.replacing: dict[str, RowNumbers] = {}
        self._waiting: deque[tuple[int, int, Replaced]] = deque()
        self._hidden: list[RowNumbers] = []
        self._replaced: list[tuple[RowNumbers, Memtable | None]] = []
        self._replaced_rows: RowNumbers = _NO_ROWS
        self._chunks: tuple[_Chunk, ...] = ()

    # --- writing; the caller holds `lock` ---

    def note_appended(
        self, frame: int, hidden: RowNumbers, replaced: Replaced | None = None
    ) -> None:
        """Notes that all rows so far belong to frames up to `frame`, which do not count, and what they replace."""
        if len(hidden):
            self._hidden.append(hidden)
        self._waiting.append((frame, self.shredder.rows, replaced or Replaced()))

    def hide_from(self, start: int) -> None:
        """Hides all rows from `start` on: their request was refused."""
        self._hidden.append(np.arange(start, self.shredder.rows, dtype=np.int64))

    # --- visibility; the caller holds the store's lock ---

    def publish(self, frame: int) -> list[Replaced]:
        """Makes the rows of frames up to `frame` visible; returns what they replace, for the caller to hide."""
        published: list[Replaced] = []
        while self._waiting and self._waiting[0][0] <= frame:
            _, stop, replaced = self._waiting.popleft()
            self.visible = max(self.visible, stop)
            published.append(replaced)
        return published

    def replace(self, rows: RowNumbers, by: Memtable | None) -> None:
        """Hides rows whose later version is visible from now on: in a memtable, or in a segment where `by` is None."""
        self._replaced.append((rows, by))
        self._replaced_rows = np.concatenate([self._replaced_rows, rows])

    @property
    def replaced_count(self) -> int:
        """Returns how many rows were replaced."""
        return len(self._replaced_rows)

    def replaced_since(self, count: int) -> list[tuple[RowNumbers, Memtable | None]]:
        """Returns the rows that were replaced after the first `count`, and where their later versions are."""
        since = []
        for rows, by in self._replaced:
            if count < len(rows):
                since.append((rows[count:], by))
            count = max(count - len(rows), 0)
        return since

    def mark(self) -> MemoryMark:
        """Returns what a snapshot of this moment shows."""
        return MemoryMark(self, self.visible, len(self._replaced_rows))

    # --- reading ---

    def hidden_rows(self) -> RowNumbers:
        """Returns the rows that never count, sorted. The caller holds `lock`."""
        if len(self._hidden) > 1:
            self._hidden = [np.unique(np.concatenate(self._hidden))]
        return self._hidden[0] if self._hidden else _NO_ROWS

    def do_count(self, rows: RowNumbers) -> npt.NDArray[np.bool_]:
        """Returns which rows count as of now. The caller holds `lock`."""
        return ~np.isin(rows, self.hidden_rows()) & ~np.isin(rows, self._replaced_rows)

    def counting_rows(self, replaced: int) -> RowNumbers:
        """Returns the rows that count after the first `replaced` replacements, sorted. The caller holds `lock`."""
        gone = np.concatenate([self.hidden_rows(), self._replaced_rows[:replaced]])
        every = np.arange(self.shredder.rows, dtype=np.int64)
        return np.setdiff1d(every, gone, assume_unique=True)

    def read(self, stop: int, replaced: int) -> list[pa.Table]:
        """Returns the rows [0, stop) that count after the first `replaced` replacements, as one or more tables.

        Costs an export of the rows that no earlier read asked for; neighbouring chunks are merged
        geometrically, so that a memtable has few chunks and each row is exported a few times.
        """
        chunks = self._chunks
        if not chunks or chunks[-1].stop < stop:
            with self.lock:
                done = self._chunks[-1].stop if self._chunks else 0
                if stop > done:
                    self._chunks = self._merged((*self._chunks, self._export(done, stop)))
                chunks = self._chunks
        rows = self._replaced_rows[:replaced]
        cut = [chunk.until(stop, rows) for chunk in chunks]
        return [table for table in cut if len(table)]

    def leaf_counts(self) -> dict[Leaf, int]:
        """Returns rows by leaf over the whole builder, rows that do not count included."""
        with self.lock:
            return {(path, kind): rows for path, kind, rows in self.shredder.leaf_counts()}

    def _export(self, start: int, stop: int) -> _Chunk:
        table = self.shredder.export(start, stop)
        hidden = self.hidden_rows()
        inside = hidden[(hidden >= start) & (hidden < stop)]
        if len(inside):
            counts = np.ones(stop - start, np.bool_)
            counts[inside - start] = False
            table = table.filter(pa.array(counts))
        return _Chunk(start, stop, inside, table)

    def _merged(self, chunks: tuple[_Chunk, ...]) -> tuple[_Chunk, ...]:
        """Returns the chunks with the last ones made one while they are of like size."""
        while len(chunks) >= 2:
            before, last = chunks[-2:]
            if before.stop - before.start > (last.stop - last.start) * limits.SNAPSHOT_CHUNK_FACTOR:
                break
            chunks = (*chunks[:-2], self._export(before.start, last.stop))
        return chunks
