"""Spans that came before: which are copies of what is stored, and which are later versions, whose earlier ones go.

A span is known by project, trace id, span id and kind. The same content again is a copy and is left out. Other content
is a later version: from its acknowledgement on it stands in place of the earlier one, wherever that lies.
Versions of a span have one start time: where its ids are not remembered any more, only the segments of that time are
looked at.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from tracestore.arrow_compute import pc
from tracestore.errors import CorruptionError, StoreMissingError
from tracestore.segment.read import SegmentFile
from tracestore.store.catalog.segment_row import SegmentRow
from tracestore.store.core import Core
from tracestore.store.memory.memtable import Memtable, Replaced
from tracestore.store.memory.recent_spans import EVER, SeenSpans
from tracestore.store.memory.span_keys import span_keys
from tracestore.store.memory.span_rows import NO_ROW
from tracestore.store.segments.replaced_rows import NO_ROWS
from tracestore.variant import Keys, Shredder

RowNumbers = npt.NDArray[np.int64]

MAX_COMPARED_ROWS: Final = 10_000
"""Rows of one request whose content is compared with that in a segment: about 0.1 ms each. Further ones count as later
versions, which costs a little space until the next merge."""

MAX_SEARCHED_SEGMENTS: Final = 64
"""Segments of other times in which the earlier version of a remembered span is sought, the newest first."""


_ENDS: Final = ("start_ns", "duration_ns")


@dataclass(frozen=True, slots=True)
class Arrived:
    """What became of the rows that one request brought into a memtable.

    Attributes:
        seen: what was known of them.
        hidden: rows that do not count: copies, and versions that the same request has a later one of.
        copies: how many of them are copies.
        replaced: the rows that they take the place of.
        versions: how many rows were replaced, hidden ones included.
        in_segments: (trace id, span id) of the spans whose earlier version is in a segment.
    """

    seen: SeenSpans
    hidden: RowNumbers
    copies: int
    replaced: Replaced
    versions: int
    in_segments: list[tuple[str, str]]
    _kept: tuple[Keys, RowNumbers]

    def note(self, memtable: Memtable) -> None:
        """Notes where the spans stand from now on."""
        memtable.span_rows.note(*self._kept)


def sort_out(core: Core, memtable: Memtable, start: int) -> Arrived:
    """Returns what becomes of the rows of a memtable from `start` on. The caller holds the memtable's lock."""
    shredder = memtable.shredder
    trace_id, span_id, kind = ids = [
        shredder.fixed_column(name, start) for name in memtable.spec.key_columns
    ]
    digests = shredder.digests(start)
    seen = core.recent.add(memtable.project, trace_id, span_id, kind, digests)
    times = None
    is_sought = seen.is_known & ~seen.is_copy
    if core.recent.since_ns != EVER:
        times = _times(memtable, start)
        is_sought |= (times < core.recent.since_ns) & ~seen.is_copy
    if not is_sought.any():
        fresh = np.flatnonzero(~seen.is_copy)
        hidden = np.flatnonzero(seen.is_copy) + start
        kept = (seen.keys[fresh], fresh + start)
        return Arrived(seen, hidden, len(hidden), Replaced(), 0, [], kept)
    last, superseded, sought = _last_of_each(seen, is_sought)
    found = _Sought(core, memtable, ids, sought, start)
    found.in_memory(seen.keys)
    found.in_segments(_times(memtable, start) if times is None else times)
    copies = np.concatenate([np.flatnonzero(seen.is_copy), found.copies])
    last = np.setdiff1d(last, found.copies, assume_unique=True)
    return Arrived(
        seen,
        hidden=np.concatenate([copies, superseded]) + start,
        copies=len(copies),
        replaced=found.replaced(),
        versions=len(superseded) + found.versions,
        in_segments=found.spans,
        _kept=(seen.keys[last], last + start),
    )


def restore_patches(core: Core, memtable: Memtable, arrived: Arrived | None) -> None:
    """Has the patches stay that were folded into rows of which a later version is about to be visible."""
    if arrived is None or not arrived.in_segments:
        return
    core.restore_patches(memtable.project, arrived.in_segments)


