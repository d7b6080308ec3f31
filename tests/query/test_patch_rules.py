"""Patches: what is merged how, and that each is there once, whatever happens to the rows."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

import tracestore
from data import processes
from data.catalogs import make_older
from data.stores import DAY_NS, START_NS, log, span
from store.kit import FakeClock
from tracestore import Store
from tracestore.errors import PatchError, ReadOnlyError, StorageFullError

FIELDS = "scores, metadata, metrics, tags, expected"


def ids(number: int) -> dict[str, str]:
    made = span(number)
    return {"trace_id": made["trace_id"], "span_id": made["span_id"]}


def opened(folder: Path, **settings: Any) -> Store:
    return tracestore.open(folder, background=False, **settings)


def row_of(store: Store, number: int) -> dict[str, Any]:
    (row,) = store.sql(
        f"SELECT {FIELDS} FROM spans WHERE span_id = ?", [ids(number)["span_id"]]
    ).rows()
    return {name: value for name, value in row.items() if value is not None}


@pytest.mark.parametrize(
    ("before", "change", "after"),
    [
        ({"scores": {"a": 1}}, {"scores": {"b": 0.5}}, {"scores": {"a": 1, "b": 0.5}}),
        ({"scores": {"a": 1}}, {"scores": {"a": True}}, {"scores": {"a": True}}),
        ({"scores": {"a": 1, "b": 2}}, {"scores": {"a": None}}, {"scores": {"b": 2}}),
        ({"scores": {"a": 1}}, {"scores": None}, {}),
        ({"scores": "odd"}, {"scores": {"a": 1}}, {"scores": {"a": 1}}),
        (
            {"metadata": {"a": {"b": 1, "c": 2}}},
            {"metadata": {"a": {"b": "x"}}},
            {"metadata": {"a": {"b": "x", "c": 2}}},
        ),
        ({"metadata": {"a": {"b": 1}}}, {"metadata": {"a": 3}}, {"metadata": {"a": 3}}),
        ({"metadata": {"a": 3}}, {"metadata": {"a": {"b": 1}}}, {"metadata": {"a": {"b": 1}}}),
        (
            {"metadata": {"a": {"b": 1}, "c": 2}},
            {"metadata": {"a": {"d": 4}}, "_merge_paths": [["metadata", "a"]]},
            {"metadata": {"a": {"d": 4}, "c": 2}},
        ),
        (
            {"metadata": {"a": 1}, "tags": ["x"]},
            {"metadata": {"b": 2}, "tags": ["y"], "_is_merge": False},
            {"metadata": {"b": 2}, "tags": ["y"]},
        ),
        (
            {"metadata": {"a": {"b": 1, "c": 2}}},
            {"_object_delete": [["metadata", "a", "b"], ["metadata", "no", "such"]]},
            {"metadata": {"a": {"c": 2}}},
        ),
        ({"tags": ["x", "y"]}, {"tags": ["z", "x", "z"]}, {"tags": ["x", "y", "z"]}),
        ({"tags": "one"}, {"tags": ["two"]}, {"tags": ["one", "two"]}),
        (
            {"tags": ["x", "y"]},
            {"tags": ["z"], "_array_delete": [{"path": ["tags"], "delete": ["x"]}]},
            {"tags": ["y", "z"]},
        ),
        (
            {"metadata": {"a": [1, 1.0, True, {"k": 1}]}},
            {"_array_delete": [{"path": ["metadata", "a"], "delete": [True, {"k": 1}]}]},
            {"metadata": {"a": [1, 1.0]}},
        ),
        ({"expected": {"a": 1}}, {"expected": {"b": 2}}, {"expected": {"b": 2}}),
        ({"expected": "x"}, {"expected": None}, {}),
        ({"metrics": {"tokens": 5}}, {"metrics": {"cost": 0.1}}, {"metrics": {"tokens": 5, "cost": 0.1}}),
    ],
)  # fmt: skip
@pytest.mark.parametrize("state", ["memory", "segment", "folded"])
def test_fields_are_merged_by_their_rules(
    tmp_path: Path,
    state: str,
    before: dict[str, Any],
    change: dict[str, Any],
    after: dict[str, Any],
) -> None:
    with opened(tmp_path) as store:
        store.insert("spans", [span(0), span(1, **before), span(2)])
        if state != "memory":
            store.flush()
        assert store.patch({**ids(1), **change}) == 1
        if state == "folded":
            assert store.compact(full=True).merges == 1
            assert store._core.patches.count == 0
        assert row_of(store, 1) == after
        assert row_of(store, 0) == row_of(store, 2) == {}


def test_the_last_of_several_wins_and_comments_add_up(tmp_path: Path) -> None:
    clock = FakeClock()
    with opened(tmp_path, clock=clock) as store:
        store.insert("spans", [span(0)])
        store.flush()
        for value in (0.1, 0.9, 0.4):
            store.score(span(0), "a", value)
        store.comment(span(0), "first", author="ann")
        clock.advance(60)
        store.comment((ids(0)["trace_id"], ids(0)["span_id"]), "second")
        comments = [
            {"text": "first", "time": "2026-09-21T14:13:20Z", "author": "ann"},
            {"text": "second", "time": "2026-09-21T14:14:20Z"},
        ]
        for _ in range(2):
            assert row_of(store, 0) == {"scores": {"a": 0.4}, "metadata": {"comments": comments}}
            store.compact(full=True)


def test_what_cannot_be_patched_is_refused_whole(tmp_path: Path) -> None:
    with opened(tmp_path) as store:
        store.insert("spans", [span(0)])
        good = {**ids(0), "scores": {"a": 1}}
        for bad, message in (
            ({}, "changes nothing"),
            ({"output": 1}, "unknown field 'output'"),
            ({"scores": {"a": "high"}}, "scores.a is no number"),
            ({"scores": {"a": float("nan")}}, "no number"),
            ({"scores": [1]}, "scores is no object"),
            ({"tags": "x"}, "no list of texts"),
            ({"tags": [1]}, "no list of texts"),
            ({"comment": 5}, "comment is no text"),
            ({"metadata": {"a": object()}}, "not JSON"),
            ({"metadata": {"a": "x" * 2**20}}, "bytes"),
            ({"scores": {"a": 1}, "_is_merge": "no"}, "_is_merge is no boolean"),
            ({"_object_delete": ["scores"]}, "_object_delete has no path"),
            ({"_object_delete": [["input"]]}, "_object_delete has no path"),
            ({"_array_delete": [["tags"]]}, "_array_delete has another form"),
            ({"trace_id": "", "tags": ["x"]}, "no trace_id"),
            ({"span_id": 7, "tags": ["x"]}, "no span_id"),
        ):
            with pytest.raises(PatchError, match=message):
                store.patch([good, {**ids(0), **bad}])
        deep: Any = 1
        for _ in range(100):
            deep = [deep]
        with pytest.raises(PatchError, match="nested deeper"):
            store.patch({**ids(0), "expected": deep})
        with pytest.raises(ValueError, match="has no ids"):
            store.score("0a", "a", 1)
        assert row_of(store, 0) == {}
        assert store.patch([]) == 0


def test_a_reader_sees_patches_and_may_not_write_them(tmp_path: Path) -> None:
    with opened(tmp_path) as store, opened(tmp_path, mode="r") as reader:
        store.insert("spans", [span(0), span(1)])
        store.flush()
        for value in (1, 2):
            store.score(span(0), "a", value)
            assert row_of(reader, 0) == {"scores": {"a": value}}
        store.compact(full=True)
        assert row_of(reader, 0) == {"scores": {"a": 2}}
        with pytest.raises(ReadOnlyError):
            reader.score(span(0), "a", 3)


def test_an_older_snapshot_keeps_what_it_saw(tmp_path: Path) -> None:
    with opened(tmp_path) as store:
        store.insert("spans", [span(0)])
        store.flush()
        store.score(span(0), "a", 1)
        first = store.sql("SELECT scores.a AS a FROM spans")
        store.score(span(0), "a", 2)
        assert row_of(store, 0) == {"scores": {"a": 2}}
        store.compact(full=True)
        assert first.rows() == [{"a": 1}]


def test_a_span_that_is_there_twice_is_patched_once_in_each(tmp_path: Path) -> None:
    with opened(tmp_path, recent_spans=8) as store:
        rows = [span(n) for n in range(40)]
        for _ in range(2):  # the second time the first ones are forgotten, and stored again
            store.insert("spans", rows)
            store.flush()
        store.comment(span(0), "once")
        for _ in range(2):
            found = store.sql(
                "SELECT metadata.comments AS c FROM spans WHERE span_id = ?", [ids(0)["span_id"]]
            ).rows()
            assert {len(row["c"]) for row in found} == {1}
            store.compact(full=True)
        assert store._core.patches.count == 0
        assert len(found) <= 2


def test_projects_are_kept_apart(tmp_path: Path) -> None:
    with opened(tmp_path) as store:
        for project in ("one", "two"):
            store.insert("spans", [span(0)], project=project)
        store.score(span(0), "a", 1, project="one")
        sql = "SELECT project, scores.a AS a FROM spans ORDER BY project"
        for _ in range(2):
            assert store.sql(sql).rows() == [
                {"project": "one", "a": 1},
                {"project": "two", "a": None},
            ]
            assert store.sql(sql, projects=["two"]).rows() == [{"project": "two", "a": None}]
            store.flush()


def test_deleted_rows_take_their_patches_along(tmp_path: Path) -> None:
    with opened(tmp_path) as store:
        store.insert("spans", [span(n) for n in range(8)])
        store.insert("logs", [log(0)])
        for number in (0, 1, 4, 9):
            store.comment(span(number), f"secret {number}")
        store.delete(trace_id=ids(0)["trace_id"])  # spans 0 to 3
        assert {each.span_id for each in store._core.patches.all()} <= {
            ids(4)["span_id"],
            ids(9)["span_id"],
        }
        assert row_of(store, 4)["metadata"]["comments"][0]["text"] == "secret 4"
        store.delete(trace_id=ids(9)["trace_id"])  # its span never came
        assert [
            each for each in store._core.patches.all() if each.span_id == ids(9)["span_id"]
        ] == []
        store.insert("spans", [span(0)])
        assert row_of(store, 0) == {}
        store.comment(span(5), "later")
        store.delete(project="default")
        assert store._core.patches.count == 0
    with opened(tmp_path) as store:
        assert store._core.patches.count == 0


def test_patches_expire_with_their_days(tmp_path: Path) -> None:
    clock = FakeClock()
    with opened(tmp_path, clock=clock) as store:
        store.insert("spans", [span(0)])
        store.flush()
        store.score(span(0), "a", 1)
        store.score(span(99), "never came", 1)
        store.set_retention("default", 2)
        clock.advance(4 * DAY_NS / 1e9)
        store.score(span(98), "new", 1)
        assert store.expire() == 1
        assert [each.span_id for each in store._core.patches.all()] == [ids(98)["span_id"]]
    assert clock.now_ns() > START_NS


def test_patches_wait_in_bounded_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tracestore.limits.MAX_PENDING_PATCHES", 2)
    with opened(tmp_path) as store:
        store.insert("spans", [span(0)])
        store.score(span(0), "a", 1)
        store.score(span(0), "a", 2)
        with pytest.raises(StorageFullError, match="wait to be folded in"):
            store.score(span(0), "a", 3)
        store.flush()
        store.compact(full=True)
        store.score(span(0), "a", 3)
        assert row_of(store, 0) == {"scores": {"a": 3}}


def test_a_catalog_of_version_two_takes_patches(tmp_path: Path) -> None:
    opened(tmp_path).close()
    database = sa.create_engine(f"sqlite:///{tmp_path / 'catalog.sqlite'}")
    with database.begin() as connection:
        make_older(connection, 2)
    database.dispose()
    with opened(tmp_path, mode="r") as reader:
        assert reader.sql("SELECT count(*) AS n FROM spans").rows() == [{"n": 0}]
    with opened(tmp_path) as store:
        store.insert("spans", [span(0)])
        store.score(span(0), "a", 1)
        assert row_of(store, 0) == {"scores": {"a": 1}}


KILLED = """
import sys, os
sys.path.insert(0, sys.argv[2])
import tracestore
from data.stores import span
store = tracestore.open(sys.argv[1], background=False)
store.insert("spans", [span(n) for n in range(20)])
for number in range(10_000):
    store.patch({"trace_id": span(number % 20)["trace_id"], "span_id": span(number % 20)["span_id"],
                 "comment": str(number)})
    print(number, flush=True)
    if number % 7 == 3:
        store.flush()
        store.compact(full=True)
