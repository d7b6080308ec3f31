"""The live segments in memory: which of them a snapshot must read, found without the catalog.

Each table and project is a group with arrays of time bounds, so that pruning 5,000 segments is a few
vector operations.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence

import numpy as np
import numpy.typing as npt

from tracestore.store.catalog.path_ids import Owner
from tracestore.store.catalog.segment_row import Ids, SegmentRow

TimeRange = tuple[int, int]  # nanoseconds, half-open


class SegmentGroup:
    """The segments of one table and project. Immutable; replaced on change."""

    def __init__(self, rows: Sequence[SegmentRow]) -> None:
        self.rows = tuple(rows)
        self._min = np.fromiter((row.min_time_ns for row in rows), np.int64, len(rows))
        self._max = np.fromiter((row.max_time_ns for row in rows), np.int64, len(rows))
        self._leaves: tuple[Ids, npt.NDArray[np.int64]] | None = None

    def in_range(self, time_range: TimeRange | None) -> Sequence[SegmentRow]:
        """Returns the segments that may hold rows of a time range, in order of their first time."""
        if time_range is None:
            return self.rows
        start, stop = time_range
        chosen = np.flatnonzero((self._min < stop) & (self._max >= start))
        return [self.rows[number] for number in chosen.tolist()]

    def with_leaf(self, path_ids: Collection[int]) -> set[str]:
        """Returns the ids of segments that have at least one of these leaf columns."""
        if self._leaves is None:
            all_ids = np.concatenate(
                [row.leaf_ids for row in self.rows] or [np.empty(0, np.uint32)]
            )
            ends = np.cumsum([len(row.leaf_ids) for row in self.rows], dtype=np.int64)
            self._leaves = (all_ids, ends)
        all_ids, ends = self._leaves
        if len(path_ids) == 1:
            hits = np.flatnonzero(all_ids == next(iter(path_ids)))
        else:
            hits = np.flatnonzero(np.isin(all_ids, np.fromiter(path_ids, np.uint32, len(path_ids))))
        owners = np.unique(np.searchsorted(ends, hits, side="right"))
        return {self.rows[number].segment_id for number in owners.tolist()}


class SegmentIndex:
    """The groups of all segments that may be read. Not thread-safe: the store locks it."""

    def __init__(self, rows: Iterable[SegmentRow] = ()) -> None:
        self._rows: dict[str, SegmentRow] = {}
        self._groups: dict[Owner, SegmentGroup] = {}
        self._stale: set[Owner] = set()
        self.changes = 0
        self.apply(rows, ())

    def apply(self, added: Iterable[SegmentRow], removed: Iterable[str]) -> None:
        """Adds segments and drops others by id; `changes` counts the calls."""
        self.changes += 1
        for segment_id in removed:
            row = self._rows.pop(segment_id, None)
            if row is not None:
                self._stale.add((row.table, row.project))
        for row in added:
            self._rows[row.segment_id] = row
            self._stale.add((row.table, row.project))

    def get(self, segment_id: str) -> SegmentRow | None:
        """Returns a segment by id."""
        return self._rows.get(segment_id)

    def rows(self) -> list[SegmentRow]:
        """Returns every segment."""
        return list(self._rows.values())

    def groups(self, table: str, projects: Collection[str] | None) -> dict[str, SegmentGroup]:
        """Returns the groups of a table by project, None meaning all projects."""
        self._refresh()
        return {
            project: group
            for (name, project), group in self._groups.items()
            if name == table and (projects is None or project in projects)
        }

    def _refresh(self) -> None:
        if not self._stale:
            return
        fresh: Mapping[Owner, list[SegmentRow]] = {owner: [] for owner in self._stale}
        for row in self._rows.values():
            members = fresh.get((row.table, row.project))
            if members is not None:
                members.append(row)
        for owner, members in fresh.items():
            if members:
                members.sort(key=lambda row: (row.min_time_ns, row.segment_id))
                self._groups[owner] = SegmentGroup(members)
            else:
                self._groups.pop(owner, None)
        self._stale.clear()
