"""Path ids of segment tails, read from the catalog when first asked for and kept within a bound."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np

from tracestore.bounded_cache import BoundedCache
from tracestore.store.catalog.catalog import Catalog
from tracestore.store.catalog.segment_row import Ids, SegmentRow

# Bytes of ids and row counts kept, 8 bytes a path of a tail.
_MAX_BYTES: Final = 32 * 1024 * 1024

NO_TAIL: Final = (np.empty(0, np.uint32), np.empty(0, np.uint32))


class TailCache:
    """The tails of segments as (path ids, rows). Thread-safe."""

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog
        self._tails: BoundedCache[str, tuple[Ids, Ids]] = BoundedCache(
            _MAX_BYTES, lambda tail: tail[0].nbytes + tail[1].nbytes
        )

    def get(self, rows: Sequence[SegmentRow]) -> dict[str, tuple[Ids, Ids]]:
        """Returns the tails of segments, by segment id.

        A segment that a snapshot still reads and the catalog has dropped is left out: its sidecar alone knows.
        """
        tails = {row.segment_id: NO_TAIL for row in rows}
        missing = []
        for row in rows:
            if row.tail_bytes is None:
                continue
            tail = self._tails.get(row.segment_id)
            if tail is None:
                missing.append(row.segment_id)
            else:
                tails[row.segment_id] = tail
        for segment_id in missing:
            del tails[segment_id]
        if missing:
            # One query for all of them: a query for each would cost more than what it reads.
            for segment_id, tail in self._catalog.tails(missing).items():
                self._tails.put(segment_id, tail)
                tails[segment_id] = tail
        return tails
