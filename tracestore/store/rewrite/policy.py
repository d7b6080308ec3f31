"""Which segments are merged next: a pure function of their sizes, and of whether the store is busy.

Each byte that a merge writes was written before. While rows pour in, a merge takes their processor and disk, and the
segments that flushes write are large: those are left alone until there is quiet. Small ones, of projects that share
the store, are merged meanwhile, many at once.

A query sees, of one table, project and day:
- full segments, each of half of what a merge may hold, or more;
- while the store is busy, large ones of the last day, each of an eighth of that or more;
- few of each tier of smaller ones.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final, Protocol, Self, TypeVar

from tracestore import limits
from tracestore.store.files import filenames
from tracestore.store.settings import Settings

BUSY_MIN_INPUTS: Final = 16
"""Small segments of one tier that make a merge worth it while the store is busy, and how many times larger the segments
of a tier are than those of the one below: half as many tiers as in quiet, so that a byte is written half as often."""

# Each tier holds segments up to so many times as large as the one below it, in quiet.
_TIER_FACTOR: Final = 4

# Inputs of one merge hold at most this many times what one builder may hold: they are read and
# written a slice at a time, but their time columns are held together.
_MAX_SLICES: Final = 4

# Age from which on large segments are merged in a store that is always busy: else there would be ever more of them.
_BUSY_AGE_NS: Final = filenames.NS_PER_DAY

# On a day that is over, two segments are worth a merge: no more will come to wait for.
_CLOSED_MIN_INPUTS: Final = 2

# Shares of what one merge may hold, from which on a segment is full, and large.
_FULL_SHARE: Final = 1 / 2
_LARGE_SHARE: Final = 1 / 8


class Mergeable(Protocol):
    """A segment, as far as it matters here."""

    @property
    def segment_id(self) -> str:
        """Returns its name; later ones sort behind earlier ones."""

    @property
    def table(self) -> str:
        """Returns the table of its rows."""

    @property
    def project(self) -> str:
        """Returns the project of its rows."""

    @property
    def day(self) -> int:
        """Returns the day of its first row."""

    @property
    def created_ns(self) -> int:
        """Returns when it was written."""

    @property
    def rows(self) -> int:
        """Returns how many it has."""

    @property
    def bytes(self) -> int:
        """Returns the size of its file."""

    @property
    def raw_bytes(self) -> int:
        """Returns the bytes of its rows in memory."""


Segment = TypeVar("Segment", bound=Mergeable)


@dataclass(frozen=True, slots=True)
class MergePolicy:
    """The bounds of merges.

    Attributes:
        unit_rows, unit_bytes: what one merge holds in memory at once.
        min_inputs: segments of one tier that make a merge worth it.
    """

    unit_rows: int
    unit_bytes: int
    min_inputs: int

    @classmethod
    def of(cls, settings: Settings) -> Self:
        """Returns the policy of a store with these settings."""
        return cls(
            settings.compaction_unit_rows,
            settings.compaction_unit_bytes,
            settings.compaction_min_inputs,
        )

    def next_merge(
        self, segments: Iterable[Segment], *, now_ns: int, busy: bool
    ) -> Sequence[Segment]:
        """Returns the segments to merge next, none where nothing is worth it.

        Args:
            segments: those that may be read.
            now_ns: nanoseconds since 1970.
            busy: whether rows come so fast that flushes write large segments.
        """
        today = filenames.day_of(now_ns)
        best: Sequence[Segment] = ()
        for (_, _, day), members in _by_day(segments).items():
            candidates = [each for each in members if self._share(each) < _FULL_SHARE]
            minimum = self.min_inputs
            if busy:
                small = [each for each in candidates if self._share(each) < _LARGE_SHARE]
                old = [each for each in candidates if now_ns - each.created_ns >= _BUSY_AGE_NS]
                groups = [*self._by_tier(small, BUSY_MIN_INPUTS), old]
                minimum = max(minimum, BUSY_MIN_INPUTS)
            elif day < today:
                groups = [candidates]
                minimum = _CLOSED_MIN_INPUTS
            else:
                groups = self._by_tier(candidates, _TIER_FACTOR)
            for group in groups:
                inputs = self._bounded(group)
                if len(inputs) >= minimum and len(inputs) > len(best) and self._shrinks(inputs):
                    best = inputs
        return best

    def next_full_merge(self, segments: Iterable[Segment]) -> Sequence[Segment]:
        """Returns the segments to merge next so that each day becomes as few as may be."""
        best: Sequence[Segment] = ()
        for members in _by_day(segments).values():
            inputs = self._bounded(members)
            if len(inputs) > len(best) and self._shrinks(inputs):
                best = inputs
        return best

    def slices_of(self, inputs: Iterable[Mergeable]) -> int:
        """Returns how many segments a merge makes of these, at most: as many as it can hold one after the other."""
        rows = raw_bytes = 0
        for segment in inputs:
            rows += segment.rows
            raw_bytes += segment.raw_bytes
        return max(-(-rows // self.unit_rows), -(-raw_bytes // self.unit_bytes), 1)

    def _share(self, segment: Mergeable) -> float:
        """Returns how much of what a merge may hold a segment is."""
        return max(
            segment.rows / self.unit_rows,
            segment.raw_bytes / self.unit_bytes,
            segment.bytes / limits.COMPACTION_TARGET_BYTES * _FULL_SHARE,
        )

    def _by_tier(self, segments: Iterable[Segment], factor: int) -> list[list[Segment]]:
        tiers: dict[int, list[Segment]] = defaultdict(list)
        for segment in segments:
            tiers[int(-math.log(self._share(segment), factor))].append(segment)
        return [tiers[tier] for tier in sorted(tiers)]

    def _shrinks(self, inputs: Sequence[Mergeable]) -> bool:
        # Else merging would never end.
        return self.slices_of(inputs) < len(inputs)

    def _bounded(self, segments: Sequence[Segment]) -> Sequence[Segment]:
        """Returns the oldest segments that one merge may take together."""
        chosen: list[Segment] = []
        rows = raw_bytes = 0
        for segment in segments[: limits.COMPACTION_MAX_INPUTS]:
            rows += segment.rows
            raw_bytes += segment.raw_bytes
            too_many = rows > self.unit_rows * _MAX_SLICES
            too_large = raw_bytes > self.unit_bytes * _MAX_SLICES
            if chosen and (too_many or too_large):
                break
            chosen.append(segment)
        return chosen


def _by_day(segments: Iterable[Segment]) -> dict[tuple[str, str, int], list[Segment]]:
    groups: dict[tuple[str, str, int], list[Segment]] = defaultdict(list)
    for segment in sorted(segments, key=lambda segment: segment.segment_id):
        groups[segment.table, segment.project, segment.day].append(segment)
    return groups
