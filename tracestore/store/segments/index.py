"""The live segments in memory: which of them a snapshot must read, found without the catalog."""

from __future__ import annotations

import itertools
from collections import defaultdict, deque
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from tracestore.bounded_cache import BoundedCache
from tracestore.store.catalog.packed_segments import PackedSegments
from tracestore.store.catalog.path_ids import Owner
from tracestore.store.catalog.segment_row import SegmentRow
from tracestore.store.segments.day_segments import (
    DaySegments,
    Kept,
    SegmentGroup,
    TimeRange,
    day_of,
    kept_rows,
)

__all__ = ["SegmentChange", "SegmentGroup", "SegmentIndex", "TimeRange", "Totals"]

_STORED: Final = ("bytes", "tail_bytes", "words_bytes")

MAX_PLACES: Final = 10_000
"""Segments whose days are kept by their ids: those with rows that do not count are asked for every second."""

MAX_JOURNAL: Final = 256
"""Changes that are kept for those who follow; one that is further behind gets everything."""


@dataclass(frozen=True, slots=True)
class SegmentChange:
    """One change of the list of segments.

    Attributes:
        number: counts the changes.
    """

    number: int
    added: Sequence[SegmentRow]
    removed: Sequence[SegmentRow]


@dataclass(frozen=True, slots=True)
class Totals:
    """The sums over all segments; bytes are those of sidecars too."""

    segments: int = 0
    rows: int = 0
    bytes: int = 0


class SegmentIndex:
    """The groups of all segments that may be read. Not thread-safe: the store locks it.

    Attributes:
        changes: counts the changes.
        totals: sums over all segments.
    """

    def __init__(self) -> None:
        self._kept = kept_rows()
        self._places: BoundedCache[str, tuple[Owner, int]] = BoundedCache(MAX_PLACES)
        self._days: dict[Owner, dict[int, DaySegments]] = {}
        self._groups: dict[Owner, SegmentGroup] = {}
        self._journal: deque[SegmentChange] = deque(maxlen=MAX_JOURNAL)
        self.changes = 0
        self.totals = Totals()

    def load(self, packed: Iterable[PackedSegments]) -> None:
        """Takes segments in place of all others; those of a table and project are sorted by day and time."""
        self.changes += 1
        self._journal.clear()
        self._days.clear()
        self._groups.clear()
        self._kept.clear()
        self._places.clear()
        self.totals = Totals()
        for group in packed:
            days = self._days.setdefault(group.owner, {})
            days.update({day.day: day for day in _days_of(group, self._kept)})
            self.totals = _sum(self.totals, group)

    def apply(self, added: Sequence[SegmentRow], removed: Sequence[SegmentRow]) -> None:
        """Adds segments and drops others; those that are not there are left aside."""
        self.changes += 1
        self._journal.append(SegmentChange(self.changes, added, removed))
        by_day: dict[tuple[Owner, int], tuple[list[SegmentRow], set[str]]] = defaultdict(
            lambda: ([], set())
        )
        for row in removed:
            by_day[(row.table, row.project), row.day][1].add(row.segment_id)
        for row in added:
            self._places.put(row.segment_id, ((row.table, row.project), row.day))
            by_day[(row.table, row.project), row.day][0].append(row)
        for (owner, day), (new, gone) in by_day.items():
            self._replace(owner, day, new, gone)

    def packed(self) -> list[PackedSegments]:
        """Returns every segment as arrays, those of a table and project sorted by day and time."""
        return [day.packed for days in self._days.values() for day in days.values()]

    def since(self, changes: int) -> list[SegmentChange] | None:
        """Returns what changed after a number of changes, None where that is not known any more."""
        later = [change for change in self._journal if change.number > changes]
        return later if len(later) == self.changes - changes else None

    def get(self, segment_id: str) -> SegmentRow | None:
        """Returns a segment by id; looks at all days for one that was not asked for lately."""
        owner, number = self._places.get(segment_id) or (None, 0)
        if owner is not None:
            day = self._days.get(owner, {}).get(number)
            return None if day is None else day.find(segment_id)
        for owner, day in self.days():
            row = day.find(segment_id)
            if row is not None:
                self._places.put(segment_id, (owner, day.day))
                return row
        return None

    def has(self, row: SegmentRow) -> bool:
        """Returns whether a segment is there still."""
        day = self._days.get((row.table, row.project), {}).get(row.day)
        return day is not None and day.find(row.segment_id) is not None

    def rows(self) -> Iterator[SegmentRow]:
        """Returns every segment as of now, one by one; for what must look at all of them."""
        return itertools.chain.from_iterable(day.each() for _, day in self.days())

    def groups(self, table: str, projects: Collection[str] | None) -> dict[str, SegmentGroup]:
        """Returns the groups of a table by project, None meaning all projects."""
        return {
            project: self._group((name, project))
            for name, project in self._days
            if name == table and (projects is None or project in projects)
        }

    def days(self) -> list[tuple[Owner, DaySegments]]:
        """Returns the segments of every day."""
        return [(owner, day) for owner, days in self._days.items() for day in days.values()]

    def _group(self, owner: Owner) -> SegmentGroup:
        group = self._groups.get(owner)
        if group is None:
            days = self._days[owner]
            group = self._groups[owner] = SegmentGroup([days[day] for day in sorted(days)])
        return group

    def _replace(self, owner: Owner, day: int, added: list[SegmentRow], gone: set[str]) -> None:
        days = self._days.setdefault(owner, {})
        before = days.pop(day, None)
        if before is not None:
            self.totals = _sum(self.totals, before.packed, -1)
            after = before.with_changes(added, gone)
        else:
            after = day_of(self._kept, added)
        if after is not None:
            days[day] = after
            self.totals = _sum(self.totals, after.packed)
        elif not days:
            del self._days[owner]
        self._groups.pop(owner, None)


def _days_of(group: PackedSegments, kept: Kept) -> Iterator[DaySegments]:
    days = group.column("day")
    cuts = [0, *(np.flatnonzero(np.diff(days)) + 1).tolist(), len(group)]
    for start, stop in itertools.pairwise(cuts):
        yield DaySegments(group.slice(start, stop), kept)


def _sum(totals: Totals, packed: PackedSegments, sign: int = 1) -> Totals:
    stored = sum(int(np.maximum(packed.column(name), 0).sum()) for name in _STORED)
    return Totals(
        totals.segments + sign * len(packed),
        totals.rows + sign * int(packed.column("rows").sum()),
        totals.bytes + sign * stored,
    )
