"""What nodes send each other of their rows in memory: what a query may read, once."""

from __future__ import annotations

import contextlib
import random
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pytest

import tracestore
from nodes.cluster import T0, Cluster, ids, rows
from tracestore.embedded import Store

HOUR_NS = 3_600_000_000_000


def long_text(number: int) -> str:
    """Returns a text that no compression makes much shorter."""
    return "".join(random.Random(number).choices("abcdefghijklmnopqrstuvwxyz ", k=1200))


def long_rows(first: int, count: int, **more: Any) -> list[dict[str, Any]]:
    """Returns spans with a long text each, all different, an hour apart every hundred."""
    return [
        {
            **row,
            "start_ns": T0 + (first + n) // 100 * HOUR_NS,
            "input": {"text": long_text(first + n), "words": n},
            **more,
        }
        for n, row in enumerate(rows(first, count))
    ]


@pytest.fixture
def asker(cluster: Cluster) -> Iterator[Callable[[str], tuple[list[dict[str, Any]], int]]]:
    """Gives what asks a node whose rows are in memory of another; it returns rows, and the bytes sent for them."""
    with cluster.node("a") as a, cluster.node("b") as b:
        b.insert("spans", long_rows(0, 300), project="p")
        b.insert("spans", long_rows(300, 300), project="q")
        b.insert("logs", [{"body": long_text(n), "time_ns": T0} for n in range(300)], project="p")
        with a.snapshot(projects=["nosuch"]):
            pass  # has the nodes known to each other

        def ask(sql: str) -> tuple[list[dict[str, Any]], int]:
            before = cluster.transferred_bytes
            found = a.sql(sql).rows()
            return found, cluster.transferred_bytes - before

        yield ask


Asker = Callable[[str], tuple[list[dict[str, Any]], int]]


def test_a_query_fetches_the_table_and_the_columns_that_it_reads_once(asker: Asker) -> None:
    _, of_nothing = asker("SELECT 1")
    assert of_nothing == 0
    found, fixed = asker("SELECT count(*) AS n, min(name) AS first FROM spans")
    assert found == [{"n": 600, "first": "n0"}]
    found, words = asker("SELECT sum(input.words) AS n FROM spans")
    assert found == [{"n": 2 * sum(range(300))}]
    found, texts = asker("SELECT max(length(input.text)) AS n FROM spans")
    assert words < fixed / 4 and fixed < texts / 4
    for sql in (
        "SELECT count(*) FROM spans",
        "SELECT sum(input.words), max(input.text) FROM spans WHERE name > 'n'",
    ):
        _, again = asker(sql)
        # States of memtables, and nothing else.
        assert again < words
    found, logs = asker("SELECT max(length(body::VARCHAR)) AS n FROM logs")
    assert logs > texts / 8


def test_a_query_of_some_times_fetches_ids_of_other_rows_alone(asker: Asker) -> None:
    later = f"start_ns >= {T0 + 100 * HOUR_NS}"
    found, few = asker(f"SELECT count(*) AS n, max(input.text) AS t FROM spans WHERE {later}")
    assert found == [{"n": 0, "t": None}]
    found, most = asker(f"SELECT count(*) AS n, max(input.text) AS t FROM spans WHERE NOT {later}")
    assert found[0]["n"] == 600 and len(found[0]["t"]) > 1000
    assert few < most / 4


def test_a_reader_of_one_project_fetches_nothing_of_others(cluster: Cluster) -> None:
    with cluster.node("a") as a, cluster.node("b") as b:
        b.insert("spans", long_rows(0, 300), project="p")
        b.insert("spans", long_rows(300, 3), project="q")
        for projects, count in (["q"], 3), (["p"], 300):
            before = cluster.transferred_bytes
            with a.snapshot(projects=projects) as snapshot:
                assert sum(map(len, snapshot.tables["spans"].memtable)) == count
            sent = cluster.transferred_bytes - before
            assert (sent > 100_000) == (projects == ["p"])


