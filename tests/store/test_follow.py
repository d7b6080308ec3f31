"""A follower shows what the writer shows: rows in memory, flushes, merges, patches, deletes."""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import tracestore
from tracestore.embedded import Store
from tracestore.store import Need

T0 = 1_790_000_000_000_000_000


@pytest.fixture
def writer(tmp_path: Path) -> Iterator[Store]:
    with tracestore.open(tmp_path / "store", background=False) as store:
        yield store


@pytest.fixture
def follower(writer: Store) -> Iterator[Store]:
    feed = writer.changes()
    with tracestore.open(writer.folder, "r") as store:
        store.follow(feed.next, lambda: feed.version)
        yield store


def insert(store: Store, first: int, count: int, project: str = "p", **more: object) -> None:
    rows = [
        {
            "trace_id": f"{number:032x}",
            "span_id": f"{number:016x}",
            "start_ns": T0 + number,
            "name": f"n{number}",
            "attributes": {f"k{number % 7}": number, "both": number},
            **more,
        }
        for number in range(first, first + count)
    ]
    store.insert("spans", rows, project=project)


QUESTIONS = [
    "SELECT project, count(*), sum(attributes.both), count(attributes.k3) FROM spans GROUP BY ALL ORDER BY ALL",
    "SELECT name, attributes, scores FROM spans ORDER BY name LIMIT 5",
    "SELECT avg(scores.good) FROM spans",
    "SELECT path, type, rows FROM paths ORDER BY ALL",
    "SELECT name FROM projects",
    "SELECT name, version FROM datasets",
    "SELECT id, input FROM dataset('d') ORDER BY id",
]


def answers(store: Store) -> list[object]:
    """Returns the answers of all questions; one that cannot be answered yet is its error."""
    found: list[object] = []
    for question in QUESTIONS:
        try:
            found.append(store.sql(question).rows())
        except tracestore.errors.TraceStoreError as error:
            found.append(str(error))
    return found


def test_a_follower_answers_as_the_writer_after_every_step(writer: Store, follower: Store) -> None:
    span = {"trace_id": f"{3:032x}", "span_id": f"{3:016x}", "project": "p"}
    steps: list[Callable[[], object]] = [
        lambda: insert(writer, 1, 49),
        lambda: insert(writer, 50, 1),
        lambda: insert(writer, 60, 500, project="q", tags=["x"]),
        lambda: writer.patch({**span, "scores": {"good": 0.5}}),
        writer.flush,
        lambda: insert(writer, 1000, 40, metadata={"new path": {"deep": 1}}),
        lambda: writer.patch({**span, "scores": {"good": 0.75}}),
        writer.flush,
        lambda: writer.datasets.add("d", [{"id": "1", "input": "x"}], project="default"),
        lambda: insert(writer, 2000, 30),
        writer.flush,
        lambda: insert(writer, 3000, 30),
        lambda: writer.compact(full=True),
        lambda: writer.delete(project="q"),
        lambda: insert(writer, 4000, 3),
    ]
    for number, step in enumerate(steps):
        step()
        assert answers(follower) == answers(writer), number


def test_rows_that_a_follower_has_are_not_sent_again(writer: Store) -> None:
    feed = writer.changes()
    insert(writer, 1, 10_000)
    first = feed.next()
    assert [chunk.num_rows for chunk in first.chunks.values()] == [10_000]
    assert feed.next().memory is None
    insert(writer, 20_000, 5)
    assert [chunk.num_rows for chunk in feed.next().chunks.values()] == [5]


def test_rows_that_a_query_does_not_read_are_not_sent(writer: Store) -> None:
    feed = writer.changes()
    insert(writer, 1, 50)
    insert(writer, 100, 30, project="q")
    nothing = feed.next(Need(tables=frozenset()))
    assert not nothing.memory
    assert not nothing.chunks
    assert not feed.next(Need(tables=frozenset({"logs"}))).chunks
    one = feed.next(Need(frozenset({"spans"}), frozenset({"q"})))
    assert [chunk.num_rows for chunk in one.chunks.values()] == [30]
    insert(writer, 200, 7, project="q")
    assert feed.next(Need(tables=frozenset())).memory is None
    both = feed.next(Need(tables=frozenset({"spans"})))
    assert sorted(chunk.num_rows for chunk in both.chunks.values()) == [7, 50]
    writer.flush()
    # What has left memory is not kept for a query that does not read it either.
    assert feed.next(Need(tables=frozenset())).memory == []


