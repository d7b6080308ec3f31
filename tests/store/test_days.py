"""Rows of any time are stored: years old, in the future, of scattered days; each has its folder."""

from __future__ import annotations

from pathlib import Path

from data.stores import DAY_NS, START_NS, span
from store.kit import expected_ids, open_store, read_rows, segment_files, span_ids
from tracestore import limits


def days_on_disk(folder: Path) -> list[str]:
    return sorted(path.parent.name for path in segment_files(folder))


def test_a_flush_cuts_at_midnight_utc(tmp_path: Path) -> None:
    midnight = START_NS // DAY_NS * DAY_NS + DAY_NS
    with open_store(tmp_path) as store:
        store.insert("spans", [span(n, start_ns=midnight - 2 + n) for n in range(4)])
        assert store.flush() == 2
        assert days_on_disk(tmp_path) == ["2026-09-21", "2026-09-22"]
        assert span_ids(store, time_range=(midnight, midnight + DAY_NS)) == expected_ids([2, 3])


def test_old_and_future_rows_have_their_own_days(tmp_path: Path) -> None:
    times = [0, 1, -5 * DAY_NS, 2**63 - 1, 4 * 10**18, -(2**62)]
    with open_store(tmp_path) as store:
        report = store.insert(
            "spans", [span(n, start_ns=time, duration_ns=0) for n, time in enumerate(times)]
        )
        kept = [n for n in range(len(times)) if n not in {row for row, _, _ in report.rejected}]
        store.flush()
        assert span_ids(store) == expected_ids(kept)
        assert "1970-01-01" in days_on_disk(tmp_path)
        assert report.rows == len(kept) >= 4
    with open_store(tmp_path) as store:
        assert span_ids(store) == expected_ids(kept)


def test_a_thousand_scattered_days_are_a_few_files(tmp_path: Path) -> None:
    rows = [span(n, start_ns=START_NS - n * DAY_NS) for n in range(1000)]
    rows += [span(2000 + n, start_ns=START_NS + n) for n in range(20)]
    with open_store(tmp_path) as store:
        store.insert("spans", rows)
        before = read_rows(store)
        assert store.flush() == limits.MAX_FLUSH_DAYS + 1
        assert read_rows(store) == before
        found = span_ids(store, time_range=(START_NS - 500 * DAY_NS, START_NS - 499 * DAY_NS))
        assert expected_ids([500])[0] in found
