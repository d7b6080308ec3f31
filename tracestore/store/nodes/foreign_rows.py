"""Segments of other nodes beside rows in memory: which of two versions of one span counts.

A span that was sent to one node and again to another is in a segment of one and in memory of the other. The version
that ends later counts: a span that is reported as it starts and again as it ends is right, however the clocks of hosts
differ. Of versions that end together, the one in the segment counts: mostly they are copies.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from tracestore.errors import CorruptionError, StoreMissingError
from tracestore.segment.read import SegmentFile
from tracestore.store.catalog.segment_row import SegmentRow
from tracestore.store.core import Core
from tracestore.store.memory.memtable import Memtable
from tracestore.store.memory.span_rows import NO_ROW
from tracestore.store.nodes.moved_rows import RowFinder
from tracestore.store.segments.replaced_rows import NO_ROWS, RowNumbers, union

TABLE = "spans"

_COLUMNS = ("trace_id", "span_id", "kind", "start_ns", "duration_ns")

BySegment = dict[str, RowNumbers]
Ends = npt.NDArray[np.int64]


class ForeignRows:
    """What segments that came and went mean for rows in memory.

    Files are read as it is made; `decide` and `apply` only compare what was read.

    Args:
        core: the store.
        vanished: segments that are gone; rows of theirs may be marked as replaced by rows in memory.
        new_rows: segments that came.
        foreign: those of them with rows that were in another node's memory before.
        replaced: rows of segments that do not count.
    """

    def __init__(
        self,
        core: Core,
        vanished: Sequence[SegmentRow],
        new_rows: Sequence[SegmentRow],
        foreign: Sequence[SegmentRow],
        replaced: Mapping[str, RowNumbers],
    ) -> None:
        self._core = core
        self._replaced = replaced
        self._vanished = {row.segment_id: row for row in vanished if row.table == TABLE}
        self._new = [row for row in new_rows if row.table == TABLE]
        self._segments = [(row, ids) for row, ids in _ids_of(core, foreign)]
        self._hidden: list[tuple[Memtable, RowNumbers]] = []
        self._marked: list[tuple[Memtable, BySegment]] = []
        self._spans: dict[str, list[tuple[str, str]]] = {}

    @property
    def may_matter(self) -> bool:
        """Returns whether some row in memory may be concerned: then no request may be under way."""
        return bool(self._segments) or bool(self._vanished)

    def decide(self) -> None:
        """Compares rows. The caller holds the gate alone where `may_matter`."""
        self._move_marks()
        for row, ids in self._segments:
            keys = self._core.recent.note_stored(row.segment_id, row.project, ids)
            self._compare(row, ids, keys)

    def apply(self) -> None:
        """Hides what does not count. The caller holds the store's lock."""
        for memtable, rows in self._hidden:
            memtable.replace(rows, None)
        for memtable, found in self._marked:
            for name in self._vanished:
                memtable.replacing.pop(name, None)
            memtable.replacing.update(union(memtable.replacing, found))
            self._core.replaced.add(found)

    def spans_of_segments(self) -> Iterator[tuple[str, list[tuple[str, str]]]]:
        """Yields by project the spans whose version in a segment does not count: their patches stay."""
        yield from self._spans.items()

    def _move_marks(self) -> None:
        """Finds rows that are marked as replaced in the segments that were made of theirs."""
        for memtable in _memtables(self._core):
            if memtable.table != TABLE:
                continue
            left = {
                name: rows for name, rows in memtable.replacing.items() if name in self._vanished
            }
            if not left:
                continue
            outputs = [row for row in self._new if row.project == memtable.project]
            found: BySegment = {}
            with contextlib.suppress(CorruptionError, StoreMissingError):
                finder = RowFinder(self._core, list(self._vanished.values()), outputs)
                found = finder.outputs(left)
                self._note_spans(memtable.project, finder.spans(left))
            self._marked.append((memtable, found))

    def _compare(self, row: SegmentRow, ids: pa.Table, keys: npt.NDArray[np.uint64]) -> None:
        counts = np.ones(len(keys), np.bool_)
        counts[self._replaced.get(row.segment_id, NO_ROWS)] = False
        left = np.flatnonzero(counts)
        for memtable in _memtables(self._core):
            if (memtable.table, memtable.project) != (TABLE, row.project) or not len(left):
                continue
            with memtable.lock:
                own = memtable.span_rows.find(keys[left])
                hit = own != NO_ROW
                hit[hit] = memtable.do_count(own[hit])
                if not hit.any():
                    continue
                own_ends = _ends_in_memory(memtable, own[hit])
            its_rows = left[hit]
            wins = own_ends > _ends(ids.take(pa.array(its_rows)))
            if not wins.all():
                self._hidden.append((memtable, own[hit][~wins]))
            if wins.any():
                self._marked.append((memtable, {row.segment_id: its_rows[wins]}))
                won = ids.take(pa.array(its_rows[wins]))
                pairs = zip(won["trace_id"].to_pylist(), won["span_id"].to_pylist(), strict=True)
                self._note_spans(row.project, list(pairs))
            left = left[~hit]

    def _note_spans(self, project: str, spans: list[tuple[str, str]]) -> None:
        if spans:
            self._spans.setdefault(project, []).extend(spans)


def _memtables(core: Core) -> list[Memtable]:
    """Returns the memtables, the newest first."""
    with core.lock:
        generations = [core.generation, *reversed(core.frozen)]
    return [memtable for generation in generations for memtable in generation.memtables()]


def _ids_of(core: Core, rows: Sequence[SegmentRow]) -> Iterator[tuple[SegmentRow, pa.Table]]:
    for row in rows:
        if row.table != TABLE:
            continue
        # Whoever reads the rows of a file that is damaged or gone reports it.
        with contextlib.suppress(CorruptionError, StoreMissingError):
            path = core.segments.files.local(row.file_key)
            with SegmentFile(path) as file:
                yield row, file.columns(list(_COLUMNS))


def _ends(rows: pa.Table) -> Ends:
    return _sum(
        rows.column("start_ns").combine_chunks(), rows.column("duration_ns").combine_chunks()
    )


def _ends_in_memory(memtable: Memtable, rows: RowNumbers) -> Ends:
    chosen = pa.array(rows)
    start, duration = (memtable.shredder.fixed_column(name).take(chosen) for name in _COLUMNS[3:])
    return _sum(start, duration)


def _sum(start: pa.Array, duration: pa.Array) -> Ends:
    starts: Ends = start.to_numpy(zero_copy_only=False).astype(np.int64)
    durations: Ends = duration.fill_null(0).to_numpy(zero_copy_only=False).astype(np.int64)
    return starts + durations
