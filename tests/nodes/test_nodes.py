"""Several nodes over one catalog and one bucket: every node shows every acknowledged row once, at once."""

from __future__ import annotations

import pytest

from nodes.cluster import Cluster, counts, expected, ids, rows


def test_each_node_shows_what_the_others_acknowledged(cluster: Cluster) -> None:
    with cluster.node("a") as a, cluster.node("b") as b, cluster.node("c") as c:
        a.insert("spans", rows(0, 50))
        assert [counts(store) for store in (a, b, c)] == [expected(range(50))] * 3
        b.insert("spans", rows(100, 30))
        c.insert("spans", rows(200, 20))
        every = expected(range(50), range(100, 130), range(200, 220))
        assert [counts(store) for store in (a, b, c)] == [every] * 3
        b.flush()
        assert [counts(store) for store in (a, b, c)] == [every] * 3
        a.flush()
        c.insert("spans", rows(300, 5))
        every = expected(range(50), range(100, 130), range(200, 220), range(300, 305))
        assert [counts(store) for store in (c, b, a)] == [every] * 3


def test_a_span_that_is_sent_to_two_nodes_counts_once_wherever_it_lies(cluster: Cluster) -> None:
    with cluster.node("a") as a, cluster.node("b") as b, cluster.node("c") as c:
        stores = (a, b, c)
        a.insert("spans", rows(0, 50))
        b.insert("spans", rows(25, 50))
        assert [counts(store) for store in stores] == [expected(range(75))] * 3
        a.flush()
        assert [counts(store) for store in stores] == [expected(range(75))] * 3
        c.insert("spans", rows(0, 75))
        assert [counts(store) for store in stores] == [expected(range(75))] * 3
        b.flush()
        c.flush()
        assert [counts(store) for store in stores] == [expected(range(75))] * 3
        for store in stores:
            store.compact(full=True)
        assert [counts(store) for store in stores] == [expected(range(75))] * 3
        with a.snapshot() as snapshot:
            assert sum(segment.rows for segment in snapshot.tables["spans"].segments) == 75


@pytest.mark.parametrize("flushed", [False, True])
def test_the_version_that_ends_later_counts(cluster: Cluster, flushed: bool) -> None:
    with cluster.node("a") as a, cluster.node("b") as b:
        names = "SELECT name, duration_ns FROM spans"
        end = [{"name": "ended", "duration_ns": 5000}]
        for first, second in ((a, b), (b, a)):
            number = 1 if first is a else 2
            (begun,) = rows(number, 1, name="begun", duration_ns=0)
            (ended,) = rows(number, 1, name="ended", duration_ns=5000)
            where = f"{names} WHERE span_id = '{ids(number)['span_id']}'"
            second.insert("spans", [ended])
            if flushed:
                second.flush()
                assert first.sql(where).rows() == end
            first.insert("spans", [begun])
            assert a.sql(where).rows() == b.sql(where).rows() == end
            first.flush()
            assert a.sql(where).rows() == b.sql(where).rows() == end
            second.flush()
            assert a.sql(where).rows() == b.sql(where).rows() == end
        a.compact(full=True)
        assert a.sql(names).rows() == b.sql(names).rows() == end * 2


def test_on_one_node_the_last_version_counts(cluster: Cluster) -> None:
    with cluster.node("a") as a, cluster.node("b") as b:
        a.insert("spans", rows(1, 1, name="first", duration_ns=5000))
        a.flush()
        a.insert("spans", rows(1, 1, name="last", duration_ns=0))
        for store in (a, b):
            assert store.sql("SELECT name FROM spans").rows() == [{"name": "last"}]
        a.flush()
        a.compact(full=True)
        for store in (a, b):
            assert store.sql("SELECT name FROM spans").rows() == [{"name": "last"}]


def test_a_node_that_does_not_answer_is_named_in_a_warning(cluster: Cluster) -> None:
    with cluster.node("a") as a, cluster.node("b") as b:
        b.insert("spans", rows(0, 5))
        assert b.nodes.node_id is not None
        cluster.silent.add(b.nodes.node_id)
        answer = a.sql("SELECT count(*) FROM spans")
        answer.rows()
        assert [b.nodes.node_id in warning for warning in answer.warnings] == [True]
        assert a.nodes.silent_asks == 1