def _times(memtable: Memtable, start: int) -> RowNumbers:
    times: RowNumbers = memtable.shredder.fixed_column(
        memtable.spec.time_ns_column, start
    ).to_numpy()
    return times


def _last_of_each(
    seen: SeenSpans, is_sought: npt.NDArray[np.bool_]
) -> tuple[RowNumbers, RowNumbers, RowNumbers]:
    """Returns the last row of each span of a request, the others, and those of the last that came before the request.

    Rows count from the request's first; copies are in none of them.
    """
    rows = np.flatnonzero(~seen.is_copy)
    _, first, span = np.unique(seen.keys[rows], return_index=True, return_inverse=True)
    newest = np.zeros(len(first), np.int64)
    np.maximum.at(newest, span, rows)
    is_last = newest[span] == rows
    # A span that only this request has in several versions is not known at its first.
    came_before = is_sought[rows[first]]
    return rows[is_last], rows[~is_last], newest[came_before]


class _Sought:
    """The search for the earlier versions of rows: `left` are those not found yet, counted from the request's first."""

    def __init__(
        self,
        core: Core,
        memtable: Memtable,
        ids: Sequence[pa.Array],
        rows: RowNumbers,
        start: int,
    ) -> None:
        self._core = core
        self._memtable = memtable
        self._ids = ids
        self._start = start
        self._in_memory: list[tuple[Memtable, RowNumbers]] = []
        self._in_segments: dict[str, RowNumbers] = {}
        self.left = rows
        self._keys: Keys = np.empty(0, np.uint64)
        self.copies: RowNumbers = NO_ROWS
        self.spans: list[tuple[str, str]] = []
        self.versions = 0

    def replaced(self) -> Replaced:
        """Returns the rows that go."""
        return Replaced(tuple(self._in_memory), self._in_segments)

    def in_memory(self, keys: Keys) -> None:
        """Looks in the memtables of the project, the newest first."""
        owner = (self._memtable.table, self._memtable.project)
        frozen = [generation.find(owner) for generation in reversed(self._core.frozen)]
        for memtable in (self._memtable, *frozen):
            if memtable is None or not len(self.left):
                continue
            rows = memtable.span_rows.find(keys[self.left])
            hit = rows != NO_ROW
            if hit.any():
                self._in_memory.append((memtable, rows[hit]))
                self.versions += int(np.count_nonzero(hit))
                self.left = self.left[~hit]

    def in_segments(self, times: RowNumbers) -> None:
        """Looks in the segments of the spans' times, then in the newest of all others."""
        if not len(self.left):
            return
        trace_id, span_id, _ = self._ids
        self._keys = span_keys(trace_id, span_id, self._core.patches.seed)
        with self._core.lock:
            groups = self._core.index.groups(self._memtable.table, [self._memtable.project])
            group = groups.get(self._memtable.project)
        if group is None:
            return
        own = times[self.left]
        near = list(group.in_range((int(own.min()), int(own.max()) + 1)))
        for row in near:
            self._in_segment(row)
        looked_at = {row.segment_id for row in near}
        newest = group.newest(MAX_SEARCHED_SEGMENTS + len(near))
        others = [row for row in newest if row.segment_id not in looked_at]
        # Only a span that is remembered may be of another time.
        self.left = self.left[times[self.left] >= self._core.recent.since_ns]
        for row in others[:MAX_SEARCHED_SEGMENTS]:
            self._in_segment(row)

    def _in_segment(self, row: SegmentRow) -> None:
        if not len(self.left):
            return
        keys = self._keys[self.left]
        try:
            path = self._core.segments.files.local(row.file_key)
            at, rows = self._core.patch_lookup.find_in_segment(row.segment_id, path, keys)
            if not len(at):
                return
            order = np.argsort(rows)
            at, rows = at[order], rows[order]
            with SegmentFile(path) as file:
                kinds = file.rows_at(rows, ["kind"]).column("kind").combine_chunks()
        except (CorruptionError, StoreMissingError):
            return  # whoever reads its rows reports it
        counts = ~np.isin(rows, self._core.replaced.all.get(row.segment_id, NO_ROWS))
        counts &= pc.equal(
            kinds.cast(pa.string()), self._ids[2].take(pa.array(self.left[at])).cast(pa.string())
        ).to_numpy(zero_copy_only=False)
        at, rows = at[counts], rows[counts]
        if not len(at):
            return
        own = self.left[at]
        same = self._are_copies(row, own, rows) | self._end_before(row, own, rows)
        self.copies = np.union1d(self.copies, own[same])
        if (~same).any():
            earlier = self._in_segments.get(row.segment_id, NO_ROWS)
            self._in_segments[row.segment_id] = np.union1d(earlier, rows[~same])
            self.versions += int(np.count_nonzero(~same))
            replacing = pa.array(own[~same])
            traces, spans = (ids.take(replacing).to_pylist() for ids in self._ids[:2])
            self.spans += zip(traces, spans, strict=True)
        self.left = self.left[~np.isin(self.left, own)]

    def _end_before(
        self, segment: SegmentRow, own: RowNumbers, rows: RowNumbers
    ) -> npt.NDArray[np.bool_]:
        """Returns which rows are earlier versions than those in a segment, as far as their ends tell.

        Of what this node itself took, the last to come is the later version. Another node's has no such order: nor has
        a row of a log that is read again, for since it came another node may have got a later version.
        """
        node = self._core.node
        is_own = segment.segment_id not in self._core.recent.without_content
        if node is None or (is_own and not node.is_replaying):
            return np.zeros(len(own), np.bool_)
        chosen = pa.array(own + self._start)
        shredder = self._memtable.shredder
        start, duration = (shredder.fixed_column(name).take(chosen) for name in _ENDS)
        with SegmentFile(self._core.segments.files.local(segment.file_key)) as file:
            stored = file.rows_at(rows, list(_ENDS))
        ends = pc.add(start, duration.fill_null(0))
        its_ends = pc.add(stored["start_ns"], stored["duration_ns"].fill_null(0)).combine_chunks()
        before: npt.NDArray[np.bool_] = pc.less(ends, its_ends).to_numpy(zero_copy_only=False)
        return before

    def _are_copies(
        self, segment: SegmentRow, own: RowNumbers, rows: RowNumbers
    ) -> npt.NDArray[np.bool_]:
        """Returns which rows have the content of those in a segment, whose content is not remembered."""
        same = np.zeros(len(own), np.bool_)
        if segment.segment_id not in self._core.recent.without_content:
            return same
        compared = slice(0, MAX_COMPARED_ROWS)
        with SegmentFile(self._core.segments.files.local(segment.file_key)) as file:
            stored = file.rows_at(rows[compared], file.schema.names)
        scratch = Shredder(
            self._memtable.table, min_leaf_rows=1, min_leaf_density=0.0, max_leaf_columns=2**31
        )
        scratch.append_table(stored)
        scratch.append_table(self._memtable.shredder.build(order=own[compared] + self._start))
        table = scratch.finish()
        half = len(stored)
        same[compared] = True
        for column in table.columns:
            flat = column.combine_chunks()
            same[compared] &= _equal(flat[:half], flat[half:])
        return same


def _equal(left: pa.Array, right: pa.Array) -> npt.NDArray[np.bool_]:
    """Returns where two columns are equal; null is equal to null."""
    if pa.types.is_nested(left.type):
        pairs = zip(left.to_pylist(), right.to_pylist(), strict=True)
        return np.array([one == other for one, other in pairs], np.bool_)
    equal = pc.fill_null(pc.equal(left, right), False).to_numpy(zero_copy_only=False)
    both_null = pc.and_(left.is_null(), right.is_null()).to_numpy(zero_copy_only=False)
    result: npt.NDArray[np.bool_] = equal | both_null
    if pa.types.is_floating(left.type):
        # NaN is the same value again.
        nan = pc.and_(pc.is_nan(left), pc.is_nan(right))
        result |= pc.fill_null(nan, False).to_numpy(zero_copy_only=False)
    return result
