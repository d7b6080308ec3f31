"""Paths of segments, read from the catalog when first asked for and kept within a bound."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from tracestore.bounded_cache import BoundedCache
from tracestore.store.catalog.catalog import Catalog
from tracestore.store.catalog.segment_row import SegmentPaths, SegmentRow

# Bytes of ids and row counts kept, 8 bytes a path of a segment: 100,000 segments of 100 paths.
_MAX_BYTES: Final = 96 * 1024 * 1024


class PathCache:
    """The paths of segments. Thread-safe."""

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog
        self._paths: BoundedCache[str, SegmentPaths] = BoundedCache(
            _MAX_BYTES, lambda paths: paths.nbytes
        )

    def put(self, paths: Mapping[str, SegmentPaths]) -> None:
        """Takes the paths of new segments, by segment id."""
        for segment_id, own in paths.items():
            self._paths.put(segment_id, own)

    def get(self, rows: Sequence[SegmentRow]) -> dict[str, SegmentPaths]:
        """Returns the paths of segments, by segment id.

        A segment that a snapshot still reads and the catalog has dropped is left out: its files alone know.
        """
        found: dict[str, SegmentPaths] = {}
        missing = []
        for row in rows:
            paths = self._paths.get(row.segment_id)
            if paths is None:
                missing.append(row.segment_id)
            else:
                found[row.segment_id] = paths
        if missing:
            # One query for all of them: a query for each would cost more than what it reads.
            read = self._catalog.segment_paths(missing)
            self.put(read)
            found |= read
        return found