"""


@pytest.mark.parametrize("acknowledged", [2, 5, 11, 18])
def test_a_killed_writer_keeps_every_acknowledged_patch_once(
    tmp_path: Path, acknowledged: int
) -> None:
    tests = Path(__file__).resolve().parents[1]
    command = [sys.executable, "-P", "-c", KILLED, str(tmp_path / "store"), str(tests)]
    last = -1
    with processes.running(command, stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        while last < acknowledged:
            last = int(child.stdout.readline())
        os.kill(child.pid, signal.SIGKILL)
        last = max([last, *map(int, child.stdout.read().split())])
    with opened(tmp_path / "store") as store:
        for _ in range(2):
            found = [
                int(each["text"])
                for row in store.sql("SELECT metadata.comments AS c FROM spans").rows()
                for each in row["c"] or []
            ]
            assert len(found) == len(set(found))
            assert set(range(last + 1)) <= set(found) <= set(range(last + 2))
            store.flush()
            store.compact(full=True)


def test_scores_are_seen_at_once_while_everything_else_goes_on(tmp_path: Path) -> None:
    """One thread scores and asks, others send spans, flush and merge: no answer lacks a score, none has one twice."""
    stop = threading.Event()
    failed: list[BaseException] = []

    def forever(work: Callable[[int], object]) -> threading.Thread:
        def run() -> None:
            number = 0
            while not stop.is_set():
                number += 1
                try:
                    work(number)
                except BaseException as error:  # noqa: BLE001 - shown by the test
                    failed.append(error)
                    return

        thread = threading.Thread(target=run)
        thread.start()
        return thread

    with opened(tmp_path, durability="async") as store:
        store.insert("spans", [span(n) for n in range(200)])
        threads = [
            forever(lambda n: store.insert("spans", [span(1000 + n)])),
            forever(lambda _: store.flush()),
            forever(lambda n: store.compact(full=n % 3 == 0)),
            forever(lambda _: store.sql("SELECT scores, metadata FROM spans LIMIT 50").rows()),
        ]
        try:
            for number in range(60):
                store.patch({**ids(number), "scores": {"a": number}, "comment": str(number)})
                sql = "SELECT count(scores.a) AS n, sum(scores.a) AS s, sum(len(metadata.comments)) AS c FROM spans"
                (row,) = store.sql(sql).rows()
                assert (row["n"], row["s"]) == (number + 1, number * (number + 1) // 2)
                assert row["c"] == number + 1
        finally:
            stop.set()
            for thread in threads:
                thread.join()
    assert failed == []
