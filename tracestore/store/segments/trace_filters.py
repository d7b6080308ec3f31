"""Which segments may hold a trace, by the bloom filters in their files: the others are not opened for it."""

from __future__ import annotations

import os
from collections.abc import Collection, Sequence
from typing import Final

import pyarrow as pa

from tracestore.bounded_cache import BoundedCache
from tracestore.errors import TraceStoreError
from tracestore.segment.bloom import BloomFilters, bloom_filters, key_of
from tracestore.store.catalog.segment_row import SegmentRow
from tracestore.store.files.segment_files import SegmentFiles

MAX_GROUPS: Final = 500_000
"""Row groups whose filters' places are kept, about 100 bytes each."""

MAX_ID_CHARACTERS: Final = 256
"""Longer ids are looked for in every segment: their hash is computed a byte at a time."""

COLUMN: Final = "trace_id"

_NONE: Final = BloomFilters((), ())


class TraceFilters:
    """The places of segments' bloom filters of trace ids. Thread-safe.

    Args:
        files: of the segments.
    """

    def __init__(self, files: SegmentFiles) -> None:
        self._files = files
        self._filters: BoundedCache[str, BloomFilters] = BoundedCache(
            MAX_GROUPS, lambda filters: 1 + len(filters.starts)
        )

    def with_one(self, rows: Sequence[SegmentRow], trace_ids: Collection[str]) -> list[bool]:
        """Returns for each segment whether it may hold a row of one of some traces."""
        if any(len(trace_id) > MAX_ID_CHARACTERS for trace_id in trace_ids):
            return [True] * len(rows)
        keys = [key_of(trace_id) for trace_id in trace_ids]
        return [self._may_hold(row, keys) for row in rows]

    def forget(self, segment_ids: Collection[str]) -> None:
        """Drops what is kept of segments that are gone."""
        gone = set(segment_ids)
        self._filters.drop(lambda segment_id: segment_id in gone)

    def _may_hold(self, row: SegmentRow, keys: Sequence[int]) -> bool:
        try:
            filters = self._filters.get_or_make(row.segment_id, lambda: self._read(row))
            if not filters.starts:
                return True
            descriptor = os.open(self._files.local_name(row.file_key), os.O_RDONLY | os.O_CLOEXEC)
            try:
                return filters.may_hold(descriptor, keys)
            finally:
                os.close(descriptor)
        except (OSError, pa.ArrowException, TraceStoreError):
            # Who reads its rows says what is wrong with the file.
            return True

    def _read(self, row: SegmentRow) -> BloomFilters:
        """Returns where the filters of a segment lie, nowhere for a segment without."""
        return bloom_filters(self._files.local(row.file_key), COLUMN) or _NONE