@pytest.mark.parametrize("table", ["paths", "projects", "segments"])
def test_tables_that_tell_of_rows_name_such_a_node_too(cluster: Cluster, table: str) -> None:
    with cluster.node("a") as a, cluster.node("b") as b:
        b.insert("spans", rows(0, 5))
        assert b.nodes.node_id is not None
        cluster.silent.add(b.nodes.node_id)
        answer = a.sql(f"SELECT count(*) FROM {table}")
        answer.rows()
        assert [b.nodes.node_id in warning for warning in answer.warnings] == [True]


@pytest.mark.parametrize("role", ["all", "query"])
def test_a_query_that_reads_no_row_asks_no_other_node(cluster: Cluster, role: str) -> None:
    with cluster.node("a") as a, cluster.node("b", node=role) as b:
        a.insert("spans", rows(0, 5))
        assert counts(b) == expected(range(5))
        before = cluster.questions
        for _ in range(2):
            assert b.sql("SELECT 1 AS one").rows() == [{"one": 1}]
            assert b.sql("SELECT count(*) AS n FROM datasets").rows() == [{"n": 0}]
        assert cluster.questions == before
        # Nor is it told of what other nodes keep from queries of rows.
        assert a.nodes.node_id is not None
        cluster.silent.add(a.nodes.node_id)
        assert b.sql("SELECT count(*) FROM spans").warnings != []
        assert b.sql("SELECT 1 AS one").warnings == []


def test_a_node_takes_up_its_log_when_it_returns(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    with cluster.node("b") as b:
        with cluster.node("a") as a:
            a.insert("spans", rows(0, 40))
            # As a crash leaves it: nothing is flushed.
            monkeypatch.setattr(a, "flush", lambda: 0)
        b.insert("spans", rows(0, 10))
        b.flush()
        with cluster.node("a") as a:
            assert counts(a) == counts(b) == expected(range(40))
            a.flush()
            assert counts(a) == counts(b) == expected(range(40))


def test_patches_and_deletes_hold_on_every_node(cluster: Cluster) -> None:
    with cluster.node("a") as a, cluster.node("b") as b:
        a.insert("spans", rows(0, 20))
        b.insert("spans", rows(20, 20))
        b.patch({**ids(3), "scores": {"good": 0.5}})
        scores = "SELECT avg(scores.good) AS good FROM spans"
        assert a.sql(scores).rows() == b.sql(scores).rows() == [{"good": 0.5}]
        a.patch({**ids(3), "scores": {"good": 0.75}})
        a.flush()
        a.compact(full=True)
        assert a.sql(scores).rows() == b.sql(scores).rows() == [{"good": 0.75}]
        assert b.delete(where="attributes.both < 10").rows == 10
        assert counts(a) == counts(b) == expected(range(10, 40))
        a.insert("spans", rows(0, 1))
        assert counts(a) == counts(b) == expected(range(1), range(10, 40))
        b.delete(project="default")
        assert counts(a) == counts(b) == (0, 0, 0)


def test_datasets_are_one_for_all_nodes(cluster: Cluster) -> None:
    with cluster.node("a") as a, cluster.node("b") as b:
        a.datasets.add("d", [{"id": "1", "input": "x"}])
        report = b.datasets.add("d", [{"id": "1", "input": "x"}, {"id": "2", "input": "y"}])
        assert (report.version, report.added, report.unchanged) == (2, 1, 1)
        read = "SELECT id, input FROM dataset('d') ORDER BY id"
        assert a.sql(read).rows() == b.sql(read).rows()
        assert len(a.sql(read).rows()) == 2


def test_a_query_node_answers_and_takes_no_rows(cluster: Cluster) -> None:
    with cluster.node("a") as a, cluster.node("q", node="query") as q:
        a.insert("spans", rows(0, 30))
        assert counts(q) == expected(range(30))
        a.flush()
        a.insert("spans", rows(30, 30))
        assert counts(q) == expected(range(60))
        q.patch({**ids(3), "scores": {"good": 1}})
        assert a.sql("SELECT avg(scores.good) AS good FROM spans").rows() == [{"good": 1.0}]
