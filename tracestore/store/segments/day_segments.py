"""The segments of one table and project: those of a day, and all days. Both are immutable and replaced on change.

A question costs what it asks for: the days that a time range touches are found among all days, the segments among those
of these days. A segment becomes an object when it is asked for, and those asked for last are kept.
"""

from __future__ import annotations

import itertools
from collections.abc import Collection, Iterator, Sequence
from typing import Final

import numpy as np
import numpy.typing as npt

from tracestore.bounded_cache import BoundedCache
from tracestore.store.catalog.packed_segments import PackedSegments
from tracestore.store.catalog.segment_row import SegmentRow

TimeRange = tuple[int, int]  # nanoseconds, half-open

MAX_KEPT_ROWS: Final = 100_000
"""Segments that are kept as objects, about a kilobyte each: a query over all of twenty projects' last months."""

MAX_LISTED: Final = 1_000
"""Segments of a group of which a list is kept for those who ask for all of them: many days have few segments each."""

Times = npt.NDArray[np.int64]

Kept = BoundedCache[int, list[SegmentRow | None]]

_serials = itertools.count()


def kept_rows() -> Kept:
    """Returns a cache of the objects of days, by the days' serial numbers."""
    return BoundedCache(MAX_KEPT_ROWS, len)


class DaySegments:
    """The segments of one table, project and day, sorted by first time, then id.

    Attributes:
        packed: the facts as arrays.
        day: UTC days since 1970 of their first rows.
        min_ns, max_ns: times of the first and the last row of all.
        quiet_on: the day on which it was found that none of them is worth a merge, None where that is not known.
    """

    def __init__(
        self, packed: PackedSegments, kept: Kept, rows: Sequence[SegmentRow] | None = None
    ) -> None:
        self._kept = kept
        self._serial = next(_serials)
        self._min = packed.column("min_time_ns")
        self._max = packed.column("max_time_ns")
        self.packed = packed
        self.day = int(packed.column("day")[0])
        self.min_ns = int(self._min.min())
        self.max_ns = int(self._max.max())
        self.quiet_on: int | None = None
        if rows is not None:
            kept.put(self._serial, list(rows))

    def __len__(self) -> int:
        return len(self.packed)

    def with_changes(
        self, added: Sequence[SegmentRow], removed: Collection[str]
    ) -> DaySegments | None:
        """Returns the segments of the day after a change, None where there are none left."""
        left = [row for row in self.rows() if row.segment_id not in removed]
        return day_of(self._kept, [*left, *added])

    def in_range(self, time_range: TimeRange | None) -> list[SegmentRow]:
        """Returns the segments that may hold rows of a time range, in order of their first time."""
        if time_range is None:
            return self.rows()
        start, stop = time_range
        if self.min_ns >= start and self.max_ns < stop:
            return self.rows()
        chosen = np.flatnonzero((self._min < stop) & (self._max >= start))
        return self.take(chosen.tolist())

    def rows(self) -> list[SegmentRow]:
        """Returns every segment."""
        return self.take(range(len(self)))

    def take(self, places: Collection[int]) -> list[SegmentRow]:
        """Returns the segments at some places."""
        rows = self._kept.get_or_make(self._serial, lambda: [None] * len(self))
        chosen = []
        for at in places:
            row = rows[at]
            if row is None:
                row = rows[at] = self.packed.row(at)
            chosen.append(row)
        return chosen

    def each(self) -> Iterator[SegmentRow]:
        """Yields every segment, and keeps none that is not kept already."""
        rows = self._kept.get(self._serial) or itertools.repeat(None)
        for at, row in zip(range(len(self)), rows, strict=False):
            yield self.packed.row(at) if row is None else row

    def created_since(self, since_ns: int) -> list[SegmentRow]:
        """Returns the segments that were written at a time or later."""
        return self.take(np.flatnonzero(self.packed.column("created_ns") >= since_ns).tolist())

    def find(self, segment_id: str) -> SegmentRow | None:
        """Returns a segment by id."""
        places = np.flatnonzero(self.packed.ids == segment_id.encode())
        return self.take(places.tolist())[0] if len(places) else None


def day_of(kept: Kept, rows: Sequence[SegmentRow]) -> DaySegments | None:
    """Returns the segments of one day, None for none."""
    if not rows:
        return None
    ordered = sorted(rows, key=lambda row: (row.min_time_ns, row.segment_id))
    owner = (ordered[0].table, ordered[0].project)
    return DaySegments(PackedSegments.of(owner, ordered), kept, ordered)


class SegmentGroup:
    """The segments of one table and project.

    Attributes:
        days: those of each day, in order.
    """

    def __init__(self, days: Sequence[DaySegments]) -> None:
        self.days = days
        self._count = sum(map(len, days))
        self._every: list[SegmentRow] | None = None
        self._bounds: tuple[Times, Times] | None = None
        self._ends: tuple[int, int] | None = None

    def __len__(self) -> int:
        return self._count

    def in_range(self, time_range: TimeRange | None) -> list[SegmentRow]:
        """Returns the segments that may hold rows of a time range, by day, then by their first time."""
        if self._count > MAX_LISTED or not self._lies_in(time_range):
            return [row for day in self.days_in(time_range) for row in day.in_range(time_range)]
        if self._every is None:
            self._every = [row for day in self.days for row in day.rows()]
        return self._every

    def _lies_in(self, time_range: TimeRange | None) -> bool:
        """Returns whether every segment's rows are of a time range, as they are of that of a query without one."""
        if time_range is None:
            return True
        if self._ends is None:
            self._ends = (
                min((day.min_ns for day in self.days), default=0),
                max((day.max_ns for day in self.days), default=0),
            )
        return self._ends[0] >= time_range[0] and self._ends[1] < time_range[1]

    def days_in(self, time_range: TimeRange | None) -> Sequence[DaySegments]:
        """Returns the days with segments that may hold rows of a time range."""
        if time_range is None:
            return self.days
        if self._bounds is None:
            count = len(self.days)
            self._bounds = (
                np.fromiter((day.min_ns for day in self.days), np.int64, count),
                np.fromiter((day.max_ns for day in self.days), np.int64, count),
            )
        start, stop = time_range
        low, high = self._bounds
        return [self.days[at] for at in np.flatnonzero((low < stop) & (high >= start)).tolist()]

    def each(self) -> Iterator[SegmentRow]:
        """Yields every segment, and keeps none that is not kept already."""
        for day in self.days:
            yield from day.each()

    def newest(self, count: int) -> list[SegmentRow]:
        """Returns the segments that were written last, the newest first."""
        if not self.days:
            return []
        created = np.concatenate([day.packed.column("created_ns") for day in self.days])
        order = np.argsort(created, kind="stable")[::-1][:count]
        ends = np.cumsum([len(day) for day in self.days])
        days = np.searchsorted(ends, order, side="right")
        return [
            self.days[day].take([at - (int(ends[day - 1]) if day else 0)])[0]
            for day, at in zip(days.tolist(), order.tolist(), strict=True)
        ]
