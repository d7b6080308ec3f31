"""Snapshots: consistent, pruned, and their files stay."""

from __future__ import annotations

import gc
import threading
from pathlib import Path
from typing import Any

import pytest

from data.stores import DAY_NS, START_NS, span
from store.kit import (
    expected_ids,
    open_store,
    otlp_many,
    read_rows,
    segment_files,
    span_ids,
    tables_of,
)
from tracestore.errors import StoreClosedError, UnsupportedPayloadError
from tracestore.store import Snapshot, Store


def ids_of(snapshot: Snapshot) -> list[str]:
    return sorted(i for part in tables_of(snapshot, "spans") for i in part["span_id"].to_pylist())


def test_a_snapshot_does_not_change(tmp_path: Path) -> None:
    with open_store(tmp_path) as store:
        store.insert("spans", [span(number) for number in range(10)])
        with store.snapshot() as early:
            store.insert("spans", [span(number) for number in range(10, 20)])
            store.flush()
            store.insert("spans", [span(number) for number in range(20, 30)])
            with store.snapshot() as late:
                assert ids_of(early) == expected_ids(range(10))
                assert ids_of(late) == expected_ids(range(30))
            store.flush()
            assert ids_of(early) == expected_ids(range(10))


def test_files_stay_until_the_last_snapshot_is_closed(tmp_path: Path) -> None:
    with open_store(tmp_path) as store:
        for day in range(3):
            store.insert("spans", [span(day)])
            store.flush()
        first, second = store.snapshot(), store.snapshot()
        store.compact(full=True)
        assert len(segment_files(tmp_path)) == 4
        assert ids_of(first) == expected_ids(range(3))
        first.close()
        first.close()
        store.compact(full=True)
        assert ids_of(second) == expected_ids(range(3))
        second.close()
        store.insert("spans", [span(9)])
        store.flush()
        store.compact(full=True)
        assert len(segment_files(tmp_path)) == 1


def test_a_forgotten_snapshot_lets_go(tmp_path: Path) -> None:
    with open_store(tmp_path) as store:
        store.insert("spans", [span(1)])
        store.flush()
        snapshot = store.snapshot()
        assert store.stats().snapshots == 1
        del snapshot
        gc.collect()
        assert store.stats().snapshots == 0


def test_a_closed_snapshot_cannot_be_entered(tmp_path: Path) -> None:
    with open_store(tmp_path) as store:
        snapshot = store.snapshot()
        snapshot.close()
        with pytest.raises(StoreClosedError), snapshot:
            pass
        with pytest.raises(UnsupportedPayloadError, match="table 'nope'"):
            store.snapshot(("nope",))


def test_pruning_by_time_and_project_and_path(tmp_path: Path) -> None:
    with open_store(tmp_path) as store:
        for day in range(4):
            rows = [
                span(n, start_ns=START_NS + day * DAY_NS + n, metadata={f"day{day}": {"x": n}})
                for n in range(20 * day, 20 * day + 20)
            ]
            store.insert("spans", rows, project=f"p{day % 2}")
            store.flush()

        def found(**choice: Any) -> list[str]:
            with store.snapshot(**choice) as snapshot:
                return [
                    *sorted(
                        {
                            segment.project + str(segment.rows)
                            for segment in snapshot.tables["spans"].segments
                        }
                    ),
                    str(len(snapshot.tables["spans"].segments)),
                ]

        assert found()[-1] == "4"
        assert found(projects=["p1"]) == ["p120", "2"]
        first = START_NS + 20 + DAY_NS
        assert found(time_range=(first, first + 1))[-1] == "1"
        assert found(time_range=(first + 20, first + DAY_NS))[-1] == "0"
        assert found(time_range=(first, first + 2 * DAY_NS + 41))[-1] == "3"
        assert found(paths=["metadata.day2.x"])[-1] == "1"
        assert found(paths=["metadata.day2", "metadata.day3"])[-1] == "2"
        assert found(paths=["metadata"])[-1] == "4"
        assert found(paths=["metadata.day"])[-1] == "0"
        assert found(paths=["attributes.number"], projects=["p0"])[-1] == "2"


