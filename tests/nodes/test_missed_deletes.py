"""Deletes that a node could not take part in, since it was gone: it does them as it returns, and no others."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from nodes.cluster import Cluster, rows
from tracestore.embedded import Store
from tracestore.store import recovery
from tracestore.store.core import Core
from tracestore.store.nodes.catch_up import catch_up
from tracestore.store.rewrite import deletes


@pytest.fixture
def lost(cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    """Leaves the folder of a node as a crash does, with rows of three projects in its log."""
    with monkeypatch.context() as patch, cluster.node("lost") as node:
        for number, project in enumerate("pqr"):
            node.insert("spans", rows(10 * number, 10), project=project)
        patch.setattr(node, "flush", lambda: 0)
        patch.setattr(type(node._core.node.member), "leave", lambda _: None)  # type: ignore[union-attr]  # it is a node


@pytest.fixture
def other(cluster: Cluster, lost: None) -> Iterator[Store]:
    """Gives a node that deletes two of the projects while the first one is gone."""
    del lost
    with cluster.node("other") as store:
        with store._core.catalog.writing() as connection:
            connection.exec_driver_sql(
                "UPDATE tracestore_nodes SET lease_ns = 0 WHERE node_id <> %s",
                (store.nodes.node_id,),
            )
        for project in "pq":
            assert len(store.delete(project=project).faults) == 1
        yield store


def by_project(store: Store) -> dict[str, int]:
    found = store.sql("SELECT project, count(*) AS rows FROM spans GROUP BY ALL").rows()
    return {row["project"]: row["rows"] for row in found}


def test_a_node_that_returns_does_every_delete_that_it_missed(
    cluster: Cluster, other: Store
) -> None:
    with cluster.node("lost") as lost:
        assert by_project(lost) == by_project(other) == {"r": 10}
    with cluster.node("lost") as lost:
        lost.insert("spans", rows(40, 5), project="p")
    with cluster.node("lost") as lost:
        assert by_project(lost) == {"p": 5, "r": 10}


@pytest.mark.parametrize("is_merged", [False, True])
def test_what_others_took_after_a_delete_stays(
    cluster: Cluster, other: Store, monkeypatch: pytest.MonkeyPatch, *, is_merged: bool
) -> None:
    """They flush and merge it while the node replays its log."""
    replay = recovery.replay

    def slow(core: Core) -> object:
        log = replay(core)
        other.flush()
        if is_merged:
            assert other.compact(full=True).merges == 1
        return log

    for first in (50, 60):
        other.insert("spans", rows(first, 10), project="p")
        if is_merged:
            other.flush()
    monkeypatch.setattr(recovery, "replay", slow)
    with cluster.node("lost") as lost:
        assert by_project(lost) == by_project(other) == {"p": 20, "r": 10}


@pytest.mark.parametrize("meanwhile", ["nothing", "flushed", "merged"])
def test_a_node_that_a_delete_did_not_reach_does_it_while_it_is_up(
    cluster: Cluster, meanwhile: str
) -> None:
    """Rows that it has flushed since the delete, and others have merged, are deleted as well."""
    with cluster.node("a") as a, cluster.node("b") as b:
        assert b.nodes.node_id is not None
        b.insert("spans", rows(0, 10), project="p")
        b.insert("spans", rows(10, 10), project="q")
        cluster.silent.add(b.nodes.node_id)
        assert len(a.delete(project="p").faults) == 1
        cluster.silent.clear()
        if meanwhile != "nothing":
            b.flush()
        if meanwhile == "merged":
            b.insert("spans", rows(20, 10), project="p")
            b.flush()
            catch_up(a._core)
            assert a.compact(full=True).merges == 1
        catch_up(b._core)
        deletes.resume_missed(b._core)
        assert by_project(b) == by_project(a) == {"q": 10}
        b.insert("spans", rows(40, 10), project="p")
        deletes.resume_missed(b._core)
        assert by_project(b) == {"p": 10, "q": 10}


def test_a_delete_is_done_after_a_crash_between_the_flush_and_it(
    cluster: Cluster, other: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    def crash(*_: object) -> int:
        raise OSError("the node ends here")

    with monkeypatch.context() as patch:
        patch.setattr(deletes, "remove_matching", crash)
        with pytest.raises(OSError, match="ends here"), cluster.node("lost"):
            pass
    with cluster.node("lost") as lost:
        assert by_project(lost) == by_project(other) == {"r": 10}
