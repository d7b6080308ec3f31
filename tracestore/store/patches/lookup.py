"""Which rows have patches: found by the keys of spans, once for each segment and for what is new since.

Segments never change, so what was found stays true.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pyarrow as pa

from tracestore.bounded_cache import BoundedCache
from tracestore.segment.read import SegmentFile
from tracestore.store.patches.log import PatchesByRow, PatchPrefix, ProjectPatches
from tracestore.store.patches.span_index import Matches, SpanIndex
from tracestore.variant import Keys

MAX_KEY_BYTES: Final = 256 * 1024 * 1024
"""Bytes of keys kept: 14 a span. Beyond it those of segments not asked for lately are read again."""

MAX_PATCHED_ROWS: Final = 1_000_000
"""Patched rows whose patches are kept by segment, each segment counted as one more: about 100 bytes each."""

MAX_CHUNKS: Final = 8
"""Tables of memtables whose keys are kept: they and their rows stay in memory as long."""


@dataclass(frozen=True, slots=True)
class _FoundPatches:
    """The patched rows of a segment as of the first `count` patches of a project."""

    owner: ProjectPatches
    count: int
    by_row: PatchesByRow


class PatchLookup:
    """The rows of segments and memtables that patches change. Thread-safe."""

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self._indexes: BoundedCache[str, SpanIndex] = BoundedCache(
            MAX_KEY_BYTES, lambda index: index.nbytes
        )
        self._found: BoundedCache[str, _FoundPatches] = BoundedCache(
            MAX_PATCHED_ROWS, lambda found: 1 + len(found.by_row)
        )
        # The tables themselves are kept, so that no other takes the id of one.
        self._chunk_indexes: BoundedCache[int, tuple[pa.Table, SpanIndex]] = BoundedCache(
            MAX_CHUNKS
        )

    def patches_by_row(self, segment_id: str, path: Path, patches: PatchPrefix) -> PatchesByRow:
        """Returns the patches of a segment's rows by row number."""

        def extend(found: _FoundPatches | None) -> _FoundPatches:
            if found is None or found.owner is not patches.owner or found.count > patches.count:
                found = _FoundPatches(patches.owner, 0, {})
            index = self._index(segment_id, path)
            positions, rows = index.find(patches.keys(found.count))
            by_row = extended(found.by_row, patches.owner, (positions + found.count, rows))
            return _FoundPatches(patches.owner, patches.count, by_row)

        return self._found.get_or_renew(
            segment_id,
            lambda found: found.owner is patches.owner and found.count == patches.count,
            extend,
        ).by_row

    def find_in_segment(self, segment_id: str, path: Path, keys: Keys) -> Matches:
        """Returns which rows of a segment have the keys."""
        return self._index(segment_id, path).find(keys)

    def find_in_chunk(self, chunk: pa.Table, keys: Keys) -> Matches:
        """Returns which rows of a memtable's table have the keys."""
        _, index = self._chunk_indexes.get_or_make(
            id(chunk), lambda: (chunk, SpanIndex.of(self._seed, chunk))
        )
        return index.find(keys)

    def forget(self, segment_ids: Collection[str]) -> None:
        """Drops what is known of segments that are gone."""
        gone = frozenset(segment_ids)
        self._indexes.drop(gone.__contains__)
        self._found.drop(gone.__contains__)

    def forget_memory(self) -> None:
        """Drops what is known of memtables: one of them has become segments."""
        self._chunk_indexes.clear()

    def _index(self, segment_id: str, path: Path) -> SpanIndex:
        def read() -> SpanIndex:
            with SegmentFile(path) as file:
                return SpanIndex.of(self._seed, file.columns(["trace_id", "span_id"]))

        return self._indexes.get_or_make(segment_id, read)


def extended(by_row: PatchesByRow, owner: ProjectPatches, matches: Matches) -> PatchesByRow:
    """Returns patches by row with further ones, whose positions come in the patches' order."""
    positions, rows = matches
    if len(positions) == 0:
        return by_row
    result = dict(by_row)
    for position, row in zip(positions.tolist(), rows.tolist(), strict=True):
        result[row] = (*result.get(row, ()), owner.patches[position])
    return result
