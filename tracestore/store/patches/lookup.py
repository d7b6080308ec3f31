"""Which rows have patches: found by the keys of spans, once for each segment and for what is new since.

Segments never change, so what was found stays true; the keys of some hundred million spans are kept.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from tracestore.segment.read import SegmentFile
from tracestore.store.memory.recent_keys import Keys
from tracestore.store.patches.log import KeyMaker, Patch, ProjectPatches
from tracestore.store.patches.rows import (
    OVERFLOW,
    OldRow,
    Overlay,
    leaf_columns,
    new_rows,
    old_rows,
    put_back,
)

MAX_KEY_BYTES: Final = 256 * 1024 * 1024
"""Bytes of keys kept: 12 a span. Beyond it those of segments not asked for lately are read again."""

MAX_COLUMN_BYTES: Final = 256 * 1024 * 1024
"""Bytes of leaf columns kept with patches merged: 8 MB a million numbers."""

MAX_OVERLAYS: Final = 4096
"""Patched rows of segments that are kept, by segment and fields."""

MAX_TIMES: Final = 16
"""Segments whose rows' times are kept: 8 MB a million rows."""

MAX_CHUNKS: Final = 8
"""Tables of memtables whose patched form is kept: they and their rows stay in memory as long."""

Pairs = tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]


@dataclass(frozen=True, slots=True)
class _SpanIndex:
    """Is the keys of a table's rows, sorted, and the row of each."""

    keys: Keys
    rows: npt.NDArray[np.int32]

    @classmethod
    def of(cls, maker: KeyMaker, table: pa.Table) -> _SpanIndex:
        ids = (_flat(table.column(name)) for name in ("trace_id", "span_id"))
        keys = maker.keys(*ids)
        order = np.argsort(keys, kind="stable").astype(np.int32)
        return cls(keys[order], order)

    @property
    def nbytes(self) -> int:
        return self.keys.nbytes + self.rows.nbytes

    def find(self, wanted: Keys) -> Pairs:
        """Returns pairs: (position among those wanted, row); a span that is there twice is two pairs."""
        low = np.searchsorted(self.keys, wanted, side="left")
        high = np.searchsorted(self.keys, wanted, side="right")
        counts = high - low
        at = np.repeat(np.arange(len(wanted)), counts)
        offsets = np.arange(len(at)) - np.repeat(np.cumsum(counts) - counts, counts)
        return at, self.rows[low[at] + offsets].astype(np.int64)


@dataclass(frozen=True, slots=True)
class _Found:
    """Is a table's patched rows, as of the first `count` patches of a list: patches by row, in order."""

    owner: ProjectPatches
    count: int
    by_row: Mapping[int, tuple[Patch, ...]]


