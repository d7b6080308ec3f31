"""The newest rows of a dataset are found wherever its versions lie: in files, in memory, in both."""

from __future__ import annotations

from pathlib import Path

import tracestore


def test_a_row_that_changed_after_a_flush_counts_in_its_newest_form(tmp_path: Path) -> None:
    cases = [{"id": str(number), "input": number, "expected": "old"} for number in range(20)]
    with tracestore.open(tmp_path / "store") as store:
        store.datasets.add("questions", cases, project="shop")
        store.flush()
        store.datasets.update("questions", [{"id": "7", "expected": "new"}], project="shop")
        for flushed in (False, True):
            if flushed:
                store.flush()
            newest = store.sql("SELECT id, expected FROM dataset('questions') ORDER BY id LIMIT 50")
            assert {row["id"]: row["expected"] for row in newest.rows()} == {
                case["id"]: "new" if case["id"] == "7" else "old" for case in cases
            }
            first = store.sql(
                "SELECT count(*) AS n FROM dataset('questions', 1) WHERE expected = 'new'"
            )
            assert first.rows() == [{"n": 0}]