@pytest.mark.parametrize("seed", range(4))
def test_a_follower_answers_as_the_writer_whatever_was_read_before(
    writer: Store, follower: Store, seed: int
) -> None:
    chance = random.Random(seed)
    numbers = itertools.count(1, 100)
    steps: list[Callable[[], object]] = [
        lambda: insert(writer, next(numbers), chance.randrange(1, 90)),
        lambda: insert(writer, chance.randrange(200), chance.randrange(1, 20), project="q"),
        lambda: writer.insert("logs", [{"body": "x", "time_ns": T0}], project="q"),
        writer.flush,
        lambda: writer.compact(full=True),
    ]
    questions = [
        ("SELECT 1", None),
        ("SELECT project, count(*), sum(attributes.both) FROM spans GROUP BY ALL ORDER BY 1", None),
        ("SELECT count(*), sum(attributes.both) FROM spans", ["p"]),
        ("SELECT count(*), sum(attributes.both) FROM spans", ["q"]),
        ("SELECT count(*) FROM logs", None),
        ("SELECT (SELECT count(*) FROM logs) AS a, (SELECT count(*) FROM spans) AS b", ["q"]),
        ("SELECT path, type, rows FROM paths ORDER BY ALL", None),
    ]
    for _ in range(25):
        chance.choice(steps)()
        text, projects = chance.choice(questions)
        assert (
            follower.sql(text, projects=projects).rows()
            == writer.sql(text, projects=projects).rows()
        )


def test_files_stay_while_a_follower_reads_them(writer: Store, follower: Store) -> None:
    for first in (1, 100):
        insert(writer, first, 50)
        writer.flush()
    with follower.snapshot(("spans",)) as snapshot:
        files = [segment.local_path for segment in snapshot.tables["spans"].segments]
        writer.compact(full=True)
        insert(writer, 300, 50)
        writer.flush()
        writer.compact(full=True)
        with follower.snapshot(("spans",)):
            assert all(file.exists() for file in files)
    with follower.snapshot(("spans",)):
        pass
    writer.compact(full=True)
    insert(writer, 400, 5)
    writer.flush()
    writer.compact(full=True)
    assert not any(file.exists() for file in files)


def test_an_idle_follower_holds_no_files(writer: Store) -> None:
    feed = writer.changes()
    with tracestore.open(writer.folder, "r") as reader:
        follower = reader.follow(feed.next, lambda: feed.version)
        for first in (1, 100):
            insert(writer, first, 50)
            writer.flush()
        with reader.snapshot(("spans",)) as snapshot:
            files = [segment.local_path for segment in snapshot.tables["spans"].segments]
        writer.compact(full=True)
        assert any(file.exists() for file in files)
        follower.idle()
        insert(writer, 300, 5)
        writer.flush()
        writer.compact(full=True)
        assert not any(file.exists() for file in files)


def test_what_goes_between_a_followers_opening_and_its_first_look_is_not_shown(
    writer: Store,
) -> None:
    insert(writer, 1, 20)
    insert(writer, 100, 20, project="q")
    writer.flush()
    writer.patch(
        {
            "trace_id": f"{3:032x}",
            "span_id": f"{3:016x}",
            "project": "p",
            "scores": {"good": 0.5},
        }
    )
    with tracestore.open(writer.folder, "r") as store:
        writer.delete(project="q")
        writer.compact(full=True)
        feed = writer.changes()
        store.follow(feed.next, lambda: feed.version)
        assert answers(store) == answers(writer)
        kept = [store.sql("SELECT segment_id FROM segments").rows() for store in (store, writer)]
        assert kept[0] == kept[1]
        assert store.sql("SELECT count(scores.good) AS n FROM spans").rows() == [{"n": 1}]