class PatchPlaces:
    """Finds and keeps patched rows of segments and memtables. Thread-safe."""

    def __init__(self, maker: KeyMaker) -> None:
        self._maker = maker
        self._lock = threading.RLock()
        self._indexes: OrderedDict[str, _SpanIndex] = OrderedDict()
        self._index_bytes = 0
        self._found: dict[str, _Found] = {}
        self._old: dict[tuple[str, frozenset[str]], dict[int, OldRow]] = {}
        self._overlays: OrderedDict[
            tuple[str, frozenset[str]], tuple[dict[int, tuple[Patch, ...]], Overlay]
        ] = OrderedDict()
        self._columns: OrderedDict[tuple[str, frozenset[str], str], tuple[Overlay, pa.Array]] = (
            OrderedDict()
        )
        self._column_bytes = 0
        self._times: OrderedDict[str, npt.NDArray[np.int64]] = OrderedDict()
        # The tables themselves are kept, so that no other takes the place of one.
        self._chunk_indexes: OrderedDict[int, tuple[pa.Table, _SpanIndex]] = OrderedDict()
        self._chunks: OrderedDict[int, tuple[pa.Table, ProjectPatches, int, pa.Table]] = (
            OrderedDict()
        )

    def in_segment(
        self, segment_id: str, path: Path, owner: ProjectPatches, count: int
    ) -> Mapping[int, tuple[Patch, ...]]:
        """Returns the first `count` patches of a list by the row of a segment they belong to."""
        with self._lock:
            known = self._found.get(segment_id)
            if known is None or known.owner is not owner or known.count > count:
                known = _Found(owner, 0, {})
            if known.count < count:
                index = self._index(segment_id, path)
                known = _extended(known, index, count)
                self._found[segment_id] = known
            return known.by_row

    def overlay(
        self,
        segment_id: str,
        path: Path,
        names: Collection[str],
        by_row: Mapping[int, tuple[Patch, ...]],
        fields: frozenset[str],
    ) -> Overlay | None:
        """Returns the patched rows of a segment with the leaves of some fields, None where there are none.

        Args:
            segment_id: of the segment.
            path: its file.
            names: its leaf columns.
            by_row: its patches.
            fields: the fields wanted.
        """
        wanted = {
            row: patches
            for row, patches in by_row.items()
            if any(patch.fields & fields for patch in patches)
        }
        if not wanted:
            return None
        key = (segment_id, fields)
        with self._lock:
            known = self._overlays.get(key)
            if known is not None and known[0] == wanted:
                self._overlays.move_to_end(key)
                return known[1]
            old = self._old.setdefault(key, {})
            rows = np.array(sorted(wanted), np.int64)
            unread = np.array([row for row in rows.tolist() if row not in old], np.int64)
            if len(unread):
                with SegmentFile(path) as file:
                    columns = [*leaf_columns(sorted(names), fields), OVERFLOW]
                    table = file.rows_at(unread, columns)
                old.update(zip(unread.tolist(), old_rows(table, fields), strict=True))
            ordered = rows.tolist()
            table = new_rows(
                [old[row] for row in ordered], [wanted[row] for row in ordered], fields
            )
            traces = pa.array([wanted[row][0].trace_id for row in ordered], pa.string())
            made = Overlay(rows, table, traces)
            self._overlays[key] = (wanted, made)
            while len(self._overlays) > MAX_OVERLAYS:
                gone, _ = self._overlays.popitem(last=False)
                self._old.pop(gone, None)
            return made

    def whole_column(
        self, segment_id: str, path: Path, fields: frozenset[str], overlay: Overlay, name: str
    ) -> pa.Array | None:
        """Returns a leaf's column over all rows of a segment, with the rows of an overlay in their places.

        None where it is larger than what is kept of all of them.
        """
        key = (segment_id, fields, name)
        with self._lock:
            known = self._columns.pop(key, None)
            if known is None or known[0] is not overlay:
                if known is not None:
                    self._column_bytes -= known[1].nbytes
                known = (overlay, _replaced(path, overlay, name))
                self._column_bytes += known[1].nbytes
            self._columns[key] = known
            while self._column_bytes > MAX_COLUMN_BYTES and len(self._columns) > 1:
                _, gone = self._columns.popitem(last=False)
                self._column_bytes -= gone[1].nbytes
            return known[1] if known[1].nbytes <= MAX_COLUMN_BYTES // 4 else None

    def rows_between(
        self, segment_id: str, path: Path, column: str, low: int, high: int
    ) -> tuple[int, int]:
        """Returns the half-open range of the rows of a segment, which is sorted by time, in a time range."""
        with self._lock:
            times = self._times.pop(segment_id, None)
            if times is None:
                with SegmentFile(path) as file:
                    times = file.times(column)
            self._times[segment_id] = times
            while len(self._times) > MAX_TIMES:
                self._times.popitem(last=False)
        start, stop = np.searchsorted(times, [low, high]).tolist()
        return start, stop

    def rows_of_chunk(self, chunk: pa.Table, keys: Keys) -> Pairs:
        """Returns pairs of a memtable's table: (position among the keys, row)."""
        with self._lock:
            return self._chunk_index(chunk).find(keys)

    def patched_chunk(self, chunk: pa.Table, owner: ProjectPatches, count: int) -> pa.Table:
        """Returns a memtable's table with the first `count` patches of a list merged."""
        with self._lock:
            known = self._chunks.get(id(chunk))
            if known is not None and known[0] is chunk and known[1] is owner and known[2] == count:
                self._chunks.move_to_end(id(chunk))
                return known[3]
            at, rows = self._chunk_index(chunk).find(owner.keys(0, count))
            result = chunk
            if len(at):
                by_row = _by_row({}, owner, at, rows)
                numbers = np.array(sorted(by_row), np.int64)
                changes = [by_row[row] for row in numbers.tolist()]
                fields = frozenset(
                    name for patches in changes for patch in patches for name in patch.fields
                )
                taken = chunk.take(pa.array(numbers))
                new = new_rows(old_rows(taken, fields), changes, fields)
                result = put_back(chunk, numbers, new, fields)
            self._chunks[id(chunk)] = (chunk, owner, count, result)
            while len(self._chunks) > MAX_CHUNKS:
                self._chunks.popitem(last=False)
            return result

    def forget(self, segment_ids: Collection[str]) -> None:
        """Drops what is known of segments that are gone."""
        with self._lock:
            for segment_id in segment_ids:
                index = self._indexes.pop(segment_id, None)
                self._index_bytes -= index.nbytes if index is not None else 0
                self._found.pop(segment_id, None)
                self._times.pop(segment_id, None)
            gone = set(segment_ids)
            for each in [each for each in self._columns if each[0] in gone]:
                self._column_bytes -= self._columns.pop(each)[1].nbytes
            for key in [key for key in self._old if key[0] in gone]:
                del self._old[key]
            for key in [key for key in self._overlays if key[0] in gone]:
                del self._overlays[key]

    def forget_memory(self) -> None:
        """Drops what is known of memtables: one of them has become segments."""
        with self._lock:
            self._chunk_indexes.clear()
            self._chunks.clear()

    def find_in_segment(self, segment_id: str, path: Path, keys: Keys) -> Pairs:
        """Returns pairs of a segment: (position among the keys, row)."""
        with self._lock:
            return self._index(segment_id, path).find(keys)

    def _index(self, segment_id: str, path: Path) -> _SpanIndex:
        index = self._indexes.pop(segment_id, None)
        if index is None:
            with SegmentFile(path) as file:
                index = _SpanIndex.of(self._maker, file.columns(["trace_id", "span_id"]))
            self._index_bytes += index.nbytes
        self._indexes[segment_id] = index
        while self._index_bytes > MAX_KEY_BYTES and len(self._indexes) > 1:
            _, gone = self._indexes.popitem(last=False)
            self._index_bytes -= gone.nbytes
        return index

    def _chunk_index(self, chunk: pa.Table) -> _SpanIndex:
        known = self._chunk_indexes.get(id(chunk))
        if known is not None and known[0] is chunk:
            return known[1]
        index = _SpanIndex.of(self._maker, chunk)
        self._chunk_indexes[id(chunk)] = (chunk, index)
        while len(self._chunk_indexes) > MAX_CHUNKS:
            self._chunk_indexes.popitem(last=False)
        return index


