"""Which spans are re-sent ones, over all projects; rebuilt from recent segments when first needed."""

from __future__ import annotations

import secrets
import threading
from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np
import pyarrow as pa

from tracestore.errors import CorruptionError, StoreFailedError, StoreMissingError
from tracestore.segment.read import SegmentFile
from tracestore.store.clock import Clock
from tracestore.store.memory.recent_keys import Keys, Mask, RecentKeys
from tracestore.store.memory.span_keys import project_seed, span_keys, with_kinds

# (project, path, rows) of segments whose spans may be sent again, newest first.
RecentSegments = Callable[[], Iterable[tuple[str, Path, int]]]


class RecentSpans:
    """The spans that were stored lately. Thread-safe."""

    def __init__(
        self, max_keys: int, max_age_s: float, clock: Clock, segments: RecentSegments
    ) -> None:
        self._clock = clock
        self._segments = segments
        self._max_keys = max_keys
        self._lock = threading.Lock()
        self._secret = secrets.token_bytes(16)
        self._keys = RecentKeys(max_keys, max_age_s, clock.elapsed_s())
        self._loaded = False

    def load(self) -> None:
        """Reads the keys of recent segments at the first call: newest first, up to the bound."""
        with self._lock:
            if self._loaded:
                return
            room = self._max_keys
            for project, path, rows in self._segments():
                if rows > room:
                    break
                room -= rows
                try:
                    with SegmentFile(path) as file:
                        ids = file.columns(["trace_id", "span_id", "kind"])
                except (CorruptionError, StoreMissingError, StoreFailedError):
                    continue  # whoever reads its rows reports it
                self._keys.add(self._hash(project, ids), self._clock.elapsed_s())
            self._loaded = True

    def add(self, project: str, trace_id: pa.Array, span_id: pa.Array, kind: pa.Array) -> Mask:
        """Remembers spans and returns which of them are new."""
        self.load()
        keys = self._keys_of(project, trace_id, span_id, kind)
        with self._lock:
            return self._keys.add(keys, self._clock.elapsed_s())

    def forget(self, project: str, ids: pa.Table) -> None:
        """Forgets spans that were deleted or never stored, so that they may be sent again."""
        with self._lock:
            self._keys.remove(self._hash(project, ids))

    @property
    def nbytes(self) -> int:
        """Returns the bytes held."""
        return self._keys.nbytes

    def _hash(self, project: str, ids: pa.Table) -> Keys:
        columns = [ids.column(name).combine_chunks() for name in ("trace_id", "span_id", "kind")]
        if any(isinstance(column, pa.ChunkedArray) for column in columns):
            raise AssertionError("BUG: ids of one segment exceed one Arrow array")
        if len(ids) == 0:
            return np.empty(0, np.uint64)
        return self._keys_of(project, *columns)

    def _keys_of(self, project: str, trace_id: pa.Array, span_id: pa.Array, kind: pa.Array) -> Keys:
        keys = span_keys(trace_id, span_id, project_seed(project, self._secret))
        return with_kinds(keys, kind)
