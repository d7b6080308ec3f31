"""Path ids of many segments in one array, kept for sets of segments that are asked for again."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from tracestore.store.catalog.path_ids import OwnedPaths, Owner
from tracestore.store.catalog.segment_row import Ids, SegmentRow
from tracestore.store.segments.tail_cache import TailCache

Mask = npt.NDArray[np.bool_]

# Sets of segments whose arrays are kept: a few dashboards' worth of time ranges.
_MAX_SETS: Final = 64


@dataclass(frozen=True, slots=True)
class PathIds:
    """The path ids of several segments in one array; segment i has those up to `ends[i]`."""

    ids: Ids
    ends: npt.NDArray[np.int64]
    present: Mask

    @classmethod
    def of(cls, ids_by_segment: Sequence[Ids]) -> PathIds:
        """Returns the ids of segments, in the order given."""
        ids = np.concatenate([*ids_by_segment, np.empty(0, np.uint32)])
        present = np.zeros(int(ids.max()) + 1 if len(ids) else 0, np.bool_)
        present[ids] = True
        ends = np.cumsum([len(each) for each in ids_by_segment], dtype=np.int64)
        return cls(ids, ends, present)

    def has(self, path_id: int) -> bool:
        """Returns whether some segment has an id."""
        return path_id < len(self.present) and bool(self.present[path_id])

    def segments_with(self, path_id: int) -> npt.NDArray[np.int64]:
        """Returns the positions of the segments that have an id."""
        if not self.has(path_id):
            return np.empty(0, np.int64)
        return np.searchsorted(self.ends, np.flatnonzero(self.ids == path_id), side="right")


class LeafArrays:
    """Keeps the path ids of sets of segments, and the sorted path names of projects. Thread-safe."""

    def __init__(self, tails: TailCache) -> None:
        self._tails = tails
        self._lock = threading.Lock()
        self._sets: OrderedDict[tuple[Owner, tuple[str, ...]], tuple[PathIds, PathIds]] = (
            OrderedDict()
        )
        self._names: dict[Owner, tuple[tuple[int, int, int], list[str]]] = {}

    def of_segments(self, owner: Owner, rows: Sequence[SegmentRow]) -> tuple[PathIds, PathIds]:
        """Returns the ids of the leaf columns and of the tails of a project's segments."""
        key = (owner, tuple(row.segment_id for row in rows))
        with self._lock:
            cached = self._sets.get(key)
            if cached is not None:
                self._sets.move_to_end(key)
                return cached
        tails = self._tails.get(rows)
        arrays = (
            PathIds.of([row.leaf_ids for row in rows]),
            PathIds.of([tails[row.segment_id][0] for row in rows]),
        )
        with self._lock:
            self._sets[key] = arrays
            while len(self._sets) > _MAX_SETS:
                self._sets.popitem(last=False)
        return arrays

    def sorted_names(self, owner: Owner, paths: OwnedPaths) -> list[str]:
        """Returns the path names of a project, sorted."""
        # Ids only grow: the last one tells whether there are new paths.
        path_ids = list(paths.leaves)
        state = (id(paths), len(path_ids), path_ids[-1] if path_ids else 0)
        with self._lock:
            cached = self._names.get(owner)
            if cached is not None and cached[0] == state:
                return cached[1]
        names = sorted({path for path, _ in list(paths.leaves.values())})
        with self._lock:
            self._names[owner] = (state, names)
        return names