def _extended(known: _Found, index: _SpanIndex, count: int) -> _Found:
    at, rows = index.find(known.owner.keys(known.count, count))
    if len(at) == 0:
        return _Found(known.owner, count, known.by_row)
    return _Found(known.owner, count, _by_row(known.by_row, known.owner, at + known.count, rows))


def _by_row(
    before: Mapping[int, tuple[Patch, ...]],
    owner: ProjectPatches,
    at: npt.NDArray[np.int64],
    rows: npt.NDArray[np.int64],
) -> dict[int, tuple[Patch, ...]]:
    """Returns patches by row with further ones; positions come in the patches' order."""
    found = dict(before)
    for position, row in zip(at.tolist(), rows.tolist(), strict=True):
        found[row] = (*found.get(row, ()), owner.patches[position])
    return found


def _replaced(path: Path, overlay: Overlay, name: str) -> pa.Array:
    held = name in overlay.table.schema.names
    with SegmentFile(path) as file:
        total = file.rows
        if name in file.schema.names:
            old = _flat(file.columns([name]).column(0))
        elif held:
            old = pa.nulls(total, overlay.table.schema.field(name).type)
        else:
            raise AssertionError(f"BUG: no row of a patched segment has leaf {name!r}")
    new = _flat(overlay.table.column(name)) if held else pa.nulls(len(overlay.rows), old.type)
    order = np.arange(total, dtype=np.int64)
    order[overlay.rows] = total + np.arange(len(overlay.rows))
    return pa.concat_arrays([old, new.cast(old.type)]).take(pa.array(order))


def _flat(column: pa.ChunkedArray) -> pa.Array:
    combined = column.combine_chunks()
    if isinstance(combined, pa.ChunkedArray):
        raise AssertionError("BUG: ids of one table exceed one Arrow array")
    return combined
