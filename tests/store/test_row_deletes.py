"""Rows deleted by number are gone from files, whatever happens in between; all others stay as they were."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

import tracestore
from crash.faulty import FaultyFs
from data.stores import log, span
from store.kit import expected_ids, open_store, segment_files, span_ids
from tracestore.errors import QueryError
from tracestore.store import Store


def rows_of(store: Store, wanted: set[int]) -> dict[str, np.ndarray]:
    """Returns where spans lie whose number is wanted: `span(n)` starts n seconds behind the first."""
    found = {}
    with store.snapshot(("spans",)) as snapshot:
        for segment in snapshot.tables["spans"].segments:
            ids = pq.read_table(segment.local_path, columns=["span_id"])["span_id"].to_pylist()
            numbers = [at for at, text in enumerate(ids) if int(text, 16) - 1 in wanted]
            if numbers:
                found[segment.segment_id] = np.array(numbers, np.int64)
    return found


def texts_in_files(folder: Path) -> bytes:
    return b"".join(str(pq.read_table(path).to_pylist()).encode() for path in segment_files(folder))


def test_rows_go_from_files_and_their_patches_with_them(tmp_path: Path) -> None:
    with open_store(tmp_path) as store:
        store.insert("spans", [span(n, input={"secret": f"word-{n:03}"}) for n in range(100)])
        store.flush()
        store.insert("spans", [span(n, input={"secret": f"word-{n:03}"}) for n in range(100, 150)])
        store.score((span(7)["trace_id"], span(7)["span_id"]), "good", 1)
        store.score((span(8)["trace_id"], span(8)["span_id"]), "good", 0.5)
        gone = {7, 120, *range(30, 60)}
        report = store.delete_rows(lambda: rows_of(store, gone))
        assert (report.rows, report.segments, report.faults) == (32, 2, ())
        assert span_ids(store) == expected_ids(n for n in range(150) if n not in gone)
        held = texts_in_files(tmp_path)
        assert all((f"word-{n:03}".encode() in held) is (n not in gone) for n in range(150))
        # A span that was deleted may be sent again.
        store.insert("spans", [span(7)])
        assert span_ids(store) == expected_ids(n for n in range(150) if n not in gone or n == 7)
    with tracestore.open(tmp_path) as again:
        scored = again.sql(
            "SELECT span_id, scores.good AS good FROM spans WHERE scores.good IS NOT NULL"
        )
        assert scored.rows() == [{"span_id": span(8)["span_id"], "good": 0.5}]


def test_a_delete_that_a_crash_stopped_goes_on_at_the_next_open(tmp_path: Path) -> None:
    fs = FaultyFs(tmp_path / "store", tmp_path / "shadow")
    with open_store(fs.root, fs=fs) as store:
        for start in (0, 50):
            store.insert("spans", [span(n) for n in range(start, start + 50)])
            store.flush()
        gone = {3, 4, 77}
        fs.room = 100
        with pytest.raises(OSError, match="space"):
            store.delete_rows(lambda: rows_of(store, gone))
        fs.room = None
    with open_store(fs.root) as store:
        assert span_ids(store) == expected_ids(n for n in range(100) if n not in gone)
        assert store.check().ok


def test_nothing_is_rewritten_where_nothing_matches(tmp_path: Path) -> None:
    with open_store(tmp_path) as store:
        store.insert("spans", [span(1)])
        store.flush()
        before = segment_files(tmp_path)
        assert store.delete_rows(dict).rows == 0
        assert segment_files(tmp_path) == before


def test_a_condition_of_sql_selects_what_goes(tmp_path: Path) -> None:
    with tracestore.open(tmp_path) as store:
        store.insert(
            "spans",
            [
                span(n, metadata={"user_id": f"person-{n % 3}"}, attributes={"n": n})
                for n in range(60)
            ],
        )
        store.insert(
            "spans", [span(n, metadata={"user_id": "person-1"}) for n in range(60, 63)], project="b"
        )
        store.insert("logs", [log(n, attributes={"user": f"u{n % 2}"}) for n in range(10)])
        one = "metadata.user_id = $user"
        told = store.delete(where=one, params={"user": "person-1"}, dry_run=True)
        assert (told.rows, store.sql("SELECT count(*) AS n FROM spans").rows()[0]["n"]) == (23, 63)
        assert store.delete(where=one, params={"user": "person-1"}, project="b").rows == 3
        assert store.delete(where=one, params={"user": "person-1"}, projects=["none"]).rows == 0
        assert store.delete(where=one, params={"user": "person-1"}).rows == 20
        assert (
            store.delete(
                where="trace_id IN (SELECT trace_id FROM spans WHERE attributes.n = 3)"
            ).rows
            > 0
        )
        assert store.sql("SELECT count(*) AS n FROM spans WHERE attributes.n = 3").rows() == [
            {"n": 0}
        ]
        assert store.delete(where="attributes.user = 'u0'", tables=("logs",)).rows == 5
        assert store.sql("SELECT count(*) AS n FROM logs").rows() == [{"n": 5}]
        for bad in ("", "  ", "1) OR (1", "true LIMIT 1", "nope = 1"):
            with pytest.raises(QueryError):
                store.delete(where=bad)
        assert "person-1" not in texts_in_files(tmp_path).decode()


def test_late_scores_count_in_a_condition(tmp_path: Path) -> None:
    with tracestore.open(tmp_path) as store:
        store.insert("spans", [span(n) for n in range(5)])
        store.flush()
        store.score((span(2)["trace_id"], span(2)["span_id"]), "bad", True)
        assert store.delete(where="scores.bad").rows == 1
        assert store.sql("SELECT count(*) AS n FROM spans").rows() == [{"n": 4}]
