"""The index of segments is a list of rows that is found by table, project and time, whatever was added and removed."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from tracestore.store.catalog.packed_segments import NUMBERS, PackedSegments, Packing
from tracestore.store.catalog.segment_row import SegmentRow
from tracestore.store.files import filenames
from tracestore.store.segments import day_segments
from tracestore.store.segments.index import MAX_JOURNAL, SegmentIndex

DAY_NS = filenames.NS_PER_DAY
EVER = (-(2**63), 2**63 - 1)


def make(
    number: int, project: str = "p", start: int = 0, length: int = 0, **more: Any
) -> SegmentRow:
    day = filenames.day_of(start)
    segment_id = f"{number:026d}"
    sidecar = None if number % 3 else 7
    values = {
        "segment_id": segment_id,
        "table": "spans",
        "project": project,
        "day": day,
        "file_key": filenames.segment_key("spans", project, day, segment_id),
        "rows": number,
        "bytes": 10,
        "crc": 2**32 - 1,
        "tail_bytes": sidecar,
        "tail_crc": sidecar,
        "words_bytes": None,
        "words_crc": None,
        "words_footer_crc": None,
        "raw_bytes": 5,
        "min_time_ns": start,
        "max_time_ns": start + length,
        "created_ns": number,
        "cluster_columns": None,
        "version": 1,
        "unlisted_paths": 0,
        "fault": None,
    }
    return SegmentRow(**{**values, **more})


ROWS = st.lists(
    st.builds(
        make,
        st.integers(0, 10**6),
        st.sampled_from(["p", "q", "a.b c"]),
        st.integers(-3 * DAY_NS, 3 * DAY_NS),
        st.sampled_from([0, 5, DAY_NS, 3 * DAY_NS]),
    ),
    unique_by=lambda row: row.segment_id,
    max_size=30,
)
RANGES = st.tuples(st.integers(-4 * DAY_NS, 4 * DAY_NS), st.integers(0, 3 * DAY_NS)).map(
    lambda pair: (pair[0], sum(pair))
)


def agrees(index: SegmentIndex, rows: list[SegmentRow], time_range: tuple[int, int]) -> None:
    """Asserts that an index answers as a list of rows would."""
    by_id = {row.segment_id: row for row in rows}
    assert {row.segment_id: row for row in index.rows()} == by_id
    assert index.totals.segments == len(rows)
    assert index.totals.rows == sum(row.rows for row in rows)
    stored = sum(row.bytes + sum(size for _, size in row.sidecars()) for row in rows)
    assert index.totals.bytes == stored
    groups = index.groups("spans", None)
    assert groups.keys() == {row.project for row in rows}
    start, stop = time_range
    for project, group in groups.items():
        own = [row for row in rows if row.project == project]
        wanted = [row for row in own if row.min_time_ns < stop and row.max_time_ns >= start]
        in_range = group.in_range(time_range)
        assert sorted(in_range, key=repr) == sorted(wanted, key=repr)
        assert sorted(group.in_range(None), key=repr) == sorted(own, key=repr)
        newest = [row.created_ns for row in group.newest(3)]
        assert newest == sorted((row.created_ns for row in own), reverse=True)[:3]
    for row in rows:
        assert index.get(row.segment_id) == row
        assert index.has(row)
    assert index.get("x") is None


@given(ROWS, ROWS, RANGES, st.data())
def test_it_answers_as_a_list_does(
    first: list[SegmentRow], second: list[SegmentRow], time_range: tuple[int, int], data: Any
) -> None:
    index = SegmentIndex()
    index.apply(first, ())
    agrees(index, first, time_range)
    gone = data.draw(st.lists(st.sampled_from(first), unique_by=id)) if first else []
    known = {row.segment_id for row in first}
    new = [row for row in second if row.segment_id not in known]
    index.apply(new, gone)
    left = [row for row in first if row not in gone] + new
    agrees(index, left, time_range)
    assert all(index.get(row.segment_id) is None for row in gone)
    other = SegmentIndex()
    other.load(index.packed())
    agrees(other, left, time_range)


@given(ROWS, RANGES)
def test_it_is_loaded_from_rows_of_the_driver(
    rows: list[SegmentRow], time_range: tuple[int, int]
) -> None:
    packing = Packing()
    for start in range(0, len(rows), 7):
        packing.add(
            [
                (
                    row.segment_id,
                    row.table,
                    row.project,
                    row.file_key,
                    *(-1 if (value := getattr(row, name)) is None else value for name in NUMBERS),
                )
                for row in rows[start : start + 7]
            ]
        )
    index = SegmentIndex()
    index.load(packing.packed())
    agrees(index, rows, time_range)


def test_a_file_in_an_odd_place_is_found() -> None:
    row = make(1, file_key="elsewhere/1.parquet")
    index = SegmentIndex()
    index.load([PackedSegments.of(("spans", "p"), [row, make(2)])])
    assert index.get(row.segment_id) == row


def test_those_who_follow_get_what_changed_or_everything() -> None:
    index = SegmentIndex()
    rows = [make(number) for number in range(MAX_JOURNAL + 2)]
    index.apply(rows[:1], ())
    mark = index.changes
    assert index.since(mark) == []
    index.apply(rows[1:2], rows[:1])
    changes = index.since(mark)
    assert changes is not None
    assert [(change.added, change.removed) for change in changes] == [(rows[1:2], rows[:1])]
    for row in rows[2:]:
        index.apply([row], ())
    assert index.since(mark) is None
    assert index.since(index.changes - 3) is not None
    index.load([])
    assert index.since(mark) is None


def test_few_rows_are_kept_as_objects(monkeypatch: Any) -> None:
    monkeypatch.setattr(day_segments, "MAX_KEPT_ROWS", 10)
    index = SegmentIndex()
    rows = [make(number, start=number * DAY_NS) for number in range(100)]
    index.apply(rows, ())
    group = index.groups("spans", ["p"])["p"]
    for _ in range(2):
        assert group.in_range(EVER) == rows
    assert len(index._kept) <= 10
