"""Path ids of segment tails, read from the catalog when first asked for and kept within a bound."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Sequence
from typing import Final

import numpy as np

from tracestore.store.catalog.catalog import Catalog
from tracestore.store.catalog.segment_row import Ids, SegmentRow

# Ids kept in memory, 8 bytes each with their row counts: 32 MiB.
_MAX_IDS: Final = 4 * 1024 * 1024

_NONE: Final = (np.empty(0, np.uint32), np.empty(0, np.uint32))


class TailCache:
    """Caches (path ids, rows) by segment. Thread-safe."""

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog
        self._lock = threading.Lock()
        self._held: OrderedDict[str, tuple[Ids, Ids]] = OrderedDict()
        self._ids = 0

    def get(self, rows: Sequence[SegmentRow]) -> dict[str, tuple[Ids, Ids]]:
        """Returns the tails of segments, by segment id."""
        wanted = [row.segment_id for row in rows if row.tail_bytes is not None]
        with self._lock:
            known = {key: self._held[key] for key in wanted if key in self._held}
            for key in known:
                self._held.move_to_end(key)
        missing = [key for key in wanted if key not in known]
        if missing:
            loaded = self._catalog.tails(missing)
            self._keep(loaded)
            known.update(loaded)
        return {row.segment_id: known.get(row.segment_id, _NONE) for row in rows}

    def _keep(self, loaded: dict[str, tuple[Ids, Ids]]) -> None:
        with self._lock:
            for key, value in loaded.items():
                if key not in self._held:
                    self._held[key] = value
                    self._ids += len(value[0])
            while self._ids > _MAX_IDS and len(self._held) > 1:
                _, (ids, _) = self._held.popitem(last=False)
                self._ids -= len(ids)
