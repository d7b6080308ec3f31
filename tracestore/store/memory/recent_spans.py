"""Which spans came before, and which with the same content; rebuilt from recent segments when first needed.

Of each span two keys are remembered: one of its ids, and one of its ids and its content. A span whose content is
known is a copy, whatever came between: a retry that is late does not undo what came after it. A span of which only
the ids are known is a later version.
"""

from __future__ import annotations

import secrets
import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from tracestore.errors import CorruptionError, StoreFailedError, StoreMissingError
from tracestore.segment.read import SegmentFile
from tracestore.store.clock import Clock
from tracestore.store.memory.recent_keys import RecentKeys
from tracestore.store.memory.span_keys import project_seed, span_keys, with_kinds
from tracestore.variant import Keys, Mask, mixed

# (segment id, project, path, rows) of segments whose spans may come again, newest first.
RecentSegments = Callable[[], Iterable[tuple[str, str, Path, int]]]

EVER: Final = -(2**63)
ALWAYS: Final = 2**63 - 1


@dataclass(frozen=True, slots=True)
class SeenSpans:
    """Spans that came just now, and what was known of them.

    Attributes:
        keys: of their ids.
        content_keys: of their ids and content.
        is_known: which had ids that came before; of equal ones in one request all but the first.
        is_copy: which came before with the same content.
    """

    keys: Keys
    content_keys: Keys
    is_known: Mask
    is_copy: Mask


class RecentSpans:
    """The spans that were stored lately. Thread-safe.

    Attributes:
        since_ns: every span that was stored after this time is remembered.
        without_content: ids of segments of whose spans only the ids are remembered.
    """

    def __init__(
        self, max_spans: int, max_age_s: float, clock: Clock, segments: RecentSegments
    ) -> None:
        self._clock = clock
        self._segments = segments
        self._max_spans = max_spans
        self._lock = threading.Lock()
        self._secret = secrets.token_bytes(16)
        self._max_age_s = max_age_s
        self._keys = RecentKeys(2 * max_spans, max_age_s, clock.elapsed_s())
        self._turns = 0
        self._young_since_ns = EVER
        self._loaded = False
        self.since_ns = EVER
        self.without_content: set[str] = set()

    def load(self, known: Iterable[str], all_rows: int) -> None:
        """Reads the keys of recent segments at the first call: newest first, up to the bound.

        Args:
            known: ids of all segments of spans.
            all_rows: rows of all of them.
        """
        with self._lock:
            if self._loaded:
                return
            self.without_content = set(known)
            read = 0
            for _, project, path, rows in self._segments():
                if read + rows > self._max_spans:
                    break
                read += rows
                try:
                    with SegmentFile(path) as file:
                        ids = file.columns(["trace_id", "span_id", "kind"])
                except (CorruptionError, StoreMissingError, StoreFailedError):
                    continue  # whoever reads its rows reports it
                self._keys.add(self._hash(project, ids), self._clock.elapsed_s())
            if read < all_rows:
                self.since_ns = self._clock.now_ns()
            self._loaded = True

    def add(
        self,
        project: str,
        trace_id: pa.Array,
        span_id: pa.Array,
        kind: pa.Array,
        digests: npt.NDArray[np.uint64],
    ) -> SeenSpans:
        """Remembers spans, and returns what was known of them."""
        keys = self._keys_of(project, trace_id, span_id, kind)
        content_keys = mixed(keys, digests[:, np.newaxis])
        with self._lock:
            now_s = self._clock.elapsed_s()
            is_new_content = self._keys.add(content_keys, now_s)
            is_new = self._keys.add(keys, now_s)
            self._note_turns()
        # Where the ids were forgotten the span was deleted: it may be sent again as it was.
        return SeenSpans(keys, content_keys, ~is_new, ~is_new_content & ~is_new)

    def note_stored(self, segment_id: str, project: str, ids: pa.Table) -> Keys:
        """Remembers the spans of a segment that another node wrote; returns their keys."""
        keys = self._hash(project, ids)
        with self._lock:
            self._keys.add(keys, self._clock.elapsed_s())
            self._note_turns()
            self.without_content.add(segment_id)
        return keys

    def seek_all(self) -> None:
        """Has every span sought in segments from now on, until `seek_forgotten`."""
        with self._lock:
            self.since_ns = ALWAYS

    def seek_forgotten(self) -> None:
        """Has those spans sought that started before now, and those that are remembered."""
        with self._lock:
            self.since_ns = self._clock.now_ns()

    def forget_all(self, known: Iterable[str]) -> None:
        """Forgets every span, since some were deleted elsewhere: what comes again is sought in segments."""
        with self._lock:
            self._keys = RecentKeys(2 * self._max_spans, self._max_age_s, self._clock.elapsed_s())
            self._turns = 0
            self._young_since_ns = self.since_ns = self._clock.now_ns()
            self.without_content = set(known)

    def take_back(self, seen: SeenSpans) -> None:
        """Forgets spans whose request was refused, so that it may be sent again."""
        with self._lock:
            self._keys.remove(seen.keys[~seen.is_known])
            self._keys.remove(seen.content_keys[~seen.is_copy])

    def forget(self, project: str, ids: pa.Table) -> None:
        """Forgets spans that were deleted, so that they may be sent again."""
        with self._lock:
            self._keys.remove(self._hash(project, ids))

    def note_rewritten(self, inputs: Iterable[str], outputs: Iterable[str]) -> None:
        """Notes which segments took the place of others."""
        with self._lock:
            gone = self.without_content.intersection(inputs)
            if gone:
                self.without_content -= gone
                self.without_content.update(outputs)

    @property
    def nbytes(self) -> int:
        """Returns the bytes held."""
        return self._keys.nbytes

    def _note_turns(self) -> None:
        while self._turns < self._keys.turns:
            self._turns += 1
            if self._turns > 1:
                # What came before the younger half was begun is forgotten now.
                self.since_ns = max(self.since_ns, self._young_since_ns)
            self._young_since_ns = self._clock.now_ns()

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
