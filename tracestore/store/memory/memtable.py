"""The rows of one table and project that are not in a segment yet.

Rows enter in the order of their WAL frames, and become visible when their frame is durable: the
visible rows are always a prefix. Rows that must not be seen (re-sent spans, requests the log refused)
stay in the builder and are left out wherever rows leave it.
"""

from __future__ import annotations

import threading
from collections import deque
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from tracestore import limits
from tracestore.segment.tables import SEGMENT_TABLES, SegmentTable
from tracestore.store.catalog.path_ids import Leaf
from tracestore.variant import Shredder

RowNumbers = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class _Chunk:
    """An exported range of builder rows [start, stop), without hidden rows."""

    start: int
    stop: int
    hidden: RowNumbers
    table: pa.Table

    def until(self, stop: int) -> pa.Table:
        """Returns the chunk's rows before builder row `stop`."""
        if self.stop <= stop:
            return self.table
        if self.start >= stop:
            return self.table.slice(0, 0)
        gone = int(np.searchsorted(self.hidden, stop))
        return self.table.slice(0, stop - self.start - gone)


class Memtable:
    """A builder, which of its rows count, and what readers were given of it.

    `lock` guards the builder. `visible` is written under the store's lock, so that a snapshot reads
    the marks of all memtables as of one moment.
    """

    def __init__(self, table: str, project: str) -> None:
        self.table = table
        self.project = project
        self.spec: SegmentTable = SEGMENT_TABLES[table]
        self.lock = threading.Lock()
        self.shredder = Shredder(table=table, conventions=True)
        self.visible = 0
        self._waiting: deque[tuple[int, int]] = deque()
        self._hidden: list[RowNumbers] = []
        self._chunks: tuple[_Chunk, ...] = ()

    # --- writing; the caller holds `lock` ---

    def note_appended(self, frame: int, hidden: RowNumbers) -> None:
        """Notes that all rows so far belong to frames up to `frame`, and which of them do not count."""
        if len(hidden):
            self._hidden.append(hidden)
        self._waiting.append((frame, self.shredder.rows))

    def hide_from(self, start: int) -> None:
        """Hides all rows from `start` on: their request was refused."""
        self._hidden.append(np.arange(start, self.shredder.rows, dtype=np.int64))

    # --- visibility; the caller holds the store's lock ---

    def publish(self, frame: int) -> None:
        """Makes the rows of frames up to `frame` visible."""
        while self._waiting and self._waiting[0][0] <= frame:
            self.visible = max(self.visible, self._waiting.popleft()[1])

    # --- reading ---

    def hidden_rows(self) -> RowNumbers:
        """Returns the rows that do not count, sorted. The caller holds `lock`."""
        if len(self._hidden) > 1:
            self._hidden = [np.unique(np.concatenate(self._hidden))]
        return self._hidden[0] if self._hidden else np.empty(0, np.int64)

    def kept_rows(self) -> int:
        """Returns how many rows count, visible or not. The caller holds `lock`."""
        return self.shredder.rows - len(self.hidden_rows())

    def read(self, stop: int) -> list[pa.Table]:
        """Returns the rows [0, stop) that count, as one or more tables.

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
        cut = [chunk.until(stop) for chunk in chunks]
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
