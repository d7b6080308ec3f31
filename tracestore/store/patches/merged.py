"""Rows with their patches merged, kept for later queries: overlays and columns of segments, tables of memtables.

Nothing is written: a rewrite of the segment folds the patches in.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from tracestore.bounded_cache import BoundedCache
from tracestore.segment.read import SegmentFile
from tracestore.store.patches.log import PatchesByRow, PatchPrefix, ProjectPatches
from tracestore.store.patches.lookup import PatchLookup, extended
from tracestore.store.patches.rows import (
    OldRow,
    Overlay,
    leaf_columns,
    new_rows,
    old_rows,
    put_back,
)
from tracestore.store.patches.span_index import flat_array
from tracestore.variant import OVERFLOW

MAX_OVERLAY_BYTES: Final = 256 * 1024 * 1024
"""Bytes of patched rows kept, by segment and fields."""

MAX_COLUMN_BYTES: Final = 256 * 1024 * 1024
"""Bytes of leaf columns kept with patches merged: 8 MB a million numbers."""

MAX_TIME_BYTES: Final = 128 * 1024 * 1024
"""Bytes of rows' times kept: 8 MB a million rows."""

MAX_CHUNKS: Final = 8
"""Tables of memtables whose patched form is kept: they and their rows stay in memory as long."""

# A row's old values as Python objects take about this beside the bytes of its leaves.
_OLD_ROW_BYTES: Final = 512

OverlayKey = tuple[str, frozenset[str]]  # segment id, fields


@dataclass(frozen=True, slots=True)
class _CachedOverlay:
    """An overlay, the patches that it was made of, and the values that its rows have in the file."""

    patches: PatchesByRow
    old: Mapping[int, OldRow]
    overlay: Overlay

    @property
    def nbytes(self) -> int:
        return 3 * int(self.overlay.table.nbytes) + _OLD_ROW_BYTES * len(self.old)


@dataclass(frozen=True, slots=True)
class _CachedChunk:
    """A table of a memtable and its patched form; it is kept so that no other table takes its id."""

    chunk: pa.Table
    owner: ProjectPatches
    count: int
    merged: pa.Table


