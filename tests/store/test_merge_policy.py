"""Merging keeps the number of segments that a query sees small, and writes few bytes again; the policy alone is run."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data.stores import DAY_NS, span
from store.kit import FakeClock, expected_ids, open_store, segment_files, span_ids
from tracestore import limits
from tracestore.store.rewrite.compaction import BUSY_S, compact_once
from tracestore.store.rewrite.policy import BUSY_MIN_INPUTS, MergePolicy

POLICY = MergePolicy(
    limits.COMPACTION_UNIT_ROWS, limits.COMPACTION_UNIT_BYTES, limits.COMPACTION_MIN_INPUTS
)
LARGE_ROWS = POLICY.unit_rows / 8
FULL_ROWS = POLICY.unit_rows / 2
TIERS = 10
"""From one row to a full segment, each four times as large as the one before."""

TODAY = 20_000
NOW_NS = TODAY * DAY_NS + DAY_NS // 2
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
    created_ns: int = TODAY * DAY_NS

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
        while inputs := POLICY.next_merge(self.segments, now_ns=NOW_NS, busy=self.busy):
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


def test_a_store_that_is_always_busy_merges_what_is_a_day_old() -> None:
    before = (TODAY - 2) * DAY_NS
    old = [Sized(f"{n:012d}", 100_000, day=TODAY - 2, created_ns=before) for n in range(40)]
    new = [Sized(f"{n:012d}", 100_000, day=TODAY - 2) for n in range(40, 80)]
    chosen = POLICY.next_merge([*old, *new], now_ns=NOW_NS, busy=True)
    assert len(chosen) >= BUSY_MIN_INPUTS
    assert set(chosen) <= set(old)
    assert not POLICY.next_merge(new, now_ns=NOW_NS, busy=True)


SIZES = st.lists(st.integers(1, 2_000_000), max_size=100)


@given(sizes=SIZES, busy=st.booleans(), day=st.sampled_from([TODAY, TODAY - 1]))
@settings(deadline=None)
def test_merging_ends_whatever_the_sizes(sizes: list[int], busy: bool, day: int) -> None:
    segments = [Sized(f"{n:012d}", rows, day=day) for n, rows in enumerate(sizes)]
    chosen = POLICY.next_merge(segments, now_ns=NOW_NS, busy=busy)
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


def test_a_store_merges_when_rows_stop_pouring_in(tmp_path: Path) -> None:
    clock = FakeClock()
    bounds = {"flush_rows": 40, "compaction_unit_rows": 160}
    with open_store(tmp_path, clock=clock, **bounds) as store:
        for part in range(6):
            # The write that fills memory up flushes it.
            store.insert("spans", [span(40 * part + n) for n in range(40)])
        assert len(segment_files(tmp_path)) == 6
        core = store._core
        assert not compact_once(core)
        clock.advance(BUSY_S)
        assert compact_once(core)
        assert len(segment_files(tmp_path)) == 2
        assert span_ids(store) == expected_ids(range(240))
