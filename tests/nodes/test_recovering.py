"""A node whose host will not come back: its log is written to the bucket from its folder, or it is forgotten."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

import tracestore
from nodes.cluster import Cluster, counts, expected, rows
from tracestore.cli import app
from tracestore.embedded import Store
from tracestore.errors import CatalogError, StoreLockedError, StoreMissingError
from tracestore.store.files import filenames


@pytest.fixture
def lost(cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> str:
    """Leaves the folder of a node as a crash does, with rows in its log; returns its id."""
    with monkeypatch.context() as patch, cluster.node("lost") as node:
        node.insert("spans", rows(0, 10))
        node.flush()
        node.insert("spans", rows(10, 10))
        patch.setattr(node, "flush", lambda: 0)
        node_id = node.nodes.node_id
        patch.setattr(type(node._core.node.member), "leave", lambda _: None)  # type: ignore[union-attr]  # it is a node
        assert node_id is not None
    return node_id


def warnings(store: Store) -> list[str]:
    answer = store.sql("SELECT count(*) FROM spans")
    answer.rows()
    return answer.warnings


def recover(cluster: Cluster) -> dict[str, object]:
    found = CliRunner().invoke(
        app,
        ["recover", str(cluster.folder / "lost"), "--format=json"],
        env={"TRACESTORE_CATALOG": cluster.catalog, "TRACESTORE_SEGMENTS": cluster.segments},
    )
    assert found.exit_code == 0, found.output
    (report,) = json.loads(found.stdout)
    assert isinstance(report, dict)
    return report


def test_what_is_in_a_lost_nodes_log_is_in_the_bucket_once_it_is_recovered(
    cluster: Cluster, lost: str
) -> None:
    with cluster.node("b") as b:
        (warning,) = warnings(b)
        assert lost in warning
        b.insert("spans", rows(15, 10))
        report = recover(cluster)
        assert (report["node"], report["rows"], report["segments"]) == (lost, 10, 1)
        assert counts(b) == expected(range(25))
        assert warnings(b) == []
        assert recover(cluster)["rows"] == 0
        assert b.nodes.forget(lost)
        assert [node.node_id for node in b.nodes.list()] == [b.nodes.node_id]


def test_a_node_that_was_forgotten_may_be_recovered_later(cluster: Cluster, lost: str) -> None:
    with cluster.node("b") as b:
        assert not b.nodes.forget(lost)  # its lease still runs
        with b._core.catalog.writing() as connection:
            connection.exec_driver_sql("UPDATE tracestore_nodes SET lease_ns = 0")
        assert b.nodes.forget(lost)
        assert counts(b) == expected(range(10))
        assert warnings(b) == []
        recover(cluster)
        assert counts(b) == expected(range(20))


@pytest.mark.usefixtures("lost")
def test_a_nodes_folder_is_recovered_with_what_its_nodes_share_alone(cluster: Cluster) -> None:
    folder: Path = cluster.folder / "lost"
    found = CliRunner().invoke(app, ["recover", str(folder)], env={"TRACESTORE_CATALOG": ""})
    assert found.exit_code == 2
    assert "--segments" in found.output
    assert not (folder / filenames.CATALOG).exists()
    with cluster.node("lost"):
        found = CliRunner().invoke(
            app,
            [
                "recover",
                str(folder),
                f"--catalog={cluster.catalog}",
                f"--segments={cluster.segments}",
            ],
        )
        assert isinstance(found.exception, StoreLockedError)


def test_a_nodes_folder_is_not_opened_without_what_its_nodes_share(
    cluster: Cluster, lost: str
) -> None:
    folder = cluster.folder / "lost"
    with pytest.raises(CatalogError, match="folder of a node; name what its nodes share"):
        tracestore.open(folder)
    assert not (folder / filenames.CATALOG).exists()
    with cluster.node("lost") as node:
        assert node.nodes.node_id == lost
        assert counts(node) == expected(range(20))


def test_a_node_is_not_started_in_the_folder_of_a_store_of_its_own(cluster: Cluster) -> None:
    with tracestore.open(cluster.folder / "one", background=False) as store:
        store.insert("spans", rows(0, 10))
    with pytest.raises(CatalogError, match="in an empty folder"), cluster.node("one"):
        pass
    with tracestore.open(cluster.folder / "one", background=False) as store:
        assert store.sql("SELECT count(*) AS n FROM spans").rows() == [{"n": 10}]


def test_a_folder_that_holds_nothing_is_not_recovered(cluster: Cluster, lost: str) -> None:
    del lost
    for folder in (cluster.folder, cluster.folder / "lost" / filenames.WAL_FOLDER):
        before = sorted(folder.iterdir())
        found = CliRunner().invoke(
            app,
            ["recover", str(folder)],
            env={"TRACESTORE_CATALOG": cluster.catalog, "TRACESTORE_SEGMENTS": cluster.segments},
        )
        assert isinstance(found.exception, StoreMissingError)
        assert sorted(folder.iterdir()) == before