def test_paths_of_the_tail_are_found_and_typed(tmp_path: Path) -> None:
    rows = [
        span(
            n,
            **({"input": {"rare": n}} if n == 7 else {}),
            **({"output": {"rare": "x"}} if n in (7, 8) else {}),
        )
        for n in range(100)
    ]
    with open_store(tmp_path) as store:
        store.insert("spans", rows)
        with store.snapshot() as snapshot:
            in_memory = snapshot.tables["spans"].leaf_types
        store.flush()
        store.insert("spans", [span(200)])
        store.flush()
        with store.snapshot(paths=["input.rare"]) as snapshot:
            (segment,) = snapshot.tables["spans"].segments
            assert segment.tail_paths == {"input.rare": {"i64"}, "output.rare": {"str"}}
            assert segment.tail_uri is not None
            assert Path(segment.tail_uri).exists()
            assert "attributes.model:str" in segment.leaf_columns
            assert snapshot.tables["spans"].leaf_types == in_memory
            assert in_memory["input.rare"] == {"i64": 1}
            assert in_memory["attributes.model"] == {"str": 100}


def test_types_add_up_over_segments_and_memory(tmp_path: Path) -> None:
    with open_store(tmp_path) as store:
        store.insert("spans", [span(n, input=n) for n in range(20)])
        store.flush()
        store.insert("spans", [span(n, input="x") for n in range(20, 60)])
        store.flush()
        store.insert("spans", [span(n, input=1.5) for n in range(60, 65)])
        with store.snapshot() as snapshot:
            assert snapshot.tables["spans"].leaf_types["input"] == {"i64": 20, "str": 40, "f64": 5}


def test_chunks_of_a_memtable_are_few_and_right_at_every_moment(tmp_path: Path) -> None:
    with open_store(tmp_path) as store:
        snapshots = []
        for number in range(40):
            store.insert("spans", [span(number * 3 + i) for i in range(3)] + [span(0)])
            snapshots.append(store.snapshot())
        for number in (39, 3, 20, 0, 38):
            assert ids_of(snapshots[number]) == expected_ids(range(number * 3 + 3))
        with store.snapshot() as last:
            assert len(last.tables["spans"].memtable) <= 4
        for snapshot in snapshots:
            snapshot.close()


def test_an_unread_snapshot_taken_before_a_flush_reads_the_same_after_it(tmp_path: Path) -> None:
    with open_store(tmp_path) as store:
        store.insert("spans", [span(1), span(2)])
        snapshot = store.snapshot()
        store.flush()
        store.insert("spans", [span(3)])
        assert ids_of(snapshot) == expected_ids([1, 2])
        snapshot.close()


def test_every_snapshot_beside_ingest_and_flush_is_a_prefix(tmp_path: Path) -> None:
    with open_store(tmp_path, background=True, flush_rows=60) as store:
        wrong: list[str] = []
        done = threading.Event()

        def read() -> None:
            while not done.is_set():
                with store.snapshot() as snapshot:
                    found = ids_of(snapshot)
                if found != expected_ids(range(len(found))):
                    wrong.append(f"{len(found)} rows are not a prefix")

        thread = threading.Thread(target=read)
        thread.start()
        for number in range(120):
            store.ingest_otlp(otlp_many({None: [span(number * 5 + i) for i in range(5)]}), "traces")
        done.set()
        thread.join()
        assert wrong == []
        assert span_ids(store) == expected_ids(range(600))


def test_the_schema_grows_and_shrinks_with_its_rows(tmp_path: Path) -> None:
    with open_store(tmp_path) as store:
        store.insert("spans", [span(n, input={"a": 1}) for n in range(20)])
        store.flush()
        store.insert("spans", [span(n, input={"a": "x"}) for n in range(20, 50)])
        store.flush()
        paths = {(row.path, row.type): row.rows for row in store.paths("spans", "default")}
        assert paths["input.a", "i64"] == 20
        assert paths["input.a", "str"] == 30
        store.delete(where=[("start_ns", "<", START_NS + 20 * 1_000_000)])
        left = {(row.path, row.type): row.rows for row in store.paths("spans", "default")}
        assert ("input.a", "i64") not in left
        assert left["input.a", "str"] == 30
        assert left["attributes.number", "i64"] == 30


def reader(folder: Path) -> Store:
    return Store.open(folder, mode="r")


def test_a_reader_sees_flushed_rows_as_they_come_and_keeps_its_files(tmp_path: Path) -> None:
    with open_store(tmp_path) as store:
        store.insert("spans", [span(1)])
        with reader(tmp_path) as other:
            assert span_ids(other) == []
            store.flush()
            assert span_ids(other) == expected_ids([1])
            store.insert("spans", [span(2)])
            store.flush()
            with other.snapshot() as snapshot:
                store.compact(full=True)
                assert len(segment_files(tmp_path)) == 3
                assert ids_of(snapshot) == expected_ids([1, 2])
            store.compact(full=True)
            store.delete(trace_id=span(1)["trace_id"])
            assert segment_files(tmp_path) == []
            assert read_rows(other) == []