QUESTIONS = [
    "SELECT count(*) AS n FROM spans",
    "SELECT count(*) AS n, sum(attributes.both) AS s FROM spans",
    "SELECT name, input.words AS w FROM spans ORDER BY ALL LIMIT 7",
    "SELECT name, input, attributes FROM spans ORDER BY name LIMIT 3",
    "SELECT * FROM spans ORDER BY name LIMIT 2",
    "SELECT attributes.gen_ai.input.messages AS m FROM spans WHERE name = 'said'",
    "SELECT attributes.\"gen_ai.input.messages\" AS m, attributes AS a FROM spans WHERE name = 'said'",
    "SELECT input FROM spans WHERE name = 'said'",
    "SELECT t.both AS b FROM (SELECT attributes AS t FROM spans) ORDER BY b DESC LIMIT 3",
    "SELECT count(*) AS n, avg(scores.good) AS g FROM spans",
    "SELECT scores, metadata FROM spans WHERE scores.good IS NOT NULL ORDER BY ALL",
    f"SELECT count(*) AS n, sum(input.words) AS s FROM spans WHERE start_ns < {T0 + HOUR_NS}",
    f"SELECT count(*) AS n, sum(attributes.both) AS s FROM spans WHERE start_ns >= {T0 + 2 * HOUR_NS}",
    f"SELECT name, duration_ns FROM spans WHERE start_ns >= {T0 + 50 * HOUR_NS} ORDER BY ALL",
    "SELECT body FROM logs ORDER BY ALL LIMIT 3",
    "SELECT count(*) AS n FROM logs l JOIN spans s ON l.trace_id = s.trace_id",
    "SELECT id, input FROM dataset('d') ORDER BY id",
    "SELECT path, rows FROM paths WHERE path LIKE 'input%' ORDER BY ALL",
    "SELECT count(*) AS n FROM spans WHERE input.text LIKE '%zz%'",
    "SELECT DISTINCT project AS p FROM spans ORDER BY p",
]


def test_what_is_left_out_changes_no_answer(cluster: Cluster) -> None:
    """Questions in many orders, of two nodes, of one that only answers, and of a process that follows a node."""
    chance = random.Random(7)
    with (
        cluster.node("a") as a,
        cluster.node("b") as b,
        cluster.node("q", node="query") as q,
        _following(cluster, a) as follower,
    ):
        readers = [a, b, q, follower]
        for step in _steps([a, b]):
            step()
            asked = chance.sample(QUESTIONS, 5)
            orders = [chance.sample(asked, len(asked)) for _ in readers]
            answers: list[dict[str, Any]] = [{} for _ in readers]
            for turn in zip(*orders, strict=True):
                for found, reader, sql in zip(answers, readers, turn, strict=True):
                    found[sql] = _answer(reader, sql)
            for found in answers[1:]:
                assert found == answers[0]
        last = {sql: _answer(follower, sql) for sql in QUESTIONS}
        assert not any("does not answer" in str(found) for found in last.values())
        a.flush()
        b.flush()
        for sql in QUESTIONS:
            # Counts of paths of rows in memory include those that do not count.
            assert "paths" in sql or _answer(q, sql) == last[sql]


@contextlib.contextmanager
def _following(cluster: Cluster, node: Store) -> Iterator[Store]:
    """Opens a store that follows a node, as its engine process does."""
    feed = node.changes()
    with tracestore.open(
        node.folder,
        "r",
        catalog_url=cluster.catalog,
        segments_url=cluster.segments,
        cache_folder="cache/engine",
        follows=True,
    ) as follower:
        follower.follow(feed.next, lambda: feed.version)
        yield follower


def _steps(writers: Sequence[Store]) -> list[Callable[[], object]]:
    a, b = writers
    said = {"gen_ai.input.messages": '[{"role": "user", "content": "hi"}]'}
    (moved,) = long_rows(5, 1, duration_ns=9_000)
    moved["start_ns"] = T0 + 60 * HOUR_NS
    (moved_back,) = long_rows(320, 1, duration_ns=9_000)
    moved_back["start_ns"] = T0 + 70 * HOUR_NS
    return [
        lambda: b.insert("spans", long_rows(0, 150)),
        lambda: a.insert("spans", long_rows(150, 150), project="p"),
        lambda: b.insert(
            "spans", [{**ids(900), "name": "said", "attributes": said, "start_ns": T0}]
        ),
        # Another version of a span of the other node, of another time.
        lambda: a.insert("spans", [moved]),
        lambda: b.patch({**ids(7), "scores": {"good": 0.5}, "metadata": {"a": {"b": 1}}}),
        lambda: b.insert("logs", [{"body": f"line {n}", "time_ns": T0 + n} for n in range(9)]),
        b.flush,
        lambda: b.insert("spans", long_rows(300, 50)),
        lambda: a.insert("spans", [moved_back]),
        lambda: a.datasets.add("d", [{"id": "1", "input": "x"}]),
        lambda: b.datasets.add("d", [{"id": "2", "input": {"y": 1}}]),
        lambda: a.insert("spans", long_rows(100, 100)),
        a.flush,
        lambda: b.insert("spans", long_rows(400, 40), project="p"),
        lambda: a.insert("spans", long_rows(420, 40), project="p"),
    ]


def _answer(reader: Store, sql: str) -> object:
    """Returns rows and warnings; of what cannot be answered yet its error."""
    try:
        answer = reader.sql(sql)
        return answer.rows(), answer.warnings
    except tracestore.errors.TraceStoreError as error:
        return str(error)
