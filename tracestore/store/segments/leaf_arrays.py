"""Path ids of many segments in one array, kept for sets of segments that are asked for again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from tracestore.bounded_cache import BoundedCache
from tracestore.store.catalog.path_ids import OwnedPaths, Owner
from tracestore.store.catalog.segment_row import Ids, SegmentPaths, SegmentRow
from tracestore.store.segments.path_cache import PathCache

Mask = npt.NDArray[np.bool_]

# Bytes of ids kept, 4 a path and segment: a few dashboards' worth of time ranges over 5,000 segments.
_MAX_ID_BYTES: Final = 256 * 1024 * 1024

# Sorted path names kept, a reference each.
_MAX_NAMES: Final = 4_000_000


_NONE: Final[Ids] = np.empty(0, np.uint32)


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
        ends = np.cumsum([len(segment_ids) for segment_ids in ids_by_segment], dtype=np.int64)
        return cls(ids, ends, present)

    @property
    def nbytes(self) -> int:
        """Returns the bytes that the arrays take."""
        return self.ids.nbytes + self.ends.nbytes + self.present.nbytes

    def has(self, path_id: int) -> bool:
        """Returns whether some segment has an id."""
        return path_id < len(self.present) and bool(self.present[path_id])

    def segments_with(self, path_id: int) -> npt.NDArray[np.int64]:
        """Returns the positions of the segments that have an id."""
        if not self.has(path_id):
            return np.empty(0, np.int64)
        return np.searchsorted(self.ends, np.flatnonzero(self.ids == path_id), side="right")


@dataclass(frozen=True, slots=True)
class SegmentLeaves:
    """The leaves of several segments of one project.

    Attributes:
        columns: path ids of the leaf columns.
        tails: path ids of the tails, as far as the catalog lists them.
        unlisted: positions of the segments of whose tails the catalog lists not all paths, or none any more.
        dropped: positions of the segments that the catalog has dropped.
    """

    columns: PathIds
    tails: PathIds
    unlisted: tuple[int, ...]
    dropped: tuple[int, ...]

    @classmethod
    def of(cls, rows: Sequence[SegmentRow], paths: Mapping[str, SegmentPaths]) -> SegmentLeaves:
        """Returns the leaves of segments, given the paths that the catalog lists."""
        listed = [paths.get(row.segment_id) for row in rows]
        dropped = tuple(at for at, own in enumerate(listed) if own is None)
        return cls(
            PathIds.of([_NONE if own is None else own.leaf_ids for own in listed]),
            PathIds.of([_NONE if own is None else own.tail_ids for own in listed]),
            tuple(
                at
                for at, (row, own) in enumerate(zip(rows, listed, strict=True))
                if row.unlisted_paths or (own is None and row.tail_bytes is not None)
            ),
            dropped,
        )

    @property
    def nbytes(self) -> int:
        """Returns the bytes that the arrays take."""
        return self.columns.nbytes + self.tails.nbytes


class LeafArrays:
    """The path ids of sets of segments, and the sorted path names of projects. Thread-safe."""

    def __init__(self, paths: PathCache) -> None:
        self._paths = paths
        self._sets: BoundedCache[tuple[Owner, tuple[str, ...]], SegmentLeaves] = BoundedCache(
            _MAX_ID_BYTES, lambda leaves: leaves.nbytes
        )
        self._names: BoundedCache[Owner, tuple[tuple[int, int, int], list[str]]] = BoundedCache(
            _MAX_NAMES, lambda cached: 1 + len(cached[1])
        )

    def of_segments(self, owner: Owner, rows: Sequence[SegmentRow]) -> SegmentLeaves:
        """Returns the leaves of a project's segments."""
        return self._sets.get_or_make(
            (owner, tuple(row.segment_id for row in rows)),
            lambda: SegmentLeaves.of(rows, self._paths.get(rows)),
        )

    def sorted_names(self, owner: Owner, paths: OwnedPaths) -> list[str]:
        """Returns the path names of a project, sorted."""
        # Ids only grow: the last one tells whether there are new paths.
        path_ids = list(paths.leaves)
        state = (id(paths), len(path_ids), path_ids[-1] if path_ids else 0)
        _, names = self._names.get_or_renew(
            owner,
            lambda cached: cached[0] == state,
            lambda _: (state, sorted({path for path, _ in list(paths.leaves.values())})),
        )
        return names
