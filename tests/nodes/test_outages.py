"""The database or the bucket does not answer: what goes on, what is said, and what is right when they are back."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable, Iterator
from dataclasses import replace

import httpx
import pytest

from nodes.cluster import Cluster, counts, expected, ids, rows
from nodes.faulty_network import Proxy
from tracestore.embedded import Store
from tracestore.errors import CatalogError, StoreFailedError
from tracestore.server import Server, ServerSettings
from tracestore.store import KeyRing
from tracestore.store.catalog.changes import Applied, Change, LeaseLostError
from tracestore.store.nodes import leases

COUNT = "SELECT count(*) AS rows FROM spans"


@contextlib.contextmanager
def through(cluster: Cluster, what: str) -> Iterator[tuple[Cluster, Proxy]]:
    """Gives a cluster whose way to the database or the bucket may fail, and that way."""
    url = cluster.catalog if what == "catalog" else cluster.segments
    (port,) = re.findall(r"(?:@|=)127\.0\.0\.1:(\d+)", url)
    proxy = Proxy(int(port))
    changed = url.replace(f":{port}", f":{proxy.port}")
    if what == "segments":
        changed = changed.replace("?", "?connect_timeout=1&request_timeout=2&")
    try:
        if what == "catalog":
            yield replace(cluster, catalog=changed), proxy
        else:
            yield replace(cluster, segments=changed), proxy
    finally:
        proxy.close()


def warned(store: Store) -> tuple[int, list[str]]:
    """Returns the rows that a node counts, and the warnings of its answer."""
    answer = store.sql(COUNT)
    (row,) = answer.rows()
    return row["rows"], answer.warnings


def test_a_node_without_its_database_takes_rows_and_says_what_may_be_missing(
    cluster: Cluster,
) -> None:
    with (
        through(cluster, "catalog") as (lonely, way),
        cluster.node("a") as a,
        lonely.node("b") as b,
    ):
        b.insert("spans", rows(0, 10))
        b.flush()
        # What a query must know of segments is read once.
        assert counts(b) == expected(range(10))
        way.mode = "refused"
        b.insert("spans", rows(10, 10))
        count, (warning,) = warned(b)
        assert count == 20
        assert "the catalog does not answer" in warning
        with pytest.raises(CatalogError):
            b.patch({**ids(3), "scores": {"good": 1}})
        with pytest.raises(CatalogError):
            b.flush()
        a.insert("spans", rows(20, 5))
        way.mode = "through"
        b._core.node.unreachable_until_s = 0.0  # type: ignore[union-attr]
        assert counts(b) == expected(range(25))
        b.flush()
        assert counts(a) == counts(b) == expected(range(25))


def test_a_busy_bucket_keeps_rows_in_memory_where_all_nodes_see_them(cluster: Cluster) -> None:
    with through(cluster, "segments") as (slow, way), slow.node("a") as a, slow.node("b") as b:
        a.insert("spans", rows(0, 10))
        way.mode = "busy"
        with pytest.raises(StoreFailedError):
            a.flush()
        b.insert("spans", rows(10, 10))
        assert counts(a) == counts(b) == expected(range(20))
        way.mode = "through"
        a.flush()
        assert counts(a) == counts(b) == expected(range(20))


@pytest.mark.parametrize("table", ["spans", "logs"])
def test_a_commit_whose_answer_is_lost_is_made_once(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch, table: str
) -> None:
    with cluster.node("a") as a, cluster.node("b") as b:
        read = f"SELECT count(*) AS rows FROM {table}"
        works: list[Callable[[], object]] = [a.flush, lambda: a.compact(full=True)]
        for number, work in enumerate(works):
            for first in (number * 20, number * 20 + 10):
                new = rows(first, 10) if table == "spans" else [{"body": str(first)}] * 10
                a.insert(table, new)
                if number:
                    a.flush()
            before = b.sql(read).rows()
            with monkeypatch.context() as patch:
                commit = a._core.catalog.commit

                def lost(change: Change) -> Applied:
                    commit(change)  # noqa: B023 - called at once
                    raise CatalogError("cannot use catalog: the connection is lost")

                patch.setattr(a._core.catalog, "commit", lost)
                with pytest.raises(CatalogError):
                    work()
            assert a.sql(read).rows() == b.sql(read).rows() == before
            a.flush()
            assert a.sql(read).rows() == b.sql(read).rows() == before
            assert a.check(deep=True).ok


def test_a_merge_whose_lease_was_taken_changes_nothing(cluster: Cluster) -> None:
    with cluster.node("a") as a, cluster.node("b") as b:
        for first in (0, 10):
            a.insert("spans", rows(first, 10))
            a.flush()
        counts(b)
        core, other = a._core, b._core
        row = next(core.index.rows())
        with leases.holding(core, leases.day_of(row)) as lease:
            assert lease is not None
            with pytest.raises(leases.TakenError), leases.holding(other, leases.day_of(row)):
                raise AssertionError("the lease is another's")
            with core.catalog.writing() as connection:
                connection.exec_driver_sql("UPDATE tracestore_leases SET lease_ns = 0")
            with leases.holding(other, leases.day_of(row)):
                pass
            change = Change(removed=[row], now_ns=1, lease=lease)
            with pytest.raises(LeaseLostError):
                core.catalog.commit(change)
        assert counts(a) == counts(b) == expected(range(20))


def test_garbage_stays_while_a_node_reads_it(cluster: Cluster) -> None:
    with cluster.node("a") as a, cluster.node("b") as b:
        for first in (0, 10):
            a.insert("spans", rows(first, 10))
            a.flush()
        with b.snapshot() as snapshot:
            b._core.node.member.tell()  # type: ignore[union-attr]
            keys = [row.file_key for row in snapshot.tables["spans"].segment_rows]
            a.compact(full=True)
            a._core.node.member.tell()  # type: ignore[union-attr]
            a.compact(full=True)
            assert all(a._core.segments.files.size(key) is not None for key in keys)
        counts(b)
        for store in (a, b):
            store._core.node.member.tell()  # type: ignore[union-attr]
        a.insert("spans", rows(20, 10))
        a.flush()
        a.compact(full=True)
        assert all(a._core.segments.files.size(key) is None for key in keys)
        assert counts(a) == counts(b) == expected(range(30))


def test_a_delete_reaches_a_node_that_did_not_answer_when_it_returns(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    with cluster.node("a") as a:
        with cluster.node("b") as b:
            b.insert("spans", rows(0, 20))
            monkeypatch.setattr(b, "flush", lambda: 0)  # as a crash leaves it
        report = a.delete(project="default")
        assert "is not up" in " ".join(report.faults)
        with cluster.node("b") as b:
            assert counts(a) == counts(b) == (0, 0, 0)


def test_a_node_starts_though_a_file_of_a_segment_is_gone(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    with cluster.node("a") as a:
        a.insert("spans", rows(0, 10))
        a.flush()
        (row,) = a._core.index.rows()
        a.insert("spans", rows(10, 10))
        a._core.segments.files.remove(row.file_key)
        monkeypatch.setattr(a, "flush", lambda: 0)  # as a crash leaves it
    with cluster.node("a") as a, a.snapshot() as snapshot:
        (chunk,) = snapshot.tables["spans"].memtable
        assert chunk.num_rows == 10


def test_keys_that_are_known_count_while_the_database_does_not_answer(cluster: Cluster) -> None:
    span = {"traceId": "1" * 32, "spanId": "1" * 16, "name": "x", "startTimeUnixNano": "1"}
    body = {"resourceSpans": [{"scopeSpans": [{"spans": [span]}]}]}
    with through(cluster, "catalog") as (lonely, way), cluster.node("other"):
        with contextlib.closing(KeyRing(cluster.folder, cluster.catalog)) as ring:
            _, known = ring.create("ci", ["ingest", "read"])
        settings = ServerSettings(
            data=cluster.folder / "a",
            catalog=lonely.catalog,
            segments=lonely.segments,
            role="all",
            port=0,
            grpc_port=-1,
            require_keys=True,
            engine_process=False,
        )
        with Server(settings) as server:
            way.mode = "refused"
            server.keys._forget()  # as two seconds do

            def sent(key: str) -> httpx.Response:
                headers = {"authorization": f"Bearer {key}"}
                return httpx.post(f"{server.url}/v1/traces", json=body, headers=headers)

            assert sent(known).status_code == 200
            for wrong, status in ((f"{known}x", 401), ("ts_0_0", 503)):
                answer = sent(wrong)
                assert answer.status_code == status
                assert str(way.port) not in answer.text
            asked = httpx.get(f"{server.url}/api/datasets", headers={"x-api-key": "ts_0_0"})
            assert (asked.status_code, asked.headers["retry-after"]) == (503, "2")
            way.mode = "through"
            server.keys._forget()
            assert sent("ts_0_0").status_code == 401
