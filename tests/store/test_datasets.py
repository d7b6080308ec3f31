"""Datasets: a write is one version, seen whole or not at all, whatever fails and whoever reads."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

import tracestore
from data.stores import DAY_NS, span
from store.kit import FakeClock, open_store, segment_files
from tracestore.errors import (
    DatasetError,
    LimitExceededError,
    ReadOnlyError,
    UnknownDatasetError,
)
from tracestore.store import Store
from tracestore.store.catalog.datasets import DatasetCatalog
from tracestore.store.catalog.schema.versions import VERSION
from tracestore.store.datasets import dataset_heads

GOLDEN = Path(__file__).resolve().parents[1] / "golden" / "v1" / "store"


def rows(first: int, count: int, **more: Any) -> list[dict[str, Any]]:
    return [{"id": str(n), "input": {"n": n}, **more} for n in range(first, first + count)]


def ids(store: Store, name: str = "d", project: str = "default") -> set[str]:
    dataset = store.datasets.get(name, project)
    return set(dataset_heads.read_heads(store._core, dataset))


def test_versions_count_what_they_did(tmp_path: Path) -> None:
    with open_store(tmp_path) as store:
        first = store.datasets.add("d", rows(0, 3))
        second = store.datasets.add("d", [*rows(2, 2), {"id": "0", "input": "changed"}])
        third = store.datasets.delete("d", ["1"])
        assert (first.version, first.added, first.rows) == (1, 3, 3)
        assert (second.added, second.updated, second.unchanged, second.rows) == (1, 1, 1, 4)
        assert (third.version, third.deleted, third.rows) == (3, 1, 3)
        assert ids(store) == {"0", "2", "3"}


@pytest.mark.parametrize("flushed", [False, True])
def test_the_same_rows_again_change_nothing(tmp_path: Path, *, flushed: bool) -> None:
    made: list[dict[str, Any]] = [
        {"input": {"a": 1, "b": [2]}},
        {"input": "x", "origin": {"trace_id": "t", "span_id": "s"}},
    ]
    again: list[dict[str, Any]] = [
        {"input": {"b": [2], "a": 1}},
        {"origin": {"span_id": "s", "trace_id": "t"}, "input": "x"},
    ]
    with open_store(tmp_path) as store:
        store.datasets.add("d", [*made, *made])
        if flushed:
            store.flush()
    with open_store(tmp_path) as store:
        report = store.datasets.add("d", again)
        assert (report.version, report.rows, report.unchanged) == (1, 2, 2)
        assert "t/s" in ids(store)


def test_of_one_row_given_twice_the_last_counts(tmp_path: Path) -> None:
    with open_store(tmp_path) as store:
        report = store.datasets.add("d", [{"id": "a", "input": 1}, {"id": "a", "input": 2}])
        assert (report.version, report.rows) == (1, 1)
        assert store.datasets.add("d", [{"id": "a", "input": 2}]).unchanged == 1


def test_a_deleted_row_can_come_back(tmp_path: Path) -> None:
    with open_store(tmp_path) as store:
        store.datasets.add("d", rows(0, 1))
        store.datasets.delete("d", ["0"])
        assert store.datasets.add("d", rows(0, 1)).added == 1


def test_a_clock_that_goes_back_changes_no_order(tmp_path: Path) -> None:
    clock = FakeClock()
    with open_store(tmp_path, clock=clock) as store:
        store.datasets.add("d", rows(0, 3))
        clock.wall_ns -= DAY_NS
        store.datasets.delete("d", ["0"])
        assert ids(store) == {"1", "2"}


def test_many_small_writes_read_the_catalog_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with open_store(tmp_path) as store:
        store.datasets.add("d", rows(0, 1))
        monkeypatch.setattr(DatasetCatalog, "list", None)
        for number in range(1, 30):
            assert store.datasets.add("d", rows(number, 1)).version == number + 1
        assert store.datasets.get("d").rows == 30


def test_a_clock_that_goes_back_before_the_first_row_hides_no_row(tmp_path: Path) -> None:
    clock = FakeClock()
    with tracestore.open(tmp_path, clock=clock, background=False) as store:
        with pytest.raises(DatasetError):
            store.datasets.add("d", [{}])
        clock.wall_ns -= DAY_NS
        store.datasets.add("d", rows(0, 3))
        store.flush()
        assert store.sql("SELECT count(*) AS n FROM dataset('d')").rows() == [{"n": 3}]


def test_a_bad_row_refuses_the_whole_write(tmp_path: Path) -> None:
    with open_store(tmp_path) as store:
        store.datasets.add("d", rows(0, 2))
        bad: list[dict[str, Any]] = [
            {"expected": 1},
            {"input": 1, "question": 2},
            {"input": 1, "id": True},
            {"input": 1, "id": "x" * 2000},
            {"input": 1, "origin": "text"},
            {"input": float("nan")},
        ]
        for row in bad:
            with pytest.raises(DatasetError, match="row 5000"):
                # Enough before it for several frames.
                store.datasets.add("d", [*rows(10, 5000, expected="e" * 2000), row])
        assert ids(store) == {"0", "1"}
        assert store.datasets.add("d", rows(5, 1)).version == 2 + len(bad)
        assert ids(store) == {"0", "1", "5"}


def test_names_are_bounded_and_unknown_ones_tell_which_there_are(tmp_path: Path) -> None:
    with open_store(tmp_path) as store:
        store.datasets.add("d", rows(0, 1))
        with pytest.raises(LimitExceededError):
            store.datasets.add("", rows(0, 1))
        with pytest.raises(UnknownDatasetError, match="there is d"):
            store.datasets.delete("e", ["0"])
        with pytest.raises(UnknownDatasetError, match="no such row"):
            store.datasets.delete("d", ["9"])
        with pytest.raises(UnknownDatasetError, match="no version 7"):
            store.datasets.snapshot("d", "s", version=7)


def test_a_snapshot_is_one_version_for_ever(tmp_path: Path) -> None:
    with open_store(tmp_path) as store:
        store.datasets.add("d", rows(0, 1))
        assert store.datasets.snapshot("d", "first") == 1
        store.datasets.add("d", rows(1, 1))
        assert store.datasets.snapshot("d", "first", version=1) == 1
        with pytest.raises(DatasetError, match="has that name"):
            store.datasets.snapshot("d", "first")
        assert store.datasets.get("d").at("first") == 1


def test_projects_do_not_share_names(tmp_path: Path) -> None:
    with open_store(tmp_path) as store:
        store.datasets.add("d", rows(0, 1), project="a")
        store.datasets.add("d", rows(0, 2), project="b")
        assert [(each.project, each.rows) for each in store.datasets.list()] == [("a", 1), ("b", 2)]
        assert [each.project for each in store.datasets.list(["b"])] == ["b"]
        assert ids(store, project="a") == {"0"}


def test_rows_survive_flush_merge_expiry_and_reopening(tmp_path: Path) -> None:
    clock = FakeClock()
    with open_store(tmp_path, clock=clock) as store:
        for first in range(0, 40, 10):
            store.datasets.add("d", rows(first, 10))
            store.flush()
        store.datasets.delete("d", ["0"])
        store.flush()
        assert store.compact(full=True).merges >= 1
        store.set_retention("default", 1)
        store.insert("spans", [span(0)])
        clock.advance(10 * 86_400)
        store.flush()
        assert store.expire() == 1
        store.datasets.add("d", rows(100, 1))
    with open_store(tmp_path, clock=clock) as store:
        assert ids(store) == {*map(str, range(1, 40)), "100"}


def test_a_segment_of_a_dataset_is_plain_parquet(tmp_path: Path) -> None:
    with open_store(tmp_path) as store:
        store.datasets.add("d", rows(0, 40, expected={"a": 1}))
        store.flush()
    (path,) = [each for each in segment_files(tmp_path) if "dataset_rows" in str(each)]
    table = pq.read_table(path, partitioning=None)
    assert table.column("id").to_pylist() == [str(n) for n in range(40)]
    assert table.column("input.n:i64").to_pylist() == list(range(40))


def test_a_dropped_dataset_leaves_nothing(tmp_path: Path) -> None:
    with open_store(tmp_path) as store:
        store.datasets.add("d", rows(0, 20))
        store.datasets.add("e", rows(0, 3))
        store.flush()
        assert store.datasets.drop("d") == 20
        assert [each.name for each in store.datasets.list()] == ["e"]
        store.datasets.add("d", rows(50, 1))
        assert ids(store) == {"50"}
        assert ids(store, "e") == {"0", "1", "2"}


def test_deleting_a_project_takes_its_datasets_and_experiments(tmp_path: Path) -> None:
    with open_store(tmp_path) as store:
        store.datasets.add("d", rows(0, 3), project="p")
        store.datasets.add("d", rows(0, 3), project="q")
        store.experiments.create("e", project="p")
        store.delete(project="p", tables=["spans"])
        assert len(store.datasets.list(["p"])) == 1
        store.delete(project="p")
        assert [each.project for each in store.datasets.list()] == ["q"]
        assert store.experiments.list() == []


def test_a_reader_sees_versions_whose_rows_are_flushed(tmp_path: Path) -> None:
    with open_store(tmp_path) as store:
        store.datasets.add("d", rows(0, 2))
        store.flush()
        store.datasets.add("d", rows(2, 2))
        with tracestore.open(tmp_path, "r") as reader:
            count = "SELECT count(*) AS n, max(version) AS v FROM dataset('d')"
            assert reader.datasets.get("d").version == 1
            assert reader.sql(count).rows() == [{"n": 2, "v": 1}]
            with pytest.raises(ReadOnlyError):
                reader.datasets.add("d", rows(9, 1))
            store.flush()
            assert reader.sql(count).rows() == [{"n": 4, "v": 2}]


def test_a_catalog_of_version_1_becomes_one_with_datasets(tmp_path: Path) -> None:
    shutil.copytree(GOLDEN, tmp_path / "store")
    with Store.open(tmp_path / "store", "r") as reader:
        assert (reader.datasets.list(), reader.experiments.list()) == ([], [])
    with open_store(tmp_path / "store") as store:
        assert store._core.catalog.meta("schema_version") == str(VERSION)
        store.datasets.add("d", rows(0, 2))
        store.experiments.create("e", metadata={"a": 1})
    with open_store(tmp_path / "store") as store:
        assert ids(store) == {"0", "1"}
        assert store.experiments.list()[0].metadata == {"a": 1}


@pytest.mark.parametrize("row_id", ["\ud800", "a\udfff", 1.5, True, ["a"], {"a": 1}, b"a", ""])
def test_an_id_that_is_no_text_is_refused(tmp_path: Path, row_id: Any) -> None:
    with open_store(tmp_path) as store:
        with pytest.raises(DatasetError, match=r"cannot keep row 0: its id"):
            store.datasets.add("d", [{"id": row_id, "input": 1}])
        store.datasets.add("d", [{"id": "a", "input": 1}])
        with pytest.raises(DatasetError, match=r"its id"):
            store.datasets.delete("d", [row_id])
        assert ids(store) == {"a"}


def test_spans_of_two_projects_that_share_ids_are_two_rows(tmp_path: Path) -> None:
    origin = {"trace_id": "t", "span_id": "s"}
    with open_store(tmp_path) as store:
        for project in ("default", "other"):
            store.datasets.add("d", [{"input": project, "origin": {**origin, "project": project}}])
        # A span of the dataset's own project has the same name with and without its project.
        report = store.datasets.add("d", [{"input": "default", "origin": origin}])
        assert (report.updated, report.rows) == (1, 2)
        assert ids(store) == {"t/s", "other/t/s"}