class MergedRows:
    """The patched rows of segments and memtables, kept for later queries. Thread-safe."""

    def __init__(self, lookup: PatchLookup) -> None:
        self._lookup = lookup
        self._overlays: BoundedCache[OverlayKey, _CachedOverlay] = BoundedCache(
            MAX_OVERLAY_BYTES, lambda cached: cached.nbytes
        )
        # With the overlay that is merged into a column: another one makes another column.
        self._columns: BoundedCache[tuple[str, frozenset[str], str], tuple[Overlay, pa.Array]] = (
            BoundedCache(MAX_COLUMN_BYTES, lambda cached: int(cached[1].nbytes))
        )
        self._times: BoundedCache[str, npt.NDArray[np.int64]] = BoundedCache(
            MAX_TIME_BYTES, lambda times: times.nbytes
        )
        self._chunks: BoundedCache[int, _CachedChunk] = BoundedCache(MAX_CHUNKS)

    def overlay(
        self,
        segment_id: str,
        path: Path,
        names: Collection[str],
        by_row: PatchesByRow,
        fields: frozenset[str],
    ) -> Overlay | None:
        """Returns the patched rows of a segment with the leaves of some fields, None where there are none.

        Args:
            segment_id: of the segment.
            path: its file.
            names: its leaf columns.
            by_row: its patches.
            fields: the fields that are read.
        """
        patches = {
            row: row_patches
            for row, row_patches in by_row.items()
            if any(patch.fields & fields for patch in row_patches)
        }
        if not patches:
            return None

        def renew(outdated: _CachedOverlay | None) -> _CachedOverlay:
            old = dict(outdated.old) if outdated is not None else {}
            unread = np.array([row for row in sorted(patches) if row not in old], np.int64)
            if len(unread):
                with SegmentFile(path) as file:
                    table = file.rows_at(unread, [*leaf_columns(sorted(names), fields), OVERFLOW])
                old.update(zip(unread.tolist(), old_rows(table, fields), strict=True))
            return _CachedOverlay(patches, old, _merged_overlay(patches, old, fields))

        return self._overlays.get_or_renew(
            (segment_id, fields), lambda cached: cached.patches == patches, renew
        ).overlay

    def column(
        self, segment_id: str, path: Path, fields: frozenset[str], overlay: Overlay, name: str
    ) -> pa.Array | None:
        """Returns a leaf's column over all rows of a segment, with the rows of an overlay in their places.

        None where it takes more than a quarter of what is kept of all columns.
        """
        _, column = self._columns.get_or_renew(
            (segment_id, fields, name),
            lambda cached: cached[0] is overlay,
            lambda _: (overlay, _merged_column(path, overlay, name)),
        )
        return column if column.nbytes <= MAX_COLUMN_BYTES // 4 else None

    def rows_between(
        self, segment_id: str, path: Path, time_column: str, start_ns: int, stop_ns: int
    ) -> tuple[int, int]:
        """Returns the half-open range of the rows whose time is in [start_ns, stop_ns), of a segment sorted by time."""

        def read() -> npt.NDArray[np.int64]:
            with SegmentFile(path) as file:
                return file.times(time_column)

        times = self._times.get_or_make(segment_id, read)
        start, stop = np.searchsorted(times, [start_ns, stop_ns]).tolist()
        return start, stop

    def chunk(self, chunk: pa.Table, patches: PatchPrefix) -> pa.Table:
        """Returns a memtable's table with patches merged."""

        def merge(_: _CachedChunk | None) -> _CachedChunk:
            matches = self._lookup.find_in_chunk(chunk, patches.keys())
            by_row = extended({}, patches.owner, matches)
            return _CachedChunk(chunk, patches.owner, patches.count, _merged_chunk(chunk, by_row))

        return self._chunks.get_or_renew(
            id(chunk),
            lambda cached: cached.owner is patches.owner and cached.count == patches.count,
            merge,
        ).merged

    def forget(self, segment_ids: Collection[str]) -> None:
        """Drops what is known of segments that are gone."""
        gone = frozenset(segment_ids)
        self._overlays.drop(lambda key: key[0] in gone)
        self._columns.drop(lambda key: key[0] in gone)
        self._times.drop(gone.__contains__)

    def forget_memory(self) -> None:
        """Drops what is known of memtables: one of them has become segments."""
        self._chunks.clear()


def _merged_overlay(
    patches: PatchesByRow, old: Mapping[int, OldRow], fields: frozenset[str]
) -> Overlay:
    numbers = sorted(patches)
    table = new_rows([old[row] for row in numbers], [patches[row] for row in numbers], fields)
    trace_ids = pa.array([patches[row][0].trace_id for row in numbers], pa.string())
    return Overlay(np.array(numbers, np.int64), table, trace_ids)


def _merged_chunk(chunk: pa.Table, by_row: PatchesByRow) -> pa.Table:
    if not by_row:
        return chunk
    numbers = np.array(sorted(by_row), np.int64)
    changes = [by_row[row] for row in numbers.tolist()]
    fields = frozenset(name for patches in changes for patch in patches for name in patch.fields)
    taken = chunk.take(pa.array(numbers))
    return put_back(chunk, numbers, new_rows(old_rows(taken, fields), changes, fields), fields)


def _merged_column(path: Path, overlay: Overlay, name: str) -> pa.Array:
    is_patched = name in overlay.table.schema.names
    with SegmentFile(path) as file:
        row_count = file.rows
        if name in file.schema.names:
            old = flat_array(file.columns([name]).column(0))
        elif is_patched:
            old = pa.nulls(row_count, overlay.table.schema.field(name).type)
        else:
            raise AssertionError(f"BUG: no row of a patched segment has leaf {name!r}")
    new = (
        flat_array(overlay.table.column(name))
        if is_patched
        else pa.nulls(len(overlay.rows), old.type)
    )
    order = np.arange(row_count, dtype=np.int64)
    order[overlay.rows] = row_count + np.arange(len(overlay.rows))
    return pa.concat_arrays([old, new.cast(old.type)]).take(pa.array(order))
