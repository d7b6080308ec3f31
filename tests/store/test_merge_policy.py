"""Merging keeps the number of segments that a query sees small, and writes few bytes again; the policy alone is run."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tracestore import limits
from tracestore.store.rewrite.policy import BUSY_MIN_INPUTS, MergePolicy

POLICY = MergePolicy(
    limits.COMPACTION_UNIT_ROWS, limits.COMPACTION_UNIT_BYTES, limits.COMPACTION_MIN_INPUTS
)
LARGE_ROWS = POLICY.unit_rows / 8
FULL_ROWS = POLICY.unit_rows / 2
TIERS = 10
"""From one row to a full segment, each four times as large as the one before."""

TODAY = 20_000
ROW_BYTES, RAW_ROW_BYTES = 45, 150
"""Of small spans: in a file, and in memory."""


@dataclass(frozen=True)
class Sized:
    """A segment without a file."""

    segment_id: str
    rows: int
    table: str = "spans"
    project: str = "default"
    day: int = TODAY

    @property
    def bytes(self) -> int:
        return self.rows * ROW_BYTES

    @property
    def raw_bytes(self) -> int:
        return self.rows * RAW_ROW_BYTES


@dataclass
class Simulation:
    """One project of a store without rows: what was flushed, what there is, and what merges wrote.

    Attributes:
        most: segments that a query saw, at most.
    """

    busy: bool
    segments: list[Sized] = field(default_factory=list)
    flushed_rows: int = 0
    merged_rows: int = 0
    most: int = 0
    _numbers: Iterator[int] = field(default_factory=itertools.count)

    def flush(self, rows: int) -> None:
        """Adds a segment, and merges while something is worth it."""
        self.segments.append(self._segment(rows))
        self.flushed_rows += rows
        self.merge()
        self.most = max(self.most, len(self.segments))

    def merge(self) -> None:
        """Merges while something is worth it."""
        while inputs := POLICY.next_merge(self.segments, today=TODAY, busy=self.busy):
            slices = POLICY.slices_of(inputs)
            rows = sum(each.rows for each in inputs)
            self.merged_rows += rows
            gone = {each.segment_id for each in inputs}
            self.segments = [each for each in self.segments if each.segment_id not in gone]
            parts = [rows * (n + 1) // slices - rows * n // slices for n in range(slices)]
            self.segments += map(self._segment, parts)

    @property
    def written_for_kept(self) -> float:
        """Returns the bytes written for each byte that was flushed."""
        return (self.flushed_rows + self.merged_rows) / self.flushed_rows

    def _segment(self, rows: int) -> Sized:
        return Sized(f"{next(self._numbers):012d}", rows)


@pytest.mark.parametrize("rows", [70_000, 110_000, 160_000, 400_000])
def test_large_flushes_are_written_once_while_rows_pour_in(rows: int) -> None:
    store = Simulation(busy=True)
    for _ in range(150):
        store.flush(rows)
    assert store.written_for_kept <= 1.5
    assert store.most <= store.flushed_rows / LARGE_ROWS


@pytest.mark.parametrize("projects", [4, 16, 64, 1000])
def test_each_of_the_projects_that_share_a_busy_store_has_few_segments(projects: int) -> None:
    store = Simulation(busy=True)
    for _ in range(500):
        store.flush(160_000 // projects)
    assert store.most <= store.flushed_rows / LARGE_ROWS + 3 * BUSY_MIN_INPUTS
    # Small flushes pass three tiers before they are large.
    assert store.written_for_kept <= 4


@pytest.mark.parametrize("rows", [1, 500, 6_000, 60_000])
def test_a_slow_day_has_few_segments_of_each_tier(rows: int) -> None:
    store = Simulation(busy=False)
    for _ in range(24 * 60):
        store.flush(rows)
    assert store.most <= store.flushed_rows / FULL_ROWS + TIERS * (POLICY.min_inputs - 1)
    assert store.written_for_kept <= 1 + TIERS


def test_what_was_left_alone_is_merged_in_quiet() -> None:
    store = Simulation(busy=True)
    for _ in range(100):
        store.flush(100_000)
    assert len(store.segments) == 100
    store.busy = False
    store.merge()
    assert store.written_for_kept <= 2
    assert len(store.segments) <= store.flushed_rows / FULL_ROWS + POLICY.min_inputs


SIZES = st.lists(st.integers(1, 2_000_000), max_size=100)


@given(sizes=SIZES, busy=st.booleans(), day=st.sampled_from([TODAY, TODAY - 1]))
@settings(deadline=None)
def test_merging_ends_whatever_the_sizes(sizes: list[int], busy: bool, day: int) -> None:
    segments = [Sized(f"{n:012d}", rows, day=day) for n, rows in enumerate(sizes)]
    chosen = POLICY.next_merge(segments, today=TODAY, busy=busy)
    check_choice(chosen, segments)
    if busy:
        assert all(each.rows < LARGE_ROWS for each in chosen)
    check_choice(POLICY.next_full_merge(segments), segments)


def check_choice(chosen: Iterable[Sized], segments: list[Sized]) -> None:
    """Fails unless a merge takes segments that are there, each once, and leaves fewer."""
    inputs = list(chosen)
    assert len(set(inputs)) == len(inputs)
    assert set(inputs) <= set(segments)
    if inputs:
        assert POLICY.slices_of(inputs) < len(inputs)
